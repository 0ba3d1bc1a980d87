package optimizer

import (
	"math"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	"mcvd/configs"
	"mcvd/models"
	"mcvd/models/backend/backendtest"
)

func TestRatesAreTheirFormulas(t *testing.T) {
	const lr = 0.01
	for _, c := range []struct {
		schedule string
		final    float64
		want     map[int]float64 // by update: the share of the learning rate
	}{
		{"constant", 0, map[int]float64{1: 0.1, 10: 1, 55: 1, 100: 1, 150: 1}},
		{"linear", 0, map[int]float64{1: 0.1, 10: 1, 55: 0.5, 100: 0, 150: 0}},
		{"linear", 0.2, map[int]float64{10: 1, 55: 0.6, 100: 0.2}},
		{"cosine", 0, map[int]float64{5: 0.5, 10: 1, 40: 0.75, 55: 0.5, 70: 0.25, 100: 0, 150: 0}},
		{"cosine", 0.5, map[int]float64{10: 1, 55: 0.75, 100: 0.5}},
	} {
		o := configs.Optimizer{LearningRate: lr, WarmupSteps: 10, Schedule: c.schedule}
		if c.schedule != "constant" {
			o.Options = configs.Options{"final": c.final}
		}
		u := updateOf(t, o) // trains for 100 updates
		for update, want := range c.want {
			if _, got := u.Scalars(update, 0); !(math.Abs(got-want*lr) <= 1e-12) {
				t.Errorf("%s to %g, update %d: %g, want %g of %g", c.schedule, c.final, update, got, want, lr)
			}
		}
	}
}

// EDM2's table of widths (Karras et al. 2024, section 3.1): 10 % is gamma 6.94, 5 % is 16.97.
func TestThePowerAverageHasThePublishedExponents(t *testing.T) {
	for sigma, want := range map[float64]float64{0.05: 16.97, 0.1: 6.94} {
		if got := (&powerAverage{SigmaRel: sigma}).gamma(); !(math.Abs(got-want) <= 0.005) {
			t.Errorf("sigma_rel %g: gamma %g, want %g", sigma, got, want)
		}
	}
}

// The average weighs update t by t^gamma: its mean time and the standard deviation around it are
// those of that density.
func TestThePowerAverageHasItsWidthAtAnyLength(t *testing.T) {
	for _, sigma := range []float64{0.05, 0.1, 0.2} {
		a := &powerAverage{SigmaRel: sigma}
		var mean, square float64
		for update := 1; update <= 20000; update++ {
			d, at := a.decay(update), float64(update)
			mean, square = d*mean+(1-d)*at, d*square+(1-d)*at*at
			if update != 2000 && update != 20000 {
				continue
			}
			if got := math.Sqrt(square-mean*mean) / at; !(math.Abs(got/sigma-1) <= 0.02) {
				t.Errorf("sigma_rel %g: after %d updates the width is %g of them", sigma, update, got)
			}
			gamma := a.gamma()
			if got, want := mean/at, (gamma+1)/(gamma+2); !(math.Abs(got-want) <= 0.002) {
				t.Errorf("sigma_rel %g: after %d updates the mean is at %g of them, want %g", sigma, update, got, want)
			}
		}
	}
	if got := (&powerAverage{SigmaRel: 0.1}).decay(1); got != 0 {
		t.Errorf("%g of the first weights stay at the first update, want none", got)
	}
}

// Adam's decay is part of the gradient, AdamW's is not: the first update of Adam has the size of
// the rate whatever the decay is.
func TestWeightDecayIsAddedToTheGradientsOrDecoupled(t *testing.T) {
	b := backendtest.Open(t)
	const rate, decay, w = 0.01, 0.5, 2.0
	for name, want := range map[string]float64{"adam": w - rate, "adamw": w - rate*decay*w - rate} {
		o := configs.Optimizer{Name: name, LearningRate: rate, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, WeightDecay: decay}
		store, exec := bare(t, b, o, []float32{w}, []float32{w})
		scalars, _ := updateOf(t, o).Scalars(1, 0.3)
		if _, err := exec.Call(scalars, []float32{0.3}); err != nil {
			t.Fatal(err)
		}
		if got := float64(values(t, store, "/model/layer/w")[0]); !(math.Abs(got-want) <= 1e-6) {
			t.Errorf("%s: %g, want %g", name, got, want)
		}
		mean := float64(values(t, store, "/adam/mean/layer/w")[0])
		if want := map[string]float64{"adam": 0.1 * (0.3 + decay*w), "adamw": 0.1 * 0.3}[name]; !(math.Abs(mean-want) <= 1e-6) {
			t.Errorf("%s: a mean gradient of %g, want %g", name, mean, want)
		}
	}
}

// tables are settings that have every entry of every table once or more.
func tables() []configs.Optimizer {
	names, schedules, emas := Names(), Rates(), Averages()
	var all []configs.Optimizer
	for i := range max(len(names), len(schedules), len(emas)) {
		o := configs.Default().Optimizer
		o.Name, o.Schedule, o.EMA = names[i%len(names)], schedules[i%len(schedules)], emas[i%len(emas)]
		o.WarmupSteps, o.WeightDecay = 5, 0.01
		if o.EMA == "constant" {
			o.Options = configs.Options{"ema_decay": 0.9}
		}
		all = append(all, o)
	}
	return all
}

// With every optimizer, rate and average a sum of squares falls to a hundredth, that of the
// averaged weights, too.
func TestEveryOptimizerLearns(t *testing.T) {
	b := backendtest.Open(t)
	for _, o := range tables() {
		o.LearningRate = 0.1
		w := []float32{3, -2}
		first := loss(w)
		store, exec := bare(t, b, o, w, w)
		u := updateOf(t, o)
		for i := range 100 {
			w = values(t, store, "/model/layer/w")
			scalars, _ := u.Scalars(i+1, math.Sqrt(loss(w)))
			if _, err := exec.Call(scalars, tensors.FromValue([]float32{2 * w[0], 2 * w[1]})); err != nil {
				t.Fatal(err)
			}
		}
		for _, scope := range []string{models.WeightsScope, models.EMAScope} {
			if last := loss(values(t, store, "/"+scope+"/layer/w")); !(last <= first/100) {
				t.Errorf("%s, %s, %s: %s: %g after 100 updates, began with %g", o.Name, o.Schedule, o.EMA, scope, last, first)
			}
		}
	}
}

// loss is a sum of squares.
func loss(w []float32) (sum float64) {
	for _, x := range w {
		sum += float64(x) * float64(x)
	}
	return sum
}

func TestUnknownOptimizersAndOptionsAreRefused(t *testing.T) {
	for _, c := range []struct {
		change func(o *configs.Optimizer)
		want   string
	}{
		{func(o *configs.Optimizer) { o.Name = "sgd" }, `optimizer.name: unknown "sgd" (known: adam, adamw)`},
		{func(o *configs.Optimizer) { o.Schedule = "step" }, `optimizer.schedule: unknown "step" (known: constant, cosine, linear)`},
		{func(o *configs.Optimizer) { o.EMA = "none" }, `optimizer.ema: unknown "none" (known: constant, power)`},
		{func(o *configs.Optimizer) { o.Options = configs.Options{"final": 0.1} }, "optimizer.options.final: unknown key"},
		{func(o *configs.Optimizer) { o.Options = configs.Options{"sigma_rel": 0.1} }, "optimizer.options.sigma_rel: unknown key"},
		{func(o *configs.Optimizer) { o.Schedule, o.Options = "cosine", configs.Options{"final": 2.0} }, "optimizer.options.final: 2, want 0 to 1"},
	} {
		config := configs.Default()
		c.change(&config.Optimizer)
		if _, err := New(config); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %s", err, c.want)
		}
	}
}
