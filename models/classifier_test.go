package models

import (
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"mcvd/configs"
	"mcvd/models/backend/backendtest"
	"mcvd/models/diffusion"
	"mcvd/models/guidance"
	"mcvd/models/nn"
	"mcvd/models/weights"
)

// classifying is a toy classifier of that many classes, "0" and so on, for blocks of two frames.
func classifying(classes int) *configs.Config {
	c := toy()
	c.Frames = configs.Frames{Current: 2}
	c.Model.Network = "classifier"
	var names []any
	for i := range classes {
		names = append(names, fmt.Sprint(i))
	}
	c.Model.Options["classes"] = names
	return c
}

// shown are labels of four clips, "other" is no class.
var shown = [][]string{{"3"}, {}, {"0", "other", "11"}, {"other"}}

// tableOf are the levels of the clips, with their labels.
func tableOf(c Classifier, levels ...diffusion.Level) *tensors.Tensor {
	return c.Label(tensors.FromFlatDataAndDimensions(c.Table(levels), len(levels), 1, diffusion.Columns), shown[:len(levels)])
}

// The labels of a table come out as they went in, also where they take several rows, and the level
// is that of the table.
func TestLabelsGoWithTheLevels(t *testing.T) {
	for _, classes := range []int{1, 9, 12} {
		c := Classifier{modelOf(t, classifying(classes))}
		levels := []diffusion.Level{c.Schedule.Level(0.1), c.Schedule.Level(0.5), c.Schedule.Level(0.7), c.Schedule.Level(1)}
		out := backendtest.Run(t, func(in []*Node) []*Node {
			_, d := c.Draw(nn.Random{State: in[0]}, in[1])
			return []*Node{d.Labels, d.Level.Signal, d.Level.Label}
		}, []uint64{1, 2, 3}, tableOf(c, levels...))
		for i, l := range levels {
			if got := float64(out[1][i]); !(math.Abs(got-l.Signal) <= 1e-6) || float64(out[2][i]) != l.Label {
				t.Errorf("clip %d has signal %g and label %g, want %v", i, got, out[2][i], l)
			}
			for k := range classes {
				want := float32(0)
				for _, label := range shown[i] {
					if label == fmt.Sprint(k) {
						want = 1
					}
				}
				if got := out[0][i*classes+k]; got != want {
					t.Errorf("%d classes: clip %d, class %d: %g, want %g", classes, i, k, got, want)
				}
			}
		}
	}
}

// The loss is the sum of cross-entropies of all classes and the weight of the level, computed here
// from the logits of the network for the noisy frames. A clip is right if its labels are ahead.
func TestTheLossOfAClassifier(t *testing.T) {
	const classes = 12
	config := classifying(classes)
	config.Diffusion.Weight = "v" // one that isn't 1
	c := Classifier{modelOf(t, config)}
	b := backendtest.Open(t)
	store := lively(t, b, c.Model)
	defer store.Finalize()
	exec, err := model.NewExec(b, store, func(scope *model.Scope, clip, random, table *Node) []*Node {
		_, d := c.Draw(nn.Random{State: random}, table)
		of, at := nn.NewBuilder(b), scope.At(WeightsScope)
		loss, right := c.ErrorGraph(of, at, clip, d)
		logits := c.logits(of, at, diffusion.AddNoise(clip, d.Noise, d.Level.Signal, d.Level.Noise), d.Level)
		return []*Node{loss, right, logits, d.Level.Weight}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer exec.Finalize()
	levels := []diffusion.Level{c.Schedule.Level(0.1), c.Schedule.Level(0.5), c.Schedule.Level(0.7), c.Schedule.Level(1)}
	clip := tensors.FromFlatDataAndDimensions(clips(c.Model, 4, 2), c.ClipShape(4, 2).Dimensions...)
	out, err := exec.Call(clip, []uint64{1, 2, 3}, tableOf(c, levels...))
	if err != nil {
		t.Fatal(err)
	}
	flat := func(i int) []float32 { return tensors.MustCopyFlatData[float32](out[i]) }
	loss, right, logits, weights := flat(0), flat(1), flat(2), flat(3)
	for i := range levels {
		want, least, most := 0.0, math.Inf(1), math.Inf(-1)
		for k := range classes {
			z := float64(logits[i*classes+k])
			if p := 1 / (1 + math.Exp(-z)); strings.Contains(fmt.Sprintf(" %s ", strings.Join(shown[i], " ")), fmt.Sprintf(" %d ", k)) {
				want, least = want-math.Log(p), min(least, z)
			} else {
				want, most = want-math.Log(1-p), max(most, z)
			}
		}
		if math.IsInf(least, 1) {
			least = 0
		}
		if want *= float64(weights[i]); !(math.Abs(float64(loss[i])-want) <= 1e-5*want) {
			t.Errorf("clip %d: loss %g, want %g", i, loss[i], want)
		}
		if (right[i] == 1) != (least > most) || right[i] != 0 && right[i] != 1 {
			t.Errorf("clip %d: right %g, least probable of its classes %g, most probable of the others %g", i, right[i], least, most)
		}
	}
}

// A class that a clip shows has to be ahead of the others, whatever its probability; several all have
// to be; and without any, none may be probable.
func TestClipsThatAreClassifiedRight(t *testing.T) {
	for _, c := range []struct {
		logits, labels []float32
		right          float32
	}{
		{[]float32{-2, -3, -4}, []float32{1, 0, 0}, 1},
		{[]float32{3, 4, -4}, []float32{1, 0, 0}, 0},
		{[]float32{-3, -2, -4}, []float32{1, 0, 0}, 0},
		{[]float32{4, 3, -4}, []float32{1, 0, 0}, 1},
		{[]float32{-2, -3, -4}, []float32{1, 1, 0}, 1},
		{[]float32{5, 1, 2}, []float32{1, 1, 0}, 0},
		{[]float32{-2, -3, -4}, []float32{0, 0, 0}, 1},
		{[]float32{-2, 0.1, -4}, []float32{0, 0, 0}, 0},
		{[]float32{-2, -3, -4}, []float32{1, 1, 1}, 1},
	} {
		out := backendtest.Run(t, func(in []*Node) []*Node { return []*Node{classified(in[0], in[1])} }, [][]float32{c.logits}, [][]float32{c.labels})
		if got := out[0][0]; got != c.right {
			t.Errorf("logits %v of a clip that shows %v: right %g, want %g", c.logits, c.labels, got, c.right)
		}
	}
}

// Logits of any size have a finite loss with the gradient of the logistic function, and 1/2 at 0.
func TestSoftplus(t *testing.T) {
	xs := []float32{-200, -3, 0, 2, 200}
	out := backendtest.Run(t, func(in []*Node) []*Node {
		y := softplus(in[0])
		return []*Node{y, Gradient(ReduceAllSum(y), in[0])[0]}
	}, xs)
	for i, x := range xs {
		want, slope := max(float64(x), 0)+math.Log1p(math.Exp(-math.Abs(float64(x)))), 1/(1+math.Exp(-float64(x)))
		if !(math.Abs(float64(out[0][i])-want) <= 1e-6*(1+want)) || !(math.Abs(float64(out[1][i])-slope) <= 1e-6) {
			t.Errorf("at %g: %g with slope %g, want %g with %g", x, out[0][i], out[1][i], want, slope)
		}
	}
}

func TestWhatClassifiersCannotDo(t *testing.T) {
	c := classifying(2)
	m := modelOf(t, c)
	if err := m.CheckGenerates(); err == nil || !strings.Contains(err.Error(), "generates no videos") {
		t.Errorf("error %v, want that it generates no videos", err)
	}
	if _, err := NewDistillation(m, c); err == nil || !strings.Contains(err.Error(), "classifier") {
		t.Errorf("error %v, want that it can't be distilled", err)
	}
	if err := modelOf(t, toy()).CheckGenerates(); err != nil {
		t.Error(err)
	}
}

// led is a model of the blocks of classifying, with a classifier of that many classes.
func led(t *testing.T, classes int, change func(*configs.Config), wanted ...string) (*Model, *model.Store, error) {
	t.Helper()
	b, c := backendtest.Open(t), classifying(classes)
	change(c)
	classifier := modelOf(t, c)
	store := lively(t, b, classifier)
	defer store.Finalize()
	path := filepath.Join(t.TempDir(), "classifier.safetensors")
	if err := weights.Write(path, nil, Entries(store)); err != nil {
		t.Fatal(err)
	}
	f, err := weights.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	own := toy()
	own.Frames = configs.Frames{Past: 1, Current: 2}
	m := modelOf(t, own)
	of := lively(t, b, m)
	t.Cleanup(func() { of.Finalize() })
	return m, of, m.LoadClassifier(b, of, f, classifier, wanted)
}

// The change of eps by guidance is the gradient of log p of the classes that are wanted, here
// compared with differences of what the classifier itself says of noisy frames.
func TestGuidanceFollowsTheClassifier(t *testing.T) {
	m, store, err := led(t, 3, func(*configs.Config) {}, "0", "2")
	if err != nil {
		t.Fatal(err)
	}
	const weight = 2.5
	guide, err := guidance.New(configs.Guidance{Name: "classifier", Options: configs.Options{"class_weight": weight, "classifier": "run", "classes": []any{"0", "2"}}}, m.Frames)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := guidance.New(configs.Guidance{}, m.Frames)
	if err != nil {
		t.Fatal(err)
	}
	b := backendtest.Open(t)
	exec, err := model.NewExec(b, store, func(scope *model.Scope, x, table, past *Node) []*Node {
		visible := Ones(x.Graph(), nn.F32(2, 1))
		cond, at := Cond[*Node]{Past: past, Visible: visible}, diffusion.TableNodes(table)
		for _, l := range []**Node{&at.Signal, &at.Noise, &at.Label, &at.In, &at.Skip, &at.Out} {
			*l = Reshape(*l)
		}
		of := scope.At(EMAScope)
		made := m.Guided(nn.NewBuilder(b), of, guide, cond, guidance.Block{}, nil)(x, at)
		without := m.Guided(nn.NewBuilder(b), of, plain, cond, guidance.Block{}, nil)(x, at)
		logits := m.Classifier.logits(nn.NewBuilder(b), scope.Store().Scope("/"+ClassifierScope), x, at)
		return []*Node{Sub(made.Eps, without.Eps), logits}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer exec.Finalize()
	level := m.Schedule.Level(0.4)
	past := tensors.FromFlatDataAndDimensions(clips(m, 2, 1), m.ClipShape(2, 1).Dimensions...)
	run := func(x []float32) (change, logits []float32) {
		out, err := exec.Call(tensors.FromFlatDataAndDimensions(x, m.ClipShape(2, 2).Dimensions...),
			tensors.FromFlatDataAndDimensions(m.Table([]diffusion.Level{level}), 1, 1, diffusion.Columns), past)
		if err != nil {
			t.Fatal(err)
		}
		return tensors.MustCopyFlatData[float32](out[0]), tensors.MustCopyFlatData[float32](out[1])
	}
	logProb := func(logits []float32) (sum float64) {
		for clip := range 2 {
			for _, k := range []int{0, 2} {
				sum -= math.Log1p(math.Exp(-float64(logits[3*clip+k])))
			}
		}
		return sum
	}
	x := clips(m, 2, 2)
	change, _ := run(x)
	const step = 1e-2
	ahead, behind, along := make([]float32, len(x)), make([]float32, len(x)), 0.0
	for i := range x {
		direction := math.Sin(0.7 * float64(i))
		ahead[i], behind[i] = x[i]+float32(step*direction), x[i]-float32(step*direction)
		along += float64(change[i]) * direction
	}
	_, after := run(ahead)
	_, before := run(behind)
	want := -weight * level.Noise * (logProb(after) - logProb(before)) / (2 * step)
	if !(math.Abs(along-want) <= 0.01*math.Abs(want)) || !(math.Abs(want) > 1e-3) {
		t.Errorf("eps changes by %g along a direction, want %g", along, want)
	}
}

func TestOtherClassifiersAreRefused(t *testing.T) {
	for want, of := range map[string]struct {
		change func(*configs.Config)
		class  string
	}{
		`no class "7", want some of 0, 1, 2`:                          {func(*configs.Config) {}, "7"},
		"a classifier with frames.current 1, data.size 8":             {func(c *configs.Config) { c.Frames.Current = 1 }, "0"},
		"a classifier with frames.current 2, data.size 16":            {func(c *configs.Config) { c.Data.Size = 16 }, "0"},
		"data.channels 3, want those of the run: frames.current 2":    {func(c *configs.Config) { c.Data.Channels = 3 }, "0"},
		"a classifier of other noise levels":                          {func(c *configs.Config) { c.Diffusion.Schedule = "cosine" }, "0"},
		"of 500 steps, the run has":                                   {func(c *configs.Config) { c.Diffusion.Steps = 500 }, "0"},
		"not a classifier, want a run with model.network: classifier": {func(c *configs.Config) { c.Model = toy().Model }, "0"},
	} {
		if m, _, err := led(t, 3, of.change, of.class); err == nil || !strings.Contains(err.Error(), want) || m.Classifier != nil {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	if _, _, err := led(t, 3, func(c *configs.Config) { c.Diffusion.Target = "v" }, "1"); err != nil {
		t.Errorf("a classifier has no target that could differ: %v", err)
	}
}
