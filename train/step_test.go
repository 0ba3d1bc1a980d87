package train

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"mcvd/configs"
	"mcvd/models"
	"mcvd/models/backend/backendtest"
)

// exact is one parameter under the reference's Adam, in float64.
type exact struct{ w, mean, square, ema float64 }

func (a *exact) update(o configs.Optimizer, update int, gradient, rate float64) {
	a.mean = o.Beta1*a.mean + (1-o.Beta1)*gradient
	a.square = o.Beta2*a.square + (1-o.Beta2)*gradient*gradient
	mean, square := a.mean/(1-math.Pow(o.Beta1, float64(update))), a.square/(1-math.Pow(o.Beta2, float64(update)))
	a.w -= rate * o.WeightDecay * a.w
	a.w -= rate * mean / (math.Sqrt(square) + o.Epsilon)
	a.ema = o.EMADecay*a.ema + (1-o.EMADecay)*a.w
}

// updateOf is the update of an optimizer whose names are the defaults where they are empty.
func updateOf(t *testing.T, o configs.Optimizer) *update {
	t.Helper()
	c := configs.Default()
	o.Name, o.Schedule, o.EMA = cmp.Or(o.Name, "adamw"), cmp.Or(o.Schedule, "constant"), cmp.Or(o.EMA, "constant")
	c.Optimizer, c.Train.Steps = o, 100
	u, err := newUpdate(c)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// bare is a store with one parameter, its average and Adam's means, and the program that updates them.
func bare(t *testing.T, b compute.Backend, o configs.Optimizer, w, ema []float32) (*model.Store, *model.Exec) {
	t.Helper()
	store := model.NewStore()
	for scope, v := range map[string][]float32{models.WeightsScope: w, models.EMAScope: ema, models.AdamMeanScope: make([]float32, len(w)), models.AdamSquareScope: make([]float32, len(w))} {
		if _, err := store.Scope("/"+scope+"/layer").CreateVariable("w", tensors.FromValue(slices.Clone(v))); err != nil {
			t.Fatal(err)
		}
	}
	exec, err := model.NewExec(b, store, func(scope *model.Scope, in []*Node) []*Node { return updateOf(t, o).graph(scope, in) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(exec.Finalize)
	return store, exec
}

func TestAdamIsItsDefinition(t *testing.T) {
	b := backendtest.Open(t)
	standard := configs.Optimizer{LearningRate: 0.01, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, EMADecay: 0.9}
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
		"without any memory":    with(func(o *configs.Optimizer) { o.Beta1, o.Beta2, o.EMADecay = 0, 0, 0 }),
		"with all of the above": {LearningRate: 0.02, Beta1: 0.8, Beta2: 0.95, Epsilon: 1e-3, EMADecay: 0.5, WeightDecay: 0.2, WarmupSteps: 3, ClipNorm: 0.7},
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
				scalars, gotRate := updateOf(t, o).scalars(update, norm)
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

// Without gradients the weights stay, and what separates the average from them shrinks by the decay in each update.
func TestAverageApproachesConstantWeightsByItsDecay(t *testing.T) {
	b := backendtest.Open(t)
	o := configs.Optimizer{LearningRate: 0.1, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, EMADecay: 0.75}
	store, exec := bare(t, b, o, []float32{1, -3}, []float32{5, 0})
	for update := 1; update <= 20; update++ {
		scalars, _ := updateOf(t, o).scalars(update, 0)
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
	scalars, _ := updateOf(t, o).scalars(1, 1)
	if _, err := exec.Call(scalars, []float32{1}, []float32{2}); err == nil {
		t.Error("two gradients for one parameter are no error")
	}
}

func TestClippingBoundsTheNormAndLeavesSmallGradientsAlone(t *testing.T) {
	for _, c := range []struct{ bound, norm, want float64 }{
		{1, 0.5, 1}, {1, 0, 1}, {1, 4, 1 / (4 + 1e-6)}, {0.1, 1e10, 0.1 / 1e10}, {0, 1e10, 1},
	} {
		scalars, _ := updateOf(t, configs.Optimizer{LearningRate: 1, ClipNorm: c.bound}).scalars(1, c.norm) // with both betas 0
		scalars = scalars[2:]
		if got := float64(scalars[0]); !(math.Abs(got/c.want-1) <= 1e-6) {
			t.Errorf("norm %g, bound %g: gradients are multiplied by %g, want %g", c.norm, c.bound, got, c.want)
		}
		if got := float64(scalars[1]); !(math.Abs(got-c.want*c.want) <= 1e-6*c.want*c.want+1e-44) {
			t.Errorf("norm %g, bound %g: their squares by %g, want %g", c.norm, c.bound, got, c.want*c.want)
		}
	}
}

func TestGlobalNormIsThatOfAllValues(t *testing.T) {
	b := backendtest.Open(t)
	exec, err := NewExec(b, func(x, y, z *Node) *Node { return globalNorm([]*Node{x, y, z}) })
	if err != nil {
		t.Fatal(err)
	}
	large := make([]float32, 1<<17)
	for i := range 36 {
		large[i*3000] = 2
	}
	out, err := exec.Call([][]float32{{1, 2}, {-2, 0}}, large, []float32{4})
	if err != nil {
		t.Fatal(err)
	}
	if got := tensors.ToScalar[float32](out[0]); got != 13 {
		t.Errorf("norm %g, want 13", got)
	}
}

// newToyStepper is a stepper of the toy experiment with draws from a table: for each row the timesteps and the noise of batch
// clips.
func newToyStepper(t *testing.T, b compute.Backend, c *configs.Config, timesteps [][]int32, noise [][]float32) (*model.Store, *stepper) {
	t.Helper()
	m, err := models.New(c)
	if err != nil {
		t.Fatal(err)
	}
	store, err := firstState(b, m, c)
	if err != nil {
		t.Fatal(err)
	}
	s, err := newStepper(b, store, given{m, timesteps, noise}, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	return store, s
}

// One step of two batches is one step of a batch twice as large: the same loss, norm, and mean gradients.
func TestAccumulatedBatchesAreOneLargeBatch(t *testing.T) {
	b := backendtest.Open(t)
	c := toy()
	c.Model.Dropout = 0
	frame := c.Data.Size * c.Data.Size
	noise, clip := spread(2.1, 4*frame), spread(1.3, 4*3*frame)
	dims := func(batch int) []int { return []int{batch, 3, c.Data.Size, c.Data.Size, 1} }
	run := func(batch, accumulate int, timesteps [][]int32, noise [][]float32) (*model.Store, result) {
		c.Train.Batch, c.Train.Accumulate = batch, accumulate
		store, s := newToyStepper(t, b, c, timesteps, noise)
		var batches []*tensors.Tensor
		for i := range accumulate {
			batches = append(batches, tensors.FromFlatDataAndDimensions(slices.Clone(clip[i*batch*3*frame:(i+1)*batch*3*frame]), dims(batch)...))
		}
		r, err := s.run(1, placed(t, s, batches...), row(0))
		if err != nil {
			t.Fatal(err)
		}
		return store, r
	}
	large, want := run(4, 1, [][]int32{{3, 50, 90, 20}}, [][]float32{noise})
	small, got := run(2, 2, [][]int32{{3, 50}, {90, 20}}, [][]float32{noise[:2*frame], noise[2*frame:]})
	if !(math.Abs(got.Loss/want.Loss-1) <= 1e-6) || !(math.Abs(got.GradientNorm/want.GradientNorm-1) <= 1e-5) || got.Skipped || want.Skipped {
		t.Errorf("two batches: %+v, one: %+v", got, want)
	}
	for path, w := range snapshot(t, large) {
		if strings.HasSuffix(path, "/k/b") {
			continue // its gradient is 0, softmax being blind to a constant, and what is computed are rounding errors
		}
		if g := values(t, small, path); !(relative(g, w) <= 1e-3) {
			t.Errorf("%s differs by %.2g", path, relative(g, w))
		}
	}
}

// The loss of the same clips, draws and weights changes with dropout, and then with the random state.
func TestDropoutIsDrawnFromTheStateOfTheStep(t *testing.T) {
	b, c := backendtest.Open(t), toy()
	c.Train.Batch, c.Train.Accumulate = 2, 1
	frame := c.Data.Size * c.Data.Size
	noise := spread(2.1, 2*frame)
	loss := func(dropout float64, state int) float64 {
		c.Model.Dropout = dropout
		store, s := newToyStepper(t, b, c, [][]int32{{3, 50}, {3, 50}}, [][]float32{noise, noise})
		for v := range store.Scope("/" + models.WeightsScope).IterVariables() { // first weights are almost 0 behind dropout
			d := v.Shape()
			if err := v.SetValue(tensors.FromFlatDataAndDimensions(spread(1.9, d.Size()), d.Dimensions...)); err != nil {
				t.Fatal(err)
			}
		}
		clip := tensors.FromFlatDataAndDimensions(spread(1.3, 2*3*frame), 2, 3, c.Data.Size, c.Data.Size, 1)
		r, err := s.run(1, placed(t, s, clip), row(state))
		if err != nil || r.Skipped {
			t.Fatalf("%+v, error %v", r, err)
		}
		return r.Loss
	}
	without, with := loss(0, 0), loss(0.5, 0)
	if without == with || with == loss(0.5, 1) {
		t.Errorf("loss %g without dropout, %g with it, %g with another random state", without, with, loss(0.5, 1))
	}
	if without != loss(0, 1) || with != loss(0.5, 0) {
		t.Errorf("the loss of equal draws is not always %g without and %g with dropout", without, with)
	}
}

func TestStepsThatAreNotFiniteChangeNoBit(t *testing.T) {
	b := backendtest.Open(t)
	c := toy()
	c.Train.Batch, c.Train.Accumulate = 2, 1
	frame := c.Data.Size * c.Data.Size
	good := spread(2.1, 2*frame)
	for name, bad := range map[string]float32{"NaN": float32(math.NaN()), "infinity": float32(math.Inf(1)), "a loss that overflows": 1e25,
		"a norm that overflows": 1.5e19} {
		t.Run(name, func(t *testing.T) {
			poison := slices.Clone(good)
			poison[5] = bad
			store, s := newToyStepper(t, b, c, [][]int32{{3, 50}, {3, 50}}, [][]float32{good, poison})
			step := func(update, i int) result {
				clip := tensors.FromFlatDataAndDimensions(spread(1.3, 2*3*frame), 2, 3, c.Data.Size, c.Data.Size, 1)
				r, err := s.run(update, placed(t, s, clip), row(i))
				if err != nil {
					t.Fatal(err)
				}
				return r
			}
			if r := step(1, 0); r.Skipped {
				t.Fatalf("a finite step is skipped: %+v", r)
			}
			before := snapshot(t, store)
			if r := step(2, 1); !r.Skipped || finite(r.Loss) && finite(r.GradientNorm) {
				t.Fatalf("a step that is not finite is not skipped: %+v", r)
			} else if finite(r.Loss) != strings.Contains(name, "norm") {
				t.Errorf("%+v is not the case to be tested", r)
			}
			for path, v := range snapshot(t, store) {
				if !slices.EqualFunc(v, before[path], func(x, y float32) bool { return math.Float32bits(x) == math.Float32bits(y) }) {
					t.Errorf("%s has changed", path)
				}
			}
			if r := step(2, 0); r.Skipped {
				t.Errorf("the step after it is skipped: %+v", r)
			}
			changed := 0
			for path, v := range snapshot(t, store) {
				if !slices.Equal(v, before[path]) {
					changed++
				}
			}
			if changed < len(before)/2 {
				t.Errorf("the step after it changes %d of %d variables", changed, len(before))
			}
		})
	}
}

// States of different steps, batches, seeds and streams differ, and so do all their words.
func TestRandomStatesAreAFunctionOfWhatTheyAreFor(t *testing.T) {
	seen := map[uint64]string{}
	for _, seed := range []uint64{0, 1, 1 << 63} {
		for _, stream := range []uint64{trainingStream, validationStream} {
			for _, step := range []uint64{0, 1, 2, 65536, 1e9} {
				for _, batch := range []uint64{0, 1, 1023} {
					what := fmt.Sprintf("seed %d, stream %d, step %d, batch %d", seed, stream, step, batch)
					state, again := randomState(seed, stream, step, batch), randomState(seed, stream, step, batch)
					words := tensors.MustCopyFlatData[uint64](state)
					if !slices.Equal(words, tensors.MustCopyFlatData[uint64](again)) {
						t.Errorf("%s: another state the second time", what)
					}
					for _, w := range words {
						if other, ok := seen[w]; ok {
							t.Errorf("%s: shares a word with %s", what, other)
						}
						seen[w] = what
					}
				}
			}
		}
	}
}
