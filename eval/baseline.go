package eval

import "mcvd/data/clips"

// Baseline is a forecast without a model, which a model has to beat. past are the frames before the
// gap of n frames, future those after it. Either may have no frames.
type Baseline func(past, future clips.Clip, n int) clips.Clip

// baselines are those that make sense for a task, by name.
func baselines(task Task) map[string]Baseline {
	switch task {
	case Predict:
		return map[string]Baseline{"copy last": copyLast}
	case Interpolate:
		return map[string]Baseline{"copy last": copyLast, "linear blend": linearBlend}
	case Retrodict:
		return map[string]Baseline{"copy first": copyFirst}
	}
	return nil
}

// copyLast repeats the last frame before the gap.
func copyLast(past, _ clips.Clip, n int) clips.Clip {
	return repeat(past.Slice(past.Frames-1, past.Frames), n)
}

// copyFirst repeats the first frame after the gap.
func copyFirst(_, future clips.Clip, n int) clips.Clip { return repeat(future.Slice(0, 1), n) }

func repeat(frame clips.Clip, n int) clips.Clip {
	c := clips.NewClip(n, frame.Height, frame.Width, frame.Channels)
	for i := range n {
		copy(c.Slice(i, i+1).Pix, frame.Pix)
	}
	return c
}

// linearBlend fades from the last frame before the gap to the first one after it: frame i of n has
// the share (i+1)/(n+1) of the latter.
func linearBlend(past, future clips.Clip, n int) clips.Clip {
	from, to := past.Slice(past.Frames-1, past.Frames).Pix, future.Slice(0, 1).Pix
	c := clips.NewClip(n, past.Height, past.Width, past.Channels)
	for i := range n {
		weight := float64(i+1) / float64(n+1)
		for k := range from {
			c.Slice(i, i+1).Pix[k] = uint8((1-weight)*float64(from[k]) + weight*float64(to[k]) + 0.5)
		}
	}
	return c
}
