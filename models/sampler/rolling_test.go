package sampler

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	"mcvd/configs"
	"mcvd/models/backend/backendtest"
)

// If a network sees no other frame, a block that rolls on makes of each frame of a video what its steps
// make of it without a lag, from the same noise.
func TestRollingMakesEachFrameByItsSteps(t *testing.T) {
	b, s := backendtest.Open(t), linear(t)
	const block, video = 3, 7
	rng := rand.New(rand.NewPCG(1, 2))
	for _, name := range once {
		of, err := New(configs.Sampler{Name: name, Spacing: "uniform"})
		if err != nil {
			t.Fatal(err)
		}
		plan := planOf(t, s, of, configs.Sampler{Steps: 4, LastDenoise: true, Clip: true})
		start := tensors.MustCopyFlatData[float32](normal(rng, video+block))
		noises := make([][]float32, len(plan))
		for i := range noises {
			noises[i] = tensors.MustCopyFlatData[float32](normal(rng, video+block))
		}
		tensor := func(v []float32) *tensors.Tensor {
			return tensors.FromFlatDataAndDimensions(slices.Clone(v), 1, len(v), 1, 1, 1)
		}
		loop := loopOf(t, b, of, gaussian(0.5))
		out, err := loop.Run(context.Background(), tensor(start), nil, plan, func(step int) *tensors.Tensor { return tensor(noises[step]) }, nil)
		if err != nil {
			t.Fatal(err)
		}
		want := tensors.MustCopyFlatData[float32](out)
		n := len(plan)
		for _, kind := range []struct{ turns, by int }{{(n + 2) / 3, 1}, {(n + 1) / 2, 2}, {n - 1, 1}, {n + 2, 1}, {n, 3}} {
			lag, err := NewLag(of, s, configs.Sampler{Name: name, FrameLag: kind.turns})
			if err != nil {
				t.Fatal(err)
			}
			if err := lag.CheckRolling(plan, block, kind.by); err != nil {
				t.Fatal(err)
			}
			state, lagged := Rolling{tensor(start[:block])}, loop.Lagged(lag)
			for at := 0; at+block <= len(start) && at < video; at += kind.by {
				if at > 0 {
					if state, err = state.Move(kind.by, tensor(start[at:at+block])); err != nil {
						t.Fatal(err)
					}
				}
				from, to := lag.Rolled(plan, kind.by, at > 0)
				evaluations := 0
				state, err = lagged.Roll(context.Background(), state, from, to, nil, plan, func(turn int) *tensors.Tensor {
					z := make([]float32, block)
					for k := range z {
						if step := turn - k*kind.turns; step >= 0 && step < len(plan) {
							z[k] = noises[step][at+k]
						} else {
							z[k] = float32(math.NaN())
						}
					}
					return tensor(z)
				}, func() { evaluations++ })
				if err != nil {
					t.Fatal(err)
				}
				if evaluations != to-from {
					t.Errorf("%s: %d evaluations from turn %d to %d", name, evaluations, from, to)
				}
				for k, got := range tensors.MustCopyFlatData[float32](state[0])[:kind.by] {
					if !(math.Abs(float64(got-want[at+k])) <= 1e-6) {
						t.Errorf("%s, lag %d, on by %d: frame %d ends at %g, without a lag at %g", name, kind.turns, kind.by, at+k, got, want[at+k])
					}
				}
			}
		}
	}
}

// New frames must be pure noise when they come in.
func TestLagsWithWhichABlockCanNotRoll(t *testing.T) {
	plan := planOf(t, linear(t), DDIM{}, configs.Sampler{Steps: 10})
	for _, tt := range []struct{ turns, by, least int }{{1, 1, 2}, {0, 1, 2}, {2, 2, 3}, {9, 5, 10}} {
		err := Lag{Turns: tt.turns}.CheckRolling(plan, 5, tt.by)
		if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("want %d or more", tt.least)) {
			t.Errorf("lag %d, on by %d: error %v, want %d or more", tt.turns, tt.by, err, tt.least)
		}
		if err := (Lag{Turns: tt.least}).CheckRolling(plan, 5, tt.by); err != nil {
			t.Errorf("lag %d, on by %d: %v", tt.least, tt.by, err)
		}
	}
}

// Each clip of a batch moves on by itself, and what is remembered comes along.
func TestABlockMovesOn(t *testing.T) {
	five := func(values ...float32) *tensors.Tensor {
		return tensors.FromFlatDataAndDimensions(values, 2, 3, 1, 1, 1)
	}
	moved, err := Rolling{five(1, 2, 3, 4, 5, 6), five(10, 20, 30, 40, 50, 60)}.Move(2, five(-1, -2, -3, -4, -5, -6))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range [][]float32{{3, -2, -3, 6, -5, -6}, {30, 0, 0, 60, 0, 0}} {
		if got := tensors.MustCopyFlatData[float32](moved[i]); !slices.Equal(got, want) {
			t.Errorf("tensor %d is %v, want %v", i, got, want)
		}
	}
}
