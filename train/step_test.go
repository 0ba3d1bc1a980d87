package train

import (
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

// newToyStepper is a stepper of the toy experiment with draws from a table: for each row the
// timesteps and the noise of batch clips.
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
	s, err := newStepper(b, store, given{m, timesteps, noise}, c, all(c))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	return store, s
}

// One step of two batches is one step of a batch twice as large: the same loss, norm, and mean
// gradients.
func TestAccumulatedBatchesAreOneLargeBatch(t *testing.T) {
	b := backendtest.Open(t)
	c := dense()
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

// The loss of the same clips, draws and weights changes with dropout, and then with the random
// state.
func TestDropoutIsDrawnFromTheStateOfTheStep(t *testing.T) {
	b, c := backendtest.Open(t), toy()
	c.Train.Batch, c.Train.Accumulate = 2, 1
	frame := c.Data.Size * c.Data.Size
	noise := spread(2.1, 2*frame)
	type draw struct {
		dropout float64
		state   int
	}
	got := map[draw][]float64{}
	for _, dropout := range []float64{0, 0.5} {
		c.Model.Options["dropout"] = dropout
		store, s := newToyStepper(t, b, c, [][]int32{{3, 50}, {3, 50}}, [][]float32{noise, noise})
		for _, state := range []int{0, 1, 0} {
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
			got[draw{dropout, state}] = append(got[draw{dropout, state}], r.Loss)
		}
	}
	without, with, other := got[draw{0, 0}][0], got[draw{0.5, 0}][0], got[draw{0.5, 1}][0]
	if without == with || with == other {
		t.Errorf("loss %g without dropout, %g with it, %g with another random state", without, with, other)
	}
	if without != got[draw{0, 1}][0] || without != got[draw{0, 0}][1] || with != got[draw{0.5, 0}][1] {
		t.Errorf("losses %v: those of equal draws differ", got)
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
