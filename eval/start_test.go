package eval

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"mcvd/configs"
	"mcvd/models"
	"mcvd/models/backend/backendtest"
	"mcvd/models/diffusion"
	"mcvd/models/paritytest"
	"mcvd/models/sampler"
)

// ddpm visits the labels 0, 2, 4, 6 and 8 of the 10 that config has.
func ddpm(start float64, reference bool) configs.Sampler {
	return configs.Sampler{Name: "ddpm", Spacing: "uniform", Steps: 5, Clip: true, LastDenoise: true, Start: start, PublishedStart: reference}
}

// ran is what a window was given and made.
type ran struct {
	given []Frame
	made  []Frame
	draws []uint64 // numbers of the draws of its first request, in order
}

// windows runs a rollout of one batch of two requests and returns its windows, and how many network
// evaluations it took.
func windows(t *testing.T, b compute.Backend, store *model.Store, m *models.Model, c configs.Sampler, task Task, n, advance int) (done []ran, evaluations int) {
	t.Helper()
	g, err := NewGenerator(b, store, m, c, 1, 2, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	var draws []uint64
	normal := g.draw
	g.draw = func(c Case, window, number uint64, values []float32) {
		if window != uint64(len(done)) {
			t.Errorf("noise of window %d in window %d", window, len(done))
		}
		if c.Clip == 0 {
			draws = append(draws, number)
		}
		normal(c, window, number, values)
	}
	made, err := g.newBatch(task, twoSided(2), func() { evaluations++ })
	if err != nil {
		t.Fatal(err)
	}
	j := Job{Task: task, Frames: n, Advance: advance}
	err = Rollout(list(t, j, m.Frames), made.frames(2, Case.past), made.frames(2, Case.future), n,
		func(_ Window, given []Frame) ([]Frame, error) {
			frames, err := made.block(context.Background(), Window{}, given)
			done = append(done, ran{slices.Clone(given), frames, draws})
			draws = nil
			return frames, err
		}, func(int, Frame) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	if want, err := g.NFE(j); err != nil || evaluations != want {
		t.Errorf("%v, %d frames, advance %d: %d evaluations, NFE says %d, %v", task, n, advance, evaluations, want, err)
	}
	return done, evaluations
}

// twoSided is n cases that know both sides.
func twoSided(n int) []Case {
	cases := make([]Case, n)
	for i := range cases {
		cases[i] = Case{Clip: i, Past: rising(100+20*i, 2), Future: rising(125+20*i, 2)}
	}
	return cases
}

// Each window is what the loop makes of the block before with noise added: all of it, in the order
// it was made, to the level of the first label that the start leaves, with a draw of its own.
func TestWindowsStartFromTheBlockBefore(t *testing.T) {
	be := backendtest.Open(t)
	m, store := trained(t, be, config())
	for _, tt := range []struct {
		reference bool
		skip      int // labels below 0.4 times 10, or times 5 by the slip
		level     int
		draws     string // of the windows
	}{
		{false, 2, 10 - 1 - 4, "[0 1 2 3 4] [2 3 4] [2 3 4]"},
		{true, 1, 10 - 1 - 2, "[0 1 2 3 4] [1 2 3 4] [1 2 3 4]"},
	} {
		for _, c := range []struct {
			task       Task
			n, advance int
		}{{Predict, 7, 3}, {Predict, 3, 1}, {Retrodict, 8, 3}, {Retrodict, 5, 2}, {Generate, 9, 3}, {Interpolate, 7, 2}} {
			t.Run(fmt.Sprintf("%v %d frames, advance %d, reference %t", c.task, c.n, c.advance, tt.reference), func(t *testing.T) {
				set := ddpm(0.4, tt.reference)
				list, evaluations := windows(t, be, store, m, set, c.task, c.n, c.advance)
				var draws []string
				g, err := NewGenerator(be, store, m, set, 1, 2, 1)
				if err != nil {
					t.Fatal(err)
				}
				defer g.Close()
				b, err := g.newBatch(c.task, twoSided(2), nil)
				if err != nil {
					t.Fatal(err)
				}
				for k, w := range list {
					draws = append(draws, fmt.Sprint(w.draws))
					steps, skip, x := g.plans.whole, 0, b.normal(0)
					switch {
					case k > 0:
						x = tensors.MustCopyFlatData[float32](b.join(list[k-1].made))
						fallthrough
					case tt.reference:
						steps, skip, x = g.plans.later, tt.skip, sampler.AddNoise(m.Schedule.(*diffusion.Discrete).At(tt.level), x, b.normal(tt.skip))
					}
					cond, err := b.cond(w.given, nil)
					if err != nil {
						t.Fatal(err)
					}
					out, err := b.loop.Run(context.Background(), b.tensor(x), cond, steps, func(step int) *tensors.Tensor { return b.noise(1 + skip + step) }, nil)
					if err != nil {
						t.Fatal(err)
					}
					if want, err := b.split(out); err != nil || !slices.EqualFunc(w.made, want, slices.Equal) {
						t.Errorf("window %d is something else than its start makes", k)
					}
					b.window++
				}
				if got := strings.Join(draws, " "); got != tt.draws {
					t.Errorf("draws %s, want %s", got, tt.draws)
				}
				want := 3 * (6 - tt.skip)
				if !tt.reference {
					want += tt.skip
				}
				if evaluations != want {
					t.Errorf("%d network evaluations, want %d", evaluations, want)
				}
			})
		}
	}
}

// A start that leaves nothing out changes no bit, and one that does none of the first window.
func TestTheFirstWindowIsTheWholePlan(t *testing.T) {
	be := backendtest.Open(t)
	m, store := trained(t, be, config())
	without, _ := windows(t, be, store, m, ddpm(0, false), Predict, 7, 3)
	for _, c := range []configs.Sampler{ddpm(1e-9, false), ddpm(0.4, false), ddpm(0.8, false), ddpm(0.4, true)} {
		got, _ := windows(t, be, store, m, c, Predict, 7, 3)
		for k := range got {
			same := k == 0 && !c.PublishedStart || c.Start < 1e-6
			if slices.EqualFunc(got[k].made, without[k].made, slices.Equal) != same {
				t.Errorf("start %g, reference %t, window %d: want it to be as without a start: %t", c.Start, c.PublishedStart, k, same)
			}
		}
	}
}

// A video does not depend on the batch, and a batch not on the one before it.
func TestStartsOfABatchAreItsOwn(t *testing.T) {
	be := backendtest.Open(t)
	m, store := trained(t, be, config())
	for _, reference := range []bool{false, true} {
		var first []Frame
		for _, batch := range []int{4, 1, 3} {
			g, err := NewGenerator(be, store, m, ddpm(0.4, reference), 1, batch, 1)
			if err != nil {
				t.Fatal(err)
			}
			videos := make([]Frame, 4)
			j := Job{Task: Predict, Frames: 7, Advance: 3}
			calls := 0
			err = g.Run(context.Background(), j, twoSided(4), func(i, _ int, frame Frame) error {
				videos[i] = append(videos[i], frame...)
				return nil
			}, func() { calls++ })
			g.Close()
			if err != nil {
				t.Fatal(err)
			}
			if nfe, err := g.NFE(j); err != nil || calls != nfe*((4+batch-1)/batch) {
				t.Errorf("batch %d: %d network evaluations, NFE says %d a batch, %v", batch, calls, nfe, err)
			}
			if first == nil {
				first = videos
			}
			for i := range videos {
				if d := paritytest.Worst(videos[i], first[i], 1, 0); !(d <= 1e-4) {
					t.Errorf("reference %t, batch %d: video %d differs by %g", reference, batch, i, d)
				}
			}
		}
	}
}

func TestAStartThatLeavesNoStepIsRefused(t *testing.T) {
	be := backendtest.Open(t)
	m, store := trained(t, be, config())
	_, err := NewGenerator(be, store, m, ddpm(0.9, false), 1, 1, 1)
	if want := "sampler.start: 0.9 leaves out all of the 5 sampler.steps, want less"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}
