package eval

import (
	"context"
	"testing"

	"github.com/gomlx/gomlx/ml/model"

	"mcvd/data/clips"
	"mcvd/eval/metric"
	"mcvd/models/backend/backendtest"
)

// exactly is brightness that can see numbers before they are rounded.
type exactly struct{ brightness }

func (exactly) Unrounded(values []float32, size clips.Clip) ([][]float32, error) {
	sum := float32(0)
	for _, v := range values {
		sum += (v + 1) * 127.5
	}
	if len(values) != size.Frames*size.FrameSize() {
		sum = 0
	}
	return [][]float32{{sum / float32(len(values))}}, nil
}

// By the published rules a metric that can see generated frames before they become bytes does, cut
// off at black and white, and real ones as they are. Others see bytes that were cut off.
func TestUnroundedFrames(t *testing.T) {
	m := counting(t) // 2 past, 3 current and 2 future frames
	g, err := NewGenerator(backendtest.Open(t), model.NewStore(), m, config().Sampler, 1, 2, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	level := uint8(1) // one that the published rule makes darker
	for clips.Floor(clips.Float(level)) == level {
		level++
	}
	real := float32(level)
	metrics := []metric.Opened{
		{Info: metric.Info{Name: "exactly", Whole: true}, Sets: exactly{}, Compare: nothing},
		{Info: metric.Info{Name: "bytes"}, Sets: brightness{}, Compare: nothing},
	}
	for name, want := range map[string]map[FeatureKey]float32{
		"bair":  {{"exactly", modelMethod, 1}: (2*real + 191.25 + 191.25 + 255) / 5, {"exactly", "", 0}: real, {"exactly", "copy last", 0}: real, {"bytes", "", 0}: real - 1},
		"clean": {{"exactly", modelMethod, 1}: (2*real + 191 + 191 + 255) / 5, {"exactly", "", 0}: real, {"exactly", "copy last", 0}: real, {"bytes", "", 0}: real},
	} {
		e, err := NewEvaluation(g, constantSet{level}, Protocol{Name: name, Task: "predict", Clips: 2, Trajectories: 1, Frames: 3, Seed: 1}, metrics)
		if err != nil {
			t.Fatal(err)
		}
		e.generate = func(_ context.Context, _ uint64, cases []Case, _ func()) (made []Frames, err error) {
			for range cases {
				frames := make(Frames, 3*16)
				for i := range frames {
					frames[i] = []float32{0.5, 0.5, 3}[i/16]
				}
				made = append(made, frames)
			}
			return made, nil
		}
		p, err := e.Part(t.Context(), Range{0, 2}, nil)
		if err != nil {
			t.Fatal(err)
		}
		for key, want := range want {
			rows := p.Made[key]
			if key.Method == "" {
				rows = p.Real[key]
			}
			if len(rows) != 2 || !(max(rows[1][0]-want, want-rows[1][0]) <= 1e-3) {
				t.Errorf("%s, %v: %v, want %g of each of 2 clips", name, key, rows, want)
			}
		}
	}
}

// constantSet has videos of one level of grey.
type constantSet struct{ level uint8 }

func (constantSet) Len() int        { return 2 }
func (constantSet) Name(int) string { return "grey" }
func (constantSet) Frames(int) int  { return 100 }

func (s constantSet) Clip(_, _, frames int) (clips.Clip, error) {
	c := clips.NewClip(frames, 4, 4, 1)
	for i := range c.Pix {
		c.Pix[i] = s.level
	}
	return c, nil
}
