package metric

import (
	"fmt"

	"mcvd/data/clips"
	"mcvd/eval/metric/features"
)

// lpipsSide is the size that LPIPS sees frames at, as the published results of MCVD do: all frames
// are resized to it, whatever their size.
const lpipsSide = 128

// lpips is the distance of frames that LPIPS's version 0.1 learned from what people see (Zhang et
// al., 2018): 0 for equal frames. Of a clip it is the mean over frames. The frames are resized to
// 128x128 by Pillow's bilinear filter, and grey is repeated to RGB, as for the published results.
type lpips struct {
	network *features.LPIPS
	weightsSum
	batch int // frames of each side that are compared at a time, which bounds memory
}

func openLPIPS(network string, batch int) func(Needs) (Pairs, error) {
	return func(needs Needs) (Pairs, error) {
		params, sum, err := readWeights(needs, network)
		if err != nil {
			return nil, err
		}
		l, err := features.OpenLPIPS(needs.Backend, network, params)
		if err != nil {
			return nil, err
		}
		return lpips{l, sum, batch}, nil
	}
}

func (l lpips) Close() error { return l.network.Close() }

// Score compares the frames of all clips, a batch at a time.
func (l lpips) Score(real, made []clips.Clip) ([]Score, error) {
	if len(real) != len(made) {
		return nil, fmt.Errorf("%d generated clips, want as many as the real ones, %d", len(made), len(real))
	}
	scores := make([]Score, len(made))
	q := pending{lpips: l}
	for i := range made {
		if err := sameSize(real[i], made[i]); err != nil {
			return nil, fmt.Errorf("clip %d: %w", i, err)
		}
		scores[i].Frames = make([]float64, made[i].Frames)
		for frame := range made[i].Frames {
			err := q.add(real[i].Slice(frame, frame+1), made[i].Slice(frame, frame+1), &scores[i].Frames[frame])
			if err != nil {
				return nil, err
			}
		}
	}
	if err := q.compare(); err != nil {
		return nil, err
	}
	for i := range scores {
		for _, d := range scores[i].Frames {
			scores[i].Value += d / float64(len(scores[i].Frames))
		}
	}
	return scores, nil
}

// pending are pairs of frames that wait for their batch to be full.
type pending struct {
	lpips
	real, made []float32
	to         []*float64 // where their distances go
}

func (q *pending) add(real, made clips.Clip, to *float64) error {
	q.real = append(q.real, rgbFloats(resized(real, lpipsSide))...)
	q.made = append(q.made, rgbFloats(resized(made, lpipsSide))...)
	q.to = append(q.to, to)
	if len(q.to) < q.batch {
		return nil
	}
	return q.compare()
}

// compare compares what waits. Where it is less than a batch, zeros fill it, because a program is
// compiled for one size.
func (q *pending) compare() error {
	if len(q.to) == 0 {
		return nil
	}
	missing := (q.batch - len(q.to)) * lpipsSide * lpipsSide * 3
	q.real, q.made = append(q.real, make([]float32, missing)...), append(q.made, make([]float32, missing)...)
	distances, err := q.network.Distances(q.real, q.made, q.batch, lpipsSide, lpipsSide, 3)
	if err != nil {
		return err
	}
	for i, to := range q.to {
		*to = float64(distances[i])
	}
	q.real, q.made, q.to = q.real[:0], q.made[:0], q.to[:0]
	return nil
}

// rgbFloats is a clip in [-1, 1] with three channels; grey is repeated.
func rgbFloats(c clips.Clip) []float32 {
	values := clips.ToFloat(c)
	if c.Channels == 3 {
		return values
	}
	out := make([]float32, 0, 3*len(values))
	for _, v := range values {
		out = append(out, v, v, v)
	}
	return out
}
