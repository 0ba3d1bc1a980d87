package sampler

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"mcvd/configs"
	"mcvd/models/backend/backendtest"
	"mcvd/models/diffusion"
)

func startOf(t *testing.T, s diffusion.Schedule, c configs.Sampler) int {
	t.Helper()
	from, err := Start(s, levelsOf(t, s, c), c)
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
			c := configs.Sampler{Steps: tt.steps, Start: tt.start, PublishedStart: tt.reference, LastDenoise: last}
			levels := levelsOf(t, s, c)
			got := startOf(t, s, c)
			if got != tt.want {
				t.Errorf("%+v: %d levels are left out", tt, got)
			}
			if reach := tt.start * 1000; !tt.reference && (levels[got].Label < reach-1e-6 || got > 0 && levels[got-1].Label >= reach) {
				t.Errorf("%+v: the first label is %g", tt, levels[got].Label)
			}
		}
	}
	for _, c := range []configs.Sampler{{Steps: 10, Start: 0.95}, {Steps: 10, Start: 0.95, LastDenoise: true}, {Steps: 1, Start: 0.1, PublishedStart: true}} {
		_, err := Start(s, levelsOf(t, s, c), c)
		if want := fmt.Sprintf("sampler.start: %g leaves out all of the %d sampler.steps, want less", c.Start, c.Steps); err == nil || err.Error() != want {
			t.Errorf("%+v: error %v, want %s", c, err, want)
		}
	}
}

// The steps from a later level on are those of the levels that are left: a sampler with history
// begins anew there. For samplers without one they are the last of the whole run's.
func TestARunFromALevelIsTheRestOfThePlan(t *testing.T) {
	const std = 0.25
	b, s := backendtest.Open(t), linear(t)
	for _, sampler := range []Sampler{DDIM{}, DDIM{Eta: 0.5}, DDPM{}, Heun{}} {
		for _, last := range []bool{false, true} {
			c := configs.Sampler{Steps: 10, LastDenoise: last}
			whole := planOf(t, s, sampler, c)
			for from := range 10 {
				rest := Plan(sampler, s, levelsOf(t, s, c)[from:], c)
				if !reflect.DeepEqual(rest, whole[from:]) {
					t.Errorf("%T%+v, last denoise %t, from %d: %+v, want the end of the whole run's", sampler, sampler, last, from, rest)
				}
			}
		}
	}
	// A multistep solver's first step from level 4 on is of first order; with the moves left out in
	// view it would be of second.
	c := configs.Sampler{Steps: 10}
	rest := Plan(DPMSolver2M{}, s, levelsOf(t, s, c)[4:], c)
	if k := (DPMSolver2M{}).Coefs(rest, 0); k["before"] != 0 {
		t.Errorf("the first step has a weight of %g for frames that nobody predicted", k["before"])
	}
	x := 1.0
	history := 0.0
	for i, step := range rest {
		k := DPMSolver2M{}.Coefs(rest, i)
		x0 := x * (1 - step.From.Noise*slope(step.From, std)) / step.From.Signal
		x, history = k["x"]*x+k["now"]*x0+k["before"]*history, x0
	}
	got := sample(t, b, DPMSolver2M{}, rest, gaussian(std), clip([]float32{1}), noNoise)[0]
	if !(math.Abs(float64(got)-x) <= 1e-5) {
		t.Errorf("from level 4 on: %g, want %g", got, x)
	}
}

// Frames of the data's distribution, noised to a level, are distributed there as the whole plan's
// are, so that what the rest of the plan makes of them has the data's variance as well as the whole
// plan's result has: exactly the product of the steps' factors (DDIM), or their recursion (DDPM),
// from the variance at that level on. Drawing 80000 values is the only source of error.
func TestNoisedGaussianDataComeBackAsTheyWere(t *testing.T) {
	const std, n = 0.25, 80000
	b, s := backendtest.Open(t), linear(t)
	for name, sampler := range map[string]Sampler{"ddim": DDIM{}, "ddpm": DDPM{}} {
		for _, start := range []float64{0.1, 0.4, 0.8} {
			c := configs.Sampler{Steps: 100, Start: start}
			from := startOf(t, s, c)
			levels := levelsOf(t, s, c)
			rest := Plan(sampler, s, levels[from:], c)
			rng := rand.New(rand.NewPCG(1, uint64(from)))
			draw := func(int) *tensors.Tensor { return normal(rng, n) }
			data := tensors.MustCopyFlatData[float32](draw(0))
			for i := range data {
				data[i] *= std
			}
			level := levels[from]
			x := AddNoise(level, data, tensors.MustCopyFlatData[float32](draw(0)))
			want := level.Signal*level.Signal*std*std + level.Noise*level.Noise
			if got := variance(x); !(math.Abs(got/want-1) <= 0.01) {
				t.Errorf("start %g: variance %g at the level, want %g", start, got, want)
			}
			for i, step := range rest {
				k := sampler.Coefs(rest, i)
				x0 := (1 - step.From.Noise*slope(step.From, std)) / step.From.Signal
				factor := k["x0"]*x0 + k["x"] // DDPM
				if name == "ddim" {
					factor = k["signal"]*x0 + k["direction"]*slope(step.From, std)
				}
				want = factor*factor*want + k["sigma"]*k["sigma"]
			}
			got := variance(sample(t, b, sampler, rest, gaussian(std), clip(x), draw))
			whole := variance(sample(t, b, sampler, Plan(sampler, s, levels, c), gaussian(std), draw(0), draw))
			if !(math.Abs(got/want-1) <= 0.01) {
				t.Errorf("%s, start %g: variance %g, want %g", name, start, got, want)
			}
			// The plan's own error, that of 100 steps, is smaller the fewer of them are made.
			if off, of := math.Abs(got-std*std), math.Abs(whole-std*std); !(off <= of+0.01*std*std) {
				t.Errorf("%s, start %g: variance %g is further from the data's %g than the whole plan's %g", name, start, got, std*std, whole)
			}
			t.Logf("%s, start %g: variance %.6f, of the recursion %.6f, of the whole plan %.6f, of the data %.6f", name, start, got, want, whole, std*std)
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
		level := s.At(step)
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

// Only the label of the last denoising differs: it is the number of the last step.
func TestTheReferenceLabelOfTheLastDenoising(t *testing.T) {
	s := linear(t)
	for _, steps := range []int{1, 7, 10, 100, 1000} {
		c := configs.Sampler{Steps: steps, Clip: true, LastDenoise: true}
		want := planOf(t, s, DDIM{}, c)
		c.PublishedLastDenoiseLabel = true
		got := planOf(t, s, DDIM{}, c)
		if label := got[steps].At[0].Label; label != float64(steps-1) {
			t.Errorf("%d steps: the last denoising has the label %g, want %d", steps, label, steps-1)
		}
		if steps == 1000 && !reflect.DeepEqual(got, want) {
			t.Error("without levels left out the two labels are not the same")
		}
		got[steps].At[0].Label, got[steps].From.Label = want[steps].At[0].Label, want[steps].From.Label
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%d steps: more than the label of the last denoising changed", steps)
		}
	}
}
