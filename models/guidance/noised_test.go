package guidance

import (
	"slices"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"

	"mcvd/configs"
	"mcvd/models/backend/backendtest"
)

func historyOf(o configs.Options) configs.Guidance {
	return configs.Guidance{Name: "history", Options: o}
}

// Fractional history guidance is D(past) + (scale - 1) (D(noised past) - D(none)), and each branch has
// at least the noise of its window.
func TestBranchesOfFractionalHistory(t *testing.T) {
	p, err := New(historyOf(configs.Options{"scale": 2.5, "noise": 0.5, "stabilize": 0.25}), frames)
	if err != nil {
		t.Fatal(err)
	}
	none := []bool{false, false, true}
	want := []branch{{everything(frames), 1, 0}, {everything(frames), 1.5, 0.5}, {none, -1.5, 0}}
	if !slices.EqualFunc(p.all, want, func(a, b branch) bool {
		return slices.Equal(a.visible, b.visible) && a.weight == b.weight && a.noise == b.noise
	}) {
		t.Errorf("branches %v, want %v", p.all, want)
	}
	if p.widest() != 0 || p.Evaluations() != 3 || p.unit != 1.5 {
		t.Errorf("widest %d, %d evaluations, unit %g", p.widest(), p.Evaluations(), p.unit)
	}
	got := backendtest.Run(t, func(in []*Node) []*Node { return []*Node{p.PastNoise(in[0])} }, []float32{0, 0.25, 0.75})[0]
	if want := []float32{0, 0.5, 0, 0.25, 0.5, 0.25, 0.75, 0.75, 0.75}; !slices.Equal(got, want) {
		t.Errorf("levels %v, want %v", got, want)
	}
}

// A scale of 1 has no branch with noise, and level 0 has those of vanilla guidance, with their weights
// to the bit.
func TestNoNoiseIsVanillaHistory(t *testing.T) {
	for _, scale := range []float64{0, 0.3, 1, 1.3, 2.7} {
		vanilla, err := New(historyOf(configs.Options{"scale": scale}), frames)
		if err != nil {
			t.Fatal(err)
		}
		zero, err := New(historyOf(configs.Options{"scale": scale, "noise": 0.0, "stabilize": 0.0}), frames)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.EqualFunc(vanilla.all, zero.all, func(a, b branch) bool {
			return slices.Equal(a.visible, b.visible) && a.weight == b.weight && b.noise == 0
		}) {
			t.Errorf("scale %g: branches %v, want %v", scale, zero.all, vanilla.all)
		}
		if scale != 0 && zero.all[0].weight != scale {
			t.Errorf("scale %g: the whole past has the weight %g", scale, zero.all[0].weight)
		}
		if scale == 1 && len(zero.all) != 1 {
			t.Errorf("scale 1 has branches %v", zero.all)
		}
	}
	if p, err := New(historyOf(configs.Options{"scale": 1.0, "noise": 0.5}), frames); err != nil || len(p.all) != 1 || p.all[0].noise != 0 || p.Acts(true, true) {
		t.Errorf("scale 1: branches %v, error %v, want the network as it is", p.all, err)
	}
}

// Noise in a branch that a scale of 1 leaves out has no effect, which is said where settings are read.
func TestNoiseBesideAScaleOfOneHasNoEffect(t *testing.T) {
	for scale, want := range map[float64]int{1: 1, 1.5: 0} {
		if p := (History{Scale: scale, Noised: Noised{Noise: 0.5}, Adjust: plain}).check(frames); len(p) != want {
			t.Errorf("scale %g: problems %v, want %d", scale, p, want)
		}
	}
}

// Noise acts where the task shows the past, and a network that isn't told of it is refused.
func TestNoiseOfThePast(t *testing.T) {
	for option, o := range map[string]configs.Options{
		"noise":     {"scale": 2.0, "noise": 0.5},
		"stabilize": {"scale": 1.0, "stabilize": 0.125},
		"":          {"scale": 2.0},
	} {
		p, err := New(historyOf(o), frames)
		if err != nil {
			t.Fatal(err)
		}
		if !p.Acts(true, true) || p.Acts(false, true) || p.Noises() != (option != "") {
			t.Errorf("%v: acts %t with the past and %t without, noises %t", o, p.Acts(true, true), p.Acts(false, true), p.Noises())
		}
		err = p.ChecksClean().Err()
		if option == "" && err != nil || option != "" && (err == nil || !strings.HasPrefix(err.Error(), "sampler.guidance.options."+option+": ")) {
			t.Errorf("%v: error %v", o, err)
		}
	}
}
