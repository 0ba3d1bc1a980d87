package eval

import (
	"math"
	"slices"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"mcvd/configs"
	"mcvd/data/clips"
	"mcvd/models/backend/backendtest"
)

func knowing(name string, past, future int) configs.Guidance {
	return configs.Guidance{Name: name, Options: configs.Options{"known_past": past, "known_future": future}}
}

// The network of counting knows what lies between the frames that it is given, so a frame in a wrong
// place changes the video. The block of a window has the known frames at its ends.
func TestKnownFramesStandInTheBlock(t *testing.T) {
	b, m := backendtest.Open(t), counting(t)
	for _, known := range []struct{ past, future int }{{1, 0}, {0, 1}, {1, 1}, {0, 2}} {
		for _, task := range []Task{Predict, Interpolate, Retrodict} {
			s := config().Sampler
			s.Guidance = knowing("replacement", known.past, known.future)
			g, err := NewGenerator(b, model.NewStore(), m, s, 7, 2, 1)
			if err != nil {
				t.Fatal(err)
			}
			defer g.Close()
			current := 3 - known.past - known.future
			if want := (configs.Frames{Past: 2 + known.past, Current: current, Future: 2 + known.future, Mask: m.Frames.Mask, Times: m.Frames.Times}); g.wide != want {
				t.Fatalf("windows of %+v, want %+v", g.wide, want)
			}
			block := func(n int) { // the last block of each window: known frames, and those that are made
				watched := *g
				windows, checked := 0, 0
				watched.loop = g.loop.Watched(func(step int, x *tensors.Tensor) error {
					values := tensors.MustCopyFlatData[float32](x)
					for slot := range 3 {
						shown := slot < known.past && task.Past && windows == 0 || slot >= 3-known.future && task.Future && n == current
						if want := clips.Float(uint8(50 + 2 + slot)); shown {
							checked++
							if got := values[48+16*slot+5]; !(math.Abs(float64(got-want)) <= 1e-6) {
								t.Errorf("%v, %v: frame %d of the block is %v, want the known %v", known, task, slot, got, want)
							}
						}
					}
					windows++
					return nil
				})
				cases := make([]Case, 2) // clip i begins at level 50*i
				for i := range cases {
					cases[i].Clip = i
					if task.Past {
						cases[i].Past = rising(50*i, g.wide.Past)
					}
					if task.Future {
						cases[i].Future = rising(50*i+g.wide.Past+n, g.wide.Future)
					}
				}
				calls, j := 0, Job{Task: task, Frames: n, Advance: current}
				videos, err := watched.Videos(t.Context(), j, cases, func() { calls++ })
				if err != nil {
					t.Fatal(err)
				}
				if want, err := g.Evaluations(j, 2); err != nil || calls != want {
					t.Errorf("%v, %v: %d evaluations, want %d, error %v", known, task, calls, want, err)
				}
				if n == current && checked == 0 && (task.Past && known.past > 0 || task.Future && known.future > 0) {
					t.Errorf("%v, %v: no known frame was looked at", known, task)
				}
				for i, made := range videos {
					for k := range n {
						want := clips.Float(uint8(50*i + g.wide.Past + k))
						if got := made[16*k+5]; !(math.Abs(float64(got-want)) <= 1e-4) {
							t.Errorf("%v, %v of %d frames: frame %d of video %d is %v, want %v", known, task, n, k, i, got, want)
						}
					}
				}
			}
			block(current)
			block(current + 2)
		}
	}
}

// known makes a video of two frames between two past and three future ones for each of some clips, with
// trained weights, in three steps.
func known(t *testing.T, conditioning string, guide configs.Guidance, numbers ...int) []Frames {
	t.Helper()
	b, c := backendtest.Open(t), config()
	c.Model.Options["conditioning"] = conditioning
	if conditioning == "spatin" {
		c.Model.Options["spatin_width"] = 4
	}
	c.Sampler = configs.Sampler{Precision: "float32", Spacing: "uniform", Name: "ddpm", Steps: 3, LastDenoise: true, Guidance: guide}
	m, store := trained(t, b, c)
	g, err := NewGenerator(b, store, m, c.Sampler, 3, 2, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	cases := make([]Case, len(numbers))
	for i, n := range numbers {
		cases[i] = Case{Clip: n, Past: rising(40+70*n, 2), Future: rising(200-90*n, 3)}
	}
	videos, err := g.Videos(t.Context(), Job{Task: Interpolate, Frames: 2, Advance: 2}, cases, nil)
	if err != nil {
		t.Fatal(err)
	}
	return videos
}

// far is the largest difference of two videos.
func far(a, b Frames) (worst float64) {
	for i := range a {
		worst = max(worst, math.Abs(float64(a[i]-b[i]))) // NaN stays
	}
	return worst
}

// Reconstruction with a weight of 0 is replacement, bit for bit and at its cost. A video doesn't depend
// on others of its batch, although one gradient is that of all.
func TestReconstructionOfANetwork(t *testing.T) {
	for _, conditioning := range []string{"concat", "spatin"} {
		weighted := func(weight float64) configs.Guidance {
			g := knowing("reconstruction", 0, 1)
			g.Options["known_weight"] = weight
			return g
		}
		replaced := known(t, conditioning, knowing("replacement", 0, 1), 0, 1)
		for i, want := range replaced {
			if got := known(t, conditioning, weighted(0), 0, 1); !slices.Equal(got[i], want) {
				t.Errorf("%s, video %d: a weight of 0 differs from replacement", conditioning, i)
			}
		}
		both := known(t, conditioning, weighted(2), 0, 1)
		if far(both[0], replaced[0]) <= 1e-4 {
			t.Errorf("%s: a weight of 2 changes nothing", conditioning)
		}
		for i := range both {
			if alone := known(t, conditioning, weighted(2), i); !(far(alone[0], both[i]) <= 1e-4) {
				t.Errorf("%s: video %d alone differs by %g from that in a batch", conditioning, i, far(alone[0], both[i]))
			}
		}
	}
}
