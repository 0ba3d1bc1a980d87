package sampler

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"mcvd/configs"
	"mcvd/models/backend/backendtest"
	"mcvd/models/diffusion"
)

// once are the samplers that evaluate the network once in each step.
var once = []string{ConsistencyName, "ddim", "ddpm", "dpmpp_2m", "dpmpp_2m_sde", "dpmpp_3m", "dpmpp_3m_sde", "euler", "euler_ancestral", "langevin", "lms", "unipc"}

// If a network sees no other frame, a lag changes nothing: each frame makes the same steps, later. What
// is drawn for frames that wait is not used.
func TestALagDelaysFrames(t *testing.T) {
	b, s := backendtest.Open(t), linear(t)
	const frames = 3
	for _, name := range once {
		of, err := New(configs.Sampler{Name: name, Spacing: "uniform"})
		if err != nil {
			t.Fatal(err)
		}
		plan := planOf(t, s, of, configs.Sampler{Steps: 4, LastDenoise: true, Clip: true})
		rng := rand.New(rand.NewPCG(1, 2))
		draw := func() []float32 { return tensors.MustCopyFlatData[float32](normal(rng, frames)) }
		start := draw()
		var noises [][]float32
		for range plan {
			noises = append(noises, draw())
		}
		block := func(v []float32) *tensors.Tensor {
			return tensors.FromFlatDataAndDimensions(slices.Clone(v), 1, frames, 1, 1, 1)
		}
		loop := loopOf(t, b, of, gaussian(0.5))
		run := func(turns int) []float32 {
			lag, err := NewLag(of, s, configs.Sampler{Name: name, FrameLag: turns})
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			evaluations := 0
			out, err := loop.Lagged(lag).Run(context.Background(), block(start), nil, plan, func(turn int) *tensors.Tensor {
				z := make([]float32, frames)
				for k := range z {
					if step := turn - k*turns; step >= 0 && step < len(plan) {
						z[k] = noises[step][k]
					} else {
						z[k] = float32(math.NaN())
					}
				}
				return block(z)
			}, func() { evaluations++ })
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if want := NFE(plan) + (frames-1)*turns; evaluations != want || lag.NFE(plan, frames) != want {
				t.Errorf("%s, lag %d: %d evaluations, %d are announced, want %d", name, turns, evaluations, lag.NFE(plan, frames), want)
			}
			return tensors.MustCopyFlatData[float32](out)
		}
		want := run(0)
		for _, turns := range []int{1, 2, len(plan) + 3} {
			for k, got := range run(turns) {
				if !(math.Abs(float64(got-want[k])) <= 1e-6) {
					t.Errorf("%s, lag %d: frame %d ends at %g, without a lag at %g", name, turns, k, got, want[k])
				}
			}
		}
	}
}

// In turn m, the network is told of frame k the (m - k lag)-th level: the noisiest before its first
// step, the least noisy of the schedule after its last.
func TestThePyramidOfLevels(t *testing.T) {
	b, s := backendtest.Open(t), linear(t)
	const frames, turns, steps = 3, 2, 4
	lag, err := NewLag(DDIM{}, s, configs.Sampler{Name: "ddim", FrameLag: turns})
	if err != nil {
		t.Fatal(err)
	}
	loop := loopOf(t, b, DDIM{}, gaussian(1)).Lagged(lag)
	plan := planOf(t, s, DDIM{}, configs.Sampler{Steps: steps, Clip: true})
	const moves, bound, label = 0, 1, 4
	for turn := range steps + (frames-1)*turns {
		table := loop.packTurn(plan, turn, frames)
		values, width := tensors.MustCopyFlatData[float32](table), table.Shape().Dimensions[1]
		for k := range frames {
			at := turn - k*turns
			told, moving := s.At(0).Label, float32(0)
			switch {
			case at < 0:
				told = s.At(999).Label
			case at < steps:
				told, moving = float64(s.Label(999-250*at)), 1
			}
			row := values[k*width : (k+1)*width]
			if row[label] != float32(told) || row[moves] != moving || row[bound] != 1 {
				t.Errorf("turn %d: of frame %d the network is told %g, it moves %g, want %g and %g", turn, k, row[label], row[moves], told, moving)
			}
		}
	}
}

// Frames can't follow each other through steps of several evaluations.
func TestSamplersThatCanNotLag(t *testing.T) {
	refused := 0
	for _, name := range Names() {
		s, err := New(configs.Sampler{Name: name, Spacing: "uniform"})
		if err != nil {
			t.Fatal(err)
		}
		_, err = NewLag(s, linear(t), configs.Sampler{Name: name, FrameLag: 2})
		if slices.Contains(once, name) {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		refused++
		want := "sampler.frame_lag: 2, want 0, because " + name + " evaluates the network"
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %s", name, err, want)
		}
		if _, err := NewLag(s, linear(t), configs.Sampler{Name: name}); err != nil {
			t.Errorf("%s without a lag: %v", name, err)
		}
	}
	if refused < 5 {
		t.Errorf("only %d samplers are refused", refused)
	}
}

// A turn asks for noise if a frame that moves in it stays noisy.
func TestNoiseOfATurn(t *testing.T) {
	s := linear(t)
	plan := planOf(t, s, DDPM{}, configs.Sampler{Steps: 3})
	lag := Lag{Turns: 5, Rest: diffusion.Level{}}
	var noisy []bool
	for turn := range lag.turns(plan, 2) {
		noisy = append(noisy, lag.noisy(plan, turn, 2))
	}
	if want := []bool{true, true, false, false, false, true, true, false}; !slices.Equal(noisy, want) {
		t.Errorf("turns ask for noise: %v, want %v", noisy, want)
	}
}

// tally counts its steps in its history.
type tally struct{ DDIM }

func (tally) History() int { return 1 }

func (tally) StepGraph(_ Denoiser, in State, _ CoefNodes) (*Node, []*Node) {
	steps := AddScalar(in.History[0], 1)
	return steps, []*Node{steps}
}

// The history of a frame is zeros at its first step, and changes only with its steps.
func TestFramesThatWaitKeepTheirHistory(t *testing.T) {
	b, s := backendtest.Open(t), linear(t)
	plan := planOf(t, s, DDIM{}, configs.Sampler{Steps: 4})
	x := tensors.FromFlatDataAndDimensions([]float32{9, 9, 9}, 1, 3, 1, 1, 1)
	out, err := loopOf(t, b, tally{}, gaussian(1)).Lagged(Lag{Turns: 2, Rest: s.At(0)}).Run(context.Background(), x, nil, plan, noNoise, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := tensors.MustCopyFlatData[float32](out); !slices.Equal(got, []float32{4, 4, 4}) {
		t.Errorf("the frames count %v steps, want 4 each", got)
	}
}
