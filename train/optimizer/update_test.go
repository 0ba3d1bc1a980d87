package optimizer

import (
	"cmp"
	"math"
	"slices"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"mcvd/configs"
	"mcvd/models"
	"mcvd/models/backend/backendtest"
	"mcvd/models/backend/xlakernels"
)

// values copies a variable.
func values(t testing.TB, store *model.Store, path string) []float32 {
	t.Helper()
	v := store.GetVariable(path)
	if v == nil {
		t.Fatalf("no variable %s", path)
	}
	return tensors.MustCopyFlatData[float32](v.MustValue())
}

// exact is one parameter under the reference's Adam, in float64.
type exact struct{ w, mean, square, ema float64 }

func (a *exact) update(o configs.Optimizer, update int, gradient, rate float64) {
	a.mean = o.Beta1*a.mean + (1-o.Beta1)*gradient
	a.square = o.Beta2*a.square + (1-o.Beta2)*gradient*gradient
	mean, square := a.mean/(1-math.Pow(o.Beta1, float64(update))), a.square/(1-math.Pow(o.Beta2, float64(update)))
	a.w -= rate * o.WeightDecay * a.w
	a.w -= rate * mean / (math.Sqrt(square) + o.Epsilon)
	decay := o.Options["ema_decay"].(float64)
	a.ema = decay*a.ema + (1-decay)*a.w
}

// keeping are the options of an average of which that share stays.
func keeping(share float64) configs.Options { return configs.Options{"ema_decay": share} }

// updateOf is the update of an optimizer whose names are the defaults where they are empty.
func updateOf(t *testing.T, o configs.Optimizer) *Update {
	t.Helper()
	c := configs.Default()
	o.Name, o.Schedule, o.EMA = cmp.Or(o.Name, "adamw"), cmp.Or(o.Schedule, "constant"), cmp.Or(o.EMA, "constant")
	c.Optimizer, c.Train.Steps = o, 100
	u, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// bare is a store with one parameter, its average and Adam's means, and the program that updates
// them.
func bare(t *testing.T, b compute.Backend, o configs.Optimizer, w, ema []float32) (*model.Store, *model.Exec) {
	t.Helper()
	store := model.NewStore()
	for scope, v := range map[string][]float32{models.WeightsScope: w, models.EMAScope: ema, models.AdamMeanScope: make([]float32, len(w)), models.AdamSquareScope: make([]float32, len(w))} {
		if _, err := store.Scope("/"+scope+"/layer").CreateVariable("w", tensors.FromValue(slices.Clone(v))); err != nil {
			t.Fatal(err)
		}
	}
	exec, err := model.NewExec(b, store, func(scope *model.Scope, in []*Node) []*Node { return updateOf(t, o).Graph(scope, in) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(exec.Finalize)
	return store, exec
}

func TestAdamIsItsDefinition(t *testing.T) {
	b := backendtest.Open(t)
	before := xlakernels.Totals().Rewritten["adamw"]
	defer func() {
		if xlakernels.Serve(b) && xlakernels.Totals().Rewritten["adamw"] == before {
			t.Error("no kernel served the updates")
		}
	}()
	standard := configs.Optimizer{LearningRate: 0.01, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, Options: keeping(0.9)}
	with := func(change func(o *configs.Optimizer)) configs.Optimizer {
		o := standard
		change(&o)
		return o
	}
	for name, o := range map[string]configs.Optimizer{
		"plain":                 standard,
		"with weight decay":     with(func(o *configs.Optimizer) { o.WeightDecay = 0.1 }),
		"with warm-up":          with(func(o *configs.Optimizer) { o.WarmupSteps = 4 }),
		"with clipping":         with(func(o *configs.Optimizer) { o.ClipNorm = 0.5 }),
		"with a large eps":      with(func(o *configs.Optimizer) { o.Epsilon = 0.3 }),
		"without any memory":    with(func(o *configs.Optimizer) { o.Beta1, o.Beta2, o.Options = 0, 0, keeping(0) }),
		"with all of the above": {LearningRate: 0.02, Beta1: 0.8, Beta2: 0.95, Epsilon: 1e-3, Options: keeping(0.5), WeightDecay: 0.2, WarmupSteps: 3, ClipNorm: 0.7},
	} {
		t.Run(name, func(t *testing.T) {
			w := []float32{1, -2, 0.5}
			store, exec := bare(t, b, o, w, w)
			reference := make([]exact, len(w))
			for i := range w {
				reference[i] = exact{w: float64(w[i]), ema: float64(w[i])}
			}
			for update := 1; update <= 7; update++ {
				gradient := []float32{float32(update), -0.3, float32(math.Sin(float64(update)))}
				norm := 0.0
				for _, g := range gradient {
					norm += float64(g) * float64(g)
				}
				norm = math.Sqrt(norm)
				rate := o.LearningRate
				if o.WarmupSteps > 0 {
					rate *= min(1, float64(update)/float64(o.WarmupSteps))
				}
				clip := 1.0
				if o.ClipNorm > 0 && norm > o.ClipNorm {
					clip = o.ClipNorm / (norm + 1e-6)
				}
				scalars, gotRate := updateOf(t, o).Scalars(update, norm)
				if !(math.Abs(gotRate-rate) <= 1e-15) {
					t.Errorf("update %d: learning rate %g, want %g", update, gotRate, rate)
				}
				if _, err := exec.Call(scalars, gradient); err != nil {
					t.Fatal(err)
				}
				for i := range reference {
					reference[i].update(o, update, float64(gradient[i])*clip, rate)
				}
				for i, r := range reference {
					for scope, want := range map[string]float64{models.WeightsScope: r.w, models.EMAScope: r.ema, models.AdamMeanScope: r.mean, models.AdamSquareScope: r.square} {
						if got := float64(values(t, store, "/"+scope+"/layer/w")[i]); !(math.Abs(got-want) <= 2e-6*(1+math.Abs(want))) {
							t.Errorf("update %d: %s[%d] = %g, want %g", update, scope, i, got, want)
						}
					}
				}
			}
		})
	}
}

// Without gradients the weights stay, and what separates the average from them shrinks by the decay
// in each update.
func TestAverageApproachesConstantWeightsByItsDecay(t *testing.T) {
	b := backendtest.Open(t)
	o := configs.Optimizer{LearningRate: 0.1, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, Options: keeping(0.75)}
	store, exec := bare(t, b, o, []float32{1, -3}, []float32{5, 0})
	for update := 1; update <= 20; update++ {
		scalars, _ := updateOf(t, o).Scalars(update, 0)
		if _, err := exec.Call(scalars, []float32{0, 0}); err != nil {
			t.Fatal(err)
		}
		left := math.Pow(0.75, float64(update))
		got := values(t, store, "/"+models.EMAScope+"/layer/w")
		for i, want := range []float64{1 + 4*left, -3 + 3*left} {
			if !(math.Abs(float64(got[i])-want) <= 1e-6) {
				t.Errorf("update %d: average %g, want %g", update, got[i], want)
			}
		}
	}
}

func TestGradientsThatDoNotMatchTheParametersAreAnError(t *testing.T) {
	b := backendtest.Open(t)
	o := configs.Optimizer{LearningRate: 0.1, Epsilon: 1e-8}
	_, exec := bare(t, b, o, []float32{1}, []float32{1})
	scalars, _ := updateOf(t, o).Scalars(1, 1)
	if _, err := exec.Call(scalars, []float32{1}, []float32{2}); err == nil {
		t.Error("two gradients for one parameter are no error")
	}
}

func TestClippingBoundsTheNormAndLeavesSmallGradientsAlone(t *testing.T) {
	for _, c := range []struct{ bound, norm, want float64 }{
		{1, 0.5, 1}, {1, 0, 1}, {1, 4, 1 / (4 + 1e-6)}, {0.1, 1e10, 0.1 / 1e10}, {0, 1e10, 1},
	} {
		scalars, _ := updateOf(t, configs.Optimizer{LearningRate: 1, ClipNorm: c.bound}).Scalars(1, c.norm) // with both betas 0
		scalars = scalars[2:]
		if got := float64(scalars[0]); !(math.Abs(got/c.want-1) <= 1e-6) {
			t.Errorf("norm %g, bound %g: gradients are multiplied by %g, want %g", c.norm, c.bound, got, c.want)
		}
		if got := float64(scalars[1]); !(math.Abs(got-c.want*c.want) <= 1e-6*c.want*c.want+1e-44) {
			t.Errorf("norm %g, bound %g: their squares by %g, want %g", c.norm, c.bound, got, c.want*c.want)
		}
	}
}

// A program that is compiled for the shapes of an update's inputs is the one that the update runs.
func TestInputsAreThoseOfTheGraph(t *testing.T) {
	b := backendtest.Open(t)
	o := configs.Optimizer{LearningRate: 0.01, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, Options: keeping(0.9)}
	store, _ := bare(t, b, o, []float32{1, 2}, []float32{1, 2})
	u, built := updateOf(t, o), 0
	exec, err := model.NewExec(b, store, func(scope *model.Scope, in []*Node) []*Node {
		built++
		return u.Graph(scope, in)
	})
	if err != nil {
		t.Fatal(err)
	}
	defer exec.Finalize()
	if _, err := exec.Compile(u.Inputs(store.RootScope())...); err != nil {
		t.Fatal(err)
	}
	scalars, _ := u.Scalars(1, 1)
	if _, err := exec.Call(scalars, []float32{1, -1}); err != nil || built != 1 {
		t.Errorf("the graph was built %d times, want once; %v", built, err)
	}
}
