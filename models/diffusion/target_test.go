package diffusion

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"mcvd/configs"
	"mcvd/models/backend/backendtest"
)

// process is that of a target, on the standard schedule.
func process(t *testing.T, change func(*configs.Diffusion)) *Process {
	t.Helper()
	c := configs.Default().Diffusion
	change(&c)
	p, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// A network that says what it should is right about x0 and eps, at every level of every kind of
// process.
func TestWhatANetworkShouldSayLeadsBackToX0AndEps(t *testing.T) {
	for name, target := range targets {
		p := process(t, func(*configs.Diffusion) {})
		p.Target = target
		for _, l := range []Level{{Signal: 0.6, Noise: 0.8}, {Signal: 0.999, Noise: 0.0447}, {Signal: 1, Noise: 3}, {Signal: 0.25, Noise: 0.75}} {
			out := backendtest.Run(t, func(in []*Node) []*Node {
				nodes := TableNodes(in[2])
				xt := AddNoise(in[0], in[1], nodes.Signal, nodes.Noise)
				said := target.Predict(xt, target.FGraph(in[0], in[1], nodes), nodes)
				return []*Node{in[0], in[1], said.X0, said.Eps}
			}, wave(1.7, 1, 2, 2, 2, 1), wave(2.3, 1, 2, 2, 2, 1), tensors.FromFlatDataAndDimensions(p.Table([]Level{l}), 1, 1, Columns))
			for i, want := range out[:2] {
				if d := distance(out[2+i], want); !(d <= 5e-5) {
					t.Errorf("%s at %+v: form %d differs by %g", name, l, i, d)
				}
			}
		}
	}
}

// The rows of the table are the definitions of the papers: F as a combination of x0 and eps.
func TestTargetsAreTheirDefinitions(t *testing.T) {
	for name, f := range map[string]func(l Level) (ofX0, ofEps float64){
		"eps":  func(Level) (float64, float64) { return 0, 1 },
		"x0":   func(Level) (float64, float64) { return 1, 0 },
		"v":    func(l Level) (float64, float64) { return -l.Noise, l.Signal },
		"flow": func(Level) (float64, float64) { return -1, 1 },
	} {
		for _, l := range []Level{{Signal: 0.6, Noise: 0.8}, {Signal: 0.25, Noise: 0.75}, {Signal: 0.9999, Noise: math.Sqrt(1 - 0.9999*0.9999)}} {
			ofX0, ofEps := targets[name].F(l)
			wantX0, wantEps := f(l)
			if !(math.Abs(ofX0-wantX0) <= 1e-9) || !(math.Abs(ofEps-wantEps) <= 1e-9) {
				t.Errorf("%s at %+v: F = %g x0 + %g eps, want %g and %g", name, l, ofX0, ofEps, wantX0, wantEps)
			}
		}
	}
}

// EDM's network is given inputs, and asked for outputs, of variance 1 at any level (Karras et al.
// 2022, section 5).
func TestTheFormOfEDMHasUnitVariance(t *testing.T) {
	const data = 0.5
	for _, l := range []Level{{Signal: 1, Noise: 0.02}, {Signal: 1, Noise: 5}, {Signal: 0.6, Noise: 0.8}} {
		in, _, _ := targets["edm"].Scale(l)
		ofX0, ofEps := targets["edm"].F(l)
		if got := in * math.Hypot(l.Signal*data, l.Noise); !(math.Abs(got-1) <= 1e-12) {
			t.Errorf("%+v: inputs of standard deviation %g, want 1", l, got)
		}
		if got := math.Hypot(ofX0*data, ofEps); !(math.Abs(got-1) <= 1e-12) {
			t.Errorf("%+v: outputs of standard deviation %g, want 1", l, got)
		}
	}
}

func TestWithoutSignalThereIsNoEps(t *testing.T) {
	for _, target := range Targets() {
		c := configs.Default().Diffusion
		c.Target, c.Options = target, configs.Options{"beta_end": 1}
		p, err := New(c)
		if target == "eps" {
			if err == nil || !strings.Contains(err.Error(), "diffusion.target: eps can't be learned at the noisiest level of this schedule, which has signal 0") {
				t.Errorf("eps: error %v, want one about the noisiest level", err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", target, err)
			continue
		}
		for i, x := range p.Row(p.Schedule.Level(1)) {
			if math.IsNaN(x) || math.IsInf(x, 0) {
				t.Errorf("%s: number %d of the level without signal is %g", target, i, x)
			}
		}
	}
}

func TestUnknownNamesOfAProcessAreReportedTogether(t *testing.T) {
	_, err := New(configs.Diffusion{Schedule: "a", Target: "b", Loss: "c", Weight: "d", Levels: "e", FrameLevels: "f"})
	for _, want := range []string{`diffusion.schedule: unknown "a"`, `diffusion.target: unknown "b"`, `diffusion.loss: unknown "c"`,
		`diffusion.weight: unknown "d"`, `diffusion.levels: unknown "e"`,
		`diffusion.frame_levels: unknown "f"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

// Weights are of the loss of F: with x0's, errors of x0 count the same whatever the target; min-SNR
// bounds what SNR gives.
func TestWeightsCountErrorsOfX0(t *testing.T) {
	l := Level{Signal: 0.6, Noise: 0.8}
	snr := 0.36 / 0.64
	for name, target := range targets {
		_, _, out := target.Scale(l)
		for weight, want := range map[string]float64{"simple": 1, "x0": out * out, "min_snr": snr * out * out, "eps": snr * out * out,
			"v": out * out / 0.64, "p2": 0.36 * out * out, "edm": (snr + 4) * out * out, "truncated_snr": out * out} {
			if got := weights[weight].of(l, target); !(math.Abs(got-want) <= 1e-12) {
				t.Errorf("%s of %s: %g, want %g", weight, name, got, want)
			}
		}
	}
	clean := Level{Signal: 0.99, Noise: math.Sqrt(1 - 0.99*0.99)} // SNR 49
	if got := weights["min_snr"].of(clean, targets["x0"]); !(math.Abs(got-5) <= 1e-12) {
		t.Errorf("min-SNR of x0 at a signal-to-noise ratio of 49 is %g, want 5", got)
	}
	if got := weights["truncated_snr"].of(clean, targets["x0"]); !(math.Abs(got-math.Exp(clean.LogSNR())) <= 1e-12) {
		t.Errorf("truncated SNR of x0 at a signal-to-noise ratio of 49 is %g, want that", got)
	}
	if got := weights["truncated_snr"].of(Level{Noise: 1}, targets["v"]); got != 1 {
		t.Errorf("truncated SNR of v without any signal is %g, want 1", got)
	}
	if len(Weights()) != 8 {
		t.Errorf("weights %v are not all tested here", Weights())
	}
}

// Each way of drawing levels covers the schedule evenly; a batch of low discrepancy has one level
// in each part of it.
func TestLevelsAreDrawnEvenly(t *testing.T) {
	const batch, parts = 50, 10
	for _, name := range []string{"uniform", "low_discrepancy", "antithetic"} {
		p := process(t, func(c *configs.Diffusion) { c.Levels = name })
		rng := rand.New(rand.NewPCG(1, 2))
		counts := make([]float64, parts)
		const batches = 400
		for range batches {
			each := make([]int, parts)
			for _, l := range p.Draw(rng, batch, 3) {
				part := int(l.Label) * parts / p.Schedule.Steps()
				counts[part]++
				each[part]++
			}
			for part, n := range each {
				if name == "low_discrepancy" && (n < batch/parts-1 || n > batch/parts+1) {
					t.Fatalf("%s: %d of a batch of %d are in part %d, want %d", name, n, batch, part, batch/parts)
				}
			}
		}
		for part, n := range counts {
			if frequency := n / (batch * batches); !(math.Abs(frequency-0.1) <= 0.01) {
				t.Errorf("%s: part %d is drawn with frequency %g, want 0.1", name, part, frequency)
			}
		}
	}
}

func TestAContinuousScheduleGivesLevels(t *testing.T) {
	p := process(t, func(c *configs.Diffusion) { c.Target, c.Schedule = "v", "flow" })
	labels := map[float64]bool{}
	for _, l := range p.Draw(rand.New(rand.NewPCG(3, 4)), 100, 3) {
		labels[l.Label] = true
		if !(math.Abs(l.Signal+l.Noise-1) <= 1e-12) {
			t.Errorf("%+v is no level of the schedule", l)
		}
	}
	if len(labels) < 99 {
		t.Errorf("%d labels of 100 levels, want all to differ", len(labels))
	}
}
