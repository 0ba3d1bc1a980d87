package eval

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"

	"mcvd/configs"
	"mcvd/data"
	"mcvd/data/clips"
	"mcvd/data/video"
)

// Source gives the case of clip i, counted from 0.
type Source func(i int) (Case, error)

// MaxCompared is the largest number of generated frames for which [TestClips] and [OwnVideos] load
// the real ones to compare with.
const MaxCompared = 256

// FromDataset cuts the clips of a data set in the order of evaluation, [data.Fixed]. The real
// frames are known.
func FromDataset(ds clips.Dataset, seed uint64, j Job, f configs.Frames) Source {
	return fixed(ds, seed, j, f, ClipFrames(j.Task, f, j.Frames), true)
}

// fixed is [FromDataset] that also takes clips of fewer frames, see [cutGiven].
func fixed(ds clips.Dataset, seed uint64, j Job, f configs.Frames, frames int, compare bool) Source {
	return cutAt(ds, j, f, frames, compare, func(i int) data.At { return data.Fixed(ds, seed, i, frames) })
}

// cutAt cuts clip i at a place.
func cutAt(ds clips.Dataset, j Job, f configs.Frames, frames int, compare bool, place func(i int) data.At) Source {
	return func(i int) (Case, error) {
		at := place(i)
		clip, err := data.Cut(ds, at, frames)
		if err != nil {
			return Case{}, err
		}
		c := cutGiven(j, f, clip, compare)
		c.Clip, c.Video, c.Start, c.FPS = i, ds.Name(at.Video), at.Start, clips.FPS(ds, at.Video)
		return c, nil
	}
}

// TestClips are the cases if nothing else is said: clips of the test split, and cases without
// frames for [Generate]. They have real frames if at most [MaxCompared] are asked for and the split
// has videos that are long enough.
func TestClips(ctx context.Context, c *configs.Config, seed uint64, j Job, log *slog.Logger) (Source, error) {
	if j.Task == Generate {
		fps := data.FPS(ctx, c)
		return func(i int) (Case, error) { return Case{Clip: i, FPS: fps}, nil }, nil
	}
	given, whole := lengths(j, c.Frames)
	ds, err := data.Open(ctx, c, clips.Test, whole, log)
	if err != nil && whole > given {
		whole = given
		ds, err = data.Open(ctx, c, clips.Test, whole, log)
	}
	if err != nil {
		return nil, err
	}
	return fixed(ds, seed, j, c.Frames, whole, j.Frames <= MaxCompared), nil
}

// lengths are the fewest frames that a clip must have for the job, and the number that it has with
// the real frames.
func lengths(j Job, f configs.Frames) (given, whole int) {
	given, whole = ClipFrames(j.Task, f, 0), ClipFrames(j.Task, f, j.Frames)
	switch {
	case j.Task == Interpolate:
		return whole, whole // the future comes after the real frames
	case j.Frames > MaxCompared:
		return given, given
	}
	return given, whole
}

// cutGiven is [Cut] for clips that may lack the real frames; they are left out unless compare is set.
func cutGiven(j Job, f configs.Frames, clip clips.Clip, compare bool) Case {
	n := min(j.Frames, max(0, clip.Frames-ClipFrames(j.Task, f, 0)))
	c := Cut(j.Task, f, clip, n)
	if n < j.Frames || !compare {
		c.Real = clips.Clip{}
	}
	return c
}

// OwnVideos are the cases of video files, one for each clip. They are decoded as the experiment's
// data are. The given frames begin at second start. There are real frames if at most [MaxCompared]
// are asked for and the file has them.
func OwnVideos(ctx context.Context, c *configs.Config, j Job, paths []string, start float64) Source {
	return func(i int) (Case, error) {
		path := paths[i]
		o, err := data.DecodeOptions(c)
		if err != nil {
			return Case{}, err
		}
		o.Start = start
		given, whole := lengths(j, c.Frames)
		if j.Task == Retrodict {
			whole = given // the real frames come before
		}
		stride := max(c.Data.Stride, 1)
		clip, fps, err := decode(ctx, path, o, stride, given, whole)
		if err != nil {
			return Case{}, err
		}
		own := cutGiven(j, c.Frames, clip, j.Frames <= MaxCompared)
		own.Clip, own.Video, own.FPS = i, path, fps
		if j.Task == Retrodict && j.Frames <= MaxCompared {
			own.Real, err = before(ctx, path, o, stride, own.Future, j.Frames, fps)
		}
		return own, err
	}
}

// GivenFrames is the case of a video whose frames of Job.Given are files, images or videos, of which
// the first frame is taken. They are decoded as the experiment's data are.
func GivenFrames(ctx context.Context, c *configs.Config, paths []string) Source {
	return func(i int) (Case, error) {
		o, err := data.DecodeOptions(c)
		if err != nil {
			return Case{}, err
		}
		given := Case{Clip: i}
		for _, path := range paths {
			frame, err := decodeFirst(ctx, path, o)
			if err != nil {
				return Case{}, err
			}
			given.Given = join(given.Given, frame)
		}
		return given, nil
	}
}

// decodeFirst reads an image, or the first frame of a video.
func decodeFirst(ctx context.Context, path string, o video.DecodeOptions) (clips.Clip, error) {
	if !video.IsImage(filepath.Base(path)) {
		frame, _, err := decode(ctx, path, o, 1, 1, 1)
		return frame, err
	}
	o.FPS = 0 // an image has no time
	frame := clips.Clip{Frames: 1, Height: o.Size, Width: cmp.Or(o.Width, o.Size), Channels: o.Channels}
	_, err := video.DecodeImages(ctx, []string{path}, o, func(pix []uint8) error {
		frame.Pix = slices.Clone(pix)
		return nil
	})
	return frame, err
}

// decode reads up to whole frames of a video, every stride-th one, and fails if there are fewer than
// given. fps is their rate, 0 for images whose rate is unknown.
func decode(ctx context.Context, path string, o video.DecodeOptions, stride, given, whole int) (clip clips.Clip, fps float64, err error) {
	o.MaxFrames = max(0, (whole-1)*stride+1)
	clip = clips.Clip{Height: o.Size, Width: cmp.Or(o.Width, o.Size), Channels: o.Channels}
	n := 0
	decoded, err := video.Decode(ctx, path, o, func(frame []uint8) error {
		if n++; (n-1)%stride == 0 {
			clip.Pix = append(clip.Pix, frame...)
			clip.Frames++
		}
		return nil
	})
	switch {
	case err != nil && (clip.Frames < whole || errors.Is(err, context.Canceled)):
		return clip, 0, err
	case clip.Frames < given:
		return clip, 0, fmt.Errorf("%s: %d frames from second %g on, want %d or more", path, clip.Frames, o.Start, given)
	}
	return clip, decoded.FPS / float64(stride), nil
}

// before returns the n frames before those that begin at o.Start, each stride frames before the next,
// or none if the video has fewer. It decodes from an earlier second on and searches for the frames that
// are known, because a second doesn't say exactly which frame is meant. fps is the rate of the frames
// that are known.
func before(ctx context.Context, path string, o video.DecodeOptions, stride int, known clips.Clip, n int, fps float64) (clips.Clip, error) {
	const spare = 2 // frames on each side
	fps *= float64(stride)
	lead, span := n*stride, (known.Frames-1)*stride+1
	from := min(lead+spare, int(o.Start*fps+0.5))
	if from < lead {
		return clips.Clip{}, nil
	}
	o.Start = max(0, o.Start-float64(from)/fps)
	clip, _, err := decode(ctx, path, o, 1, 0, from+spare+span)
	if err != nil && ctx.Err() != nil {
		return clips.Clip{}, err // a file that is broken further on still has these frames
	}
	for _, off := range []int{0, 1, -1, 2, -2} {
		at := from + off
		if at >= lead && at+span <= clip.Frames && bytes.Equal(clip.Every(at, known.Frames, stride).Pix, known.Pix) {
			return clip.Every(at-lead, n, stride), nil
		}
	}
	return clips.Clip{}, nil
}
