package sampler

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"mcvd/configs"
	"mcvd/models/backend/backendtest"
	"mcvd/models/diffusion"
)

// sampleFrom runs a plan without its first moves.
func sampleFrom(t *testing.T, b compute.Backend, s Sampler, plan []Step, d Denoiser, x []float32, from int, noise func(int) *tensors.Tensor) (values []float32, steps int) {
	t.Helper()
	loop, err := NewLoop(on(t, b), model.NewStore(), s, plan, func(*model.Scope, []*Node) Denoiser { return d })
	if err != nil {
		t.Fatal(err)
	}
	defer loop.Close()
	out, err := loop.Run(context.Background(), clip(x), nil, from, noise, func() { steps++ })
	if err != nil {
		t.Fatal(err)
	}
	return tensors.MustCopyFlatData[float32](out), steps
}

func startOf(t *testing.T, s *diffusion.Schedule, plan []Step, c configs.Sampler) int {
	t.Helper()
	from, err := Start(s, plan, c)
	if err != nil {
		t.Fatal(err)
	}
	return from
}

func TestAStartLeavesOutTheNoisiestShare(t *testing.T) {
	s := linear(t)
	for _, tt := range []struct {
		steps     int
		start     float64
		reference bool
		want      int
	}{
		{100, 0, false, 0}, {100, 1e-4, false, 1}, {100, 0.4, false, 40}, {100, 0.07, false, 7}, {100, 0.071, false, 8},
		{10, 0.4, false, 4}, {10, 0.9, false, 9}, {7, 0.5, false, 4}, {1000, 0.4, false, 400},
		{100, 0.4, true, 4}, {10, 0.4, true, 1}, {10, 0.99, true, 1}, {100, 0.41, true, 5}, {1000, 0.4, true, 400},
	} {
		for _, last := range []bool{false, true} {
			c := configs.Sampler{Steps: tt.steps, Start: tt.start, ReferenceStart: tt.reference, LastDenoise: last}
			plan := planOf(t, s, c)
			got := startOf(t, s, plan, c)
			if got != tt.want {
				t.Errorf("%+v: %d moves are left out", tt, got)
			}
			if reach := tt.start * 1000; !tt.reference && (float64(s.Label(plan[got].T)) < reach-1e-6 || got > 0 && float64(s.Label(plan[got-1].T)) >= reach) {
				t.Errorf("%+v: the first label is %d", tt, s.Label(plan[got].T))
			}
		}
	}
	for _, c := range []configs.Sampler{{Steps: 10, Start: 0.95}, {Steps: 10, Start: 0.95, LastDenoise: true}, {Steps: 1, Start: 0.1, ReferenceStart: true}} {
		_, err := Start(s, planOf(t, s, c), c)
		if want := fmt.Sprintf("sampler.start: %g leaves out all of the %d sampler.steps, want less", c.Start, c.Steps); err == nil || err.Error() != want {
			t.Errorf("%+v: error %v, want %s", c, err, want)
		}
	}
}

// A run that starts at a level makes what the rest of the plan makes of that level, bit for bit, and asks for the noise of its steps only.
func TestARunFromALevelIsTheRestOfThePlan(t *testing.T) {
	const std = 0.25
	b, s := backendtest.Open(t), linear(t)
	for _, sampler := range []Sampler{DDIM{}, DDIM{Eta: 0.5}, DDPM{}} {
		for _, last := range []bool{false, true} {
			name := fmt.Sprintf("%T%+v, last denoise %t", sampler, sampler, last)
			plan := planOf(t, s, configs.Sampler{Steps: 10, LastDenoise: last})
			draws := make([][]float32, len(plan))
			rng := rand.New(rand.NewPCG(1, 2))
			for i := range draws {
				draws[i] = tensors.MustCopyFlatData[float32](normal(rng, 6))
			}
			x := []float32{0.1, -2, 3, 0, 1, 0.5}
			for from := range 10 {
				var asked []int
				got, steps := sampleFrom(t, b, sampler, plan, gaussian(s, std), x, from, func(step int) *tensors.Tensor {
					asked = append(asked, step)
					return clip(draws[step])
				})
				want, _ := sampleFrom(t, b, sampler, plan[from:], gaussian(s, std), x, 0, func(step int) *tensors.Tensor { return clip(draws[from+step]) })
				if !slices.Equal(got, want) {
					t.Errorf("%s, from %d: %v, want %v", name, from, got, want)
				}
				if steps != len(plan)-from {
					t.Errorf("%s, from %d: %d evaluations, want %d", name, from, steps, len(plan)-from)
				}
				var noisy []int
				for i := from; sampler.Noisy() && i < 9; i++ {
					noisy = append(noisy, i)
				}
				if !slices.Equal(asked, noisy) {
					t.Errorf("%s, from %d: noise asked for in steps %v, want %v", name, from, asked, noisy)
				}
			}
		}
	}
}

// Frames of the data's distribution, noised to a level, are distributed there as the whole plan's are, so that what the rest of the plan makes of
// them has the data's variance as well as the whole plan's result has: exactly the product of the steps' factors (DDIM), or their recursion
// (DDPM), from the variance at that level on. Drawing 80000 values is the only source of error.
func TestNoisedGaussianDataComeBackAsTheyWere(t *testing.T) {
	const std, n = 0.25, 80000
	b, s := backendtest.Open(t), linear(t)
	for name, sampler := range map[string]Sampler{"ddim": DDIM{}, "ddpm": DDPM{}} {
		for _, start := range []float64{0.1, 0.4, 0.8} {
			c := configs.Sampler{Steps: 100, Start: start}
			plan := planOf(t, s, c)
			from := startOf(t, s, plan, c)
			rng := rand.New(rand.NewPCG(1, uint64(from)))
			draw := func(int) *tensors.Tensor { return normal(rng, n) }
			data := tensors.MustCopyFlatData[float32](draw(0))
			for i := range data {
				data[i] *= std
			}
			x := AddNoise(plan[from].From, data, tensors.MustCopyFlatData[float32](draw(0)))
			level := plan[from].From
			want := level.Signal*level.Signal*std*std + level.Noise*level.Noise
			if got := variance(x); !(math.Abs(got/want-1) <= 0.01) {
				t.Errorf("start %g: variance %g at the level, want %g", start, got, want)
			}
			for i, step := range plan[from:] {
				k := sampler.Coefs(plan, from+i)
				x0 := (1 - step.From.Noise*slope(step.From, std)) / step.From.Signal
				factor, sigma := k[2]*x0+k[3], k[4] // DDPM: of x0 and of x
				if name == "ddim" {
					factor = k[2]*x0 + k[3]*slope(step.From, std) // of x0 and of eps
				}
				want = factor*factor*want + sigma*sigma
			}
			out, _ := sampleFrom(t, b, sampler, plan, gaussian(s, std), x, from, draw)
			whole, _ := sampleFrom(t, b, sampler, plan, gaussian(s, std), tensors.MustCopyFlatData[float32](draw(0)), 0, draw)
			got := variance(out)
			if !(math.Abs(got/want-1) <= 0.01) {
				t.Errorf("%s, start %g: variance %g, want %g", name, start, got, want)
			}
			// The plan's own error, that of 100 steps, is smaller the fewer of them are made.
			if off, of := math.Abs(got-std*std), math.Abs(variance(whole)-std*std); !(off <= of+0.01*std*std) {
				t.Errorf("%s, start %g: variance %g is further from the data's %g than the whole plan's %g", name, start, got, std*std, variance(whole))
			}
			t.Logf("%s, start %g: variance %.6f, of the recursion %.6f, of the whole plan %.6f, of the data %.6f", name, start, got, want, variance(whole), std*std)
		}
	}
}

func TestAddNoiseOnTheHostIsThatOfTheGraph(t *testing.T) {
	b, s := backendtest.Open(t), linear(t)
	frames, noise := []float32{1, -0.5, 0, 3}, []float32{2, 1, -1, 0.25}
	if got := AddNoise(diffusion.Level{Signal: 0.6, Noise: 0.8}, frames, noise); !(math.Abs(float64(got[0])-2.2) <= 1e-6) {
		t.Errorf("0.6 of 1 and 0.8 of 2 are %g, want 2.2", got[0])
	}
	for _, step := range []int{0, 400, 999} {
		level := s.Level(step)
		want, err := CallOnce(b, func(x0, eps *Node) *Node {
			return diffusion.AddNoise(x0, eps, Scalar(x0.Graph(), x0.DType(), level.Signal), Scalar(x0.Graph(), x0.DType(), level.Noise))
		}, frames, noise)
		if err != nil {
			t.Fatal(err)
		}
		got := AddNoise(level, frames, noise)
		for i, w := range tensors.MustCopyFlatData[float32](want) {
			if !(math.Abs(float64(got[i]-w)) <= 1e-6) {
				t.Errorf("t = %d, value %d: %g, the graph makes %g", step, i, got[i], w)
			}
		}
	}
}

// Only the timestep of the last denoising differs: its label is the number of the last step.
func TestTheReferenceLabelOfTheLastDenoising(t *testing.T) {
	s := linear(t)
	for _, steps := range []int{1, 7, 10, 100, 1000} {
		c := configs.Sampler{Steps: steps, Clip: true, LastDenoise: true}
		want := planOf(t, s, c)
		c.ReferenceLastDenoiseLabel = true
		got := planOf(t, s, c)
		if label := s.Label(got[steps].T); label != steps-1 {
			t.Errorf("%d steps: the last denoising has the label %d, want %d", steps, label, steps-1)
		}
		if steps == 1000 && got[steps].T != want[steps].T {
			t.Errorf("without levels left out the two labels are the same, got t = %d and %d", got[steps].T, want[steps].T)
		}
		if got[steps].T = want[steps].T; !slices.Equal(got, want) {
			t.Errorf("%d steps: more than the timestep of the last denoising changed", steps)
		}
	}
}
