package models

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"mcvd/configs"
	"mcvd/models/diffusion"
	"mcvd/models/guidance"
	"mcvd/models/network"
	"mcvd/models/nn"
	"mcvd/models/weights"
)

// Classes are what the network tells apart, nil unless it is a classifier.
func (m *Model) Classes() []string { return network.Classes(m.Network) }

// CheckGenerates is the error of whoever wants videos of a classifier.
func (m *Model) CheckGenerates() error {
	if m.Classes() != nil {
		return errors.New("model.network: classifier, which generates no videos, want a run of another network; --guidance classifier leads one with it")
	}
	return nil
}

// Classifier is what a classifier of noisy frames learns (Dhariwal and Nichol 2021, section 4): p(y
// | x_t, level) for each class y by itself, whether or not the clip shows others.
type Classifier struct{ *Model }

// Values is the number of values by which logs divide the loss: that of the classes.
func (c Classifier) Values() int { return len(c.Classes()) }

// Label adds the labels of clips to their table of levels, [batch, 1, diffusion.Columns], as
// further rows: [batch, more, diffusion.Columns]. Labels that are no classes are left out.
func (c Classifier) Label(table *tensors.Tensor, labels [][]string) *tensors.Tensor {
	levels, classes := tensors.MustCopyFlatData[float32](table), c.Classes()
	width := diffusion.Columns * (1 + (len(classes)+diffusion.Columns-1)/diffusion.Columns)
	all := make([]float32, len(labels)*width)
	for i, of := range labels {
		row := all[i*width:][:width]
		copy(row, levels[i*diffusion.Columns:][:diffusion.Columns])
		for _, label := range of {
			if at := slices.Index(classes, label); at >= 0 {
				row[diffusion.Columns+at] = 1
			}
		}
	}
	return tensors.FromFlatDataAndDimensions(all, len(labels), width/diffusion.Columns, diffusion.Columns)
}

// Draw is [Model.Draw] for a table with labels.
func (c Classifier) Draw(random nn.Random, levels *Node) (nn.Random, Draws) {
	next, d := c.Model.Draw(random, Slice(levels, AxisRange(), AxisRange(0, 1)))
	d.Labels = Slice(Reshape(Slice(levels, AxisRange(), AxisRange(1)), levels.Shape().Dimensions[0], -1), AxisRange(), AxisRange(0, c.Values()))
	return next, d
}

// LossGraph is the loss of each clip, [batch].
func (c Classifier) LossGraph(b *nn.Builder, scope *model.Scope, clip *Node, d Draws) *Node {
	loss, _ := c.ErrorGraph(b, scope, clip, d)
	return loss
}

// ErrorGraph is the loss of each clip, the sum over all classes of the cross-entropy of whether the
// clip shows it, times the weight of the level; and which clips are [classified] right. Both are
// [batch].
func (c Classifier) ErrorGraph(b *nn.Builder, scope *model.Scope, clip *Node, d Draws) (loss, right *Node) {
	_, xt, _ := c.given(clip, d)
	logits := c.logits(b, scope, xt, d.Level)
	// -log p is softplus(-logit) for a class that the clip shows, and softplus(logit) for another.
	entropy := softplus(Mul(logits, OneMinus(MulScalar(d.Labels, 2))))
	return Mul(ReduceSum(entropy, 1), Reshape(d.Level.Weight, -1)), classified(logits, d.Labels)
}

// classified is 1 for the clips that are classified right and 0 for the others, [batch]. A clip is right
// if each class that it shows is more probable than each that it doesn't. If it shows none, all have to
// be less probable than 1/2. Logits and labels are [batch, classes].
func classified(logits, labels *Node) *Node {
	shown, far := GreaterThan(labels, ZerosLike(labels)), MulScalar(OnesLike(logits), 1e30)
	least := ReduceMin(Where(shown, logits, far), 1)
	least = Where(GreaterThan(ReduceMax(labels, 1), ZerosLike(least)), least, ZerosLike(least))
	most := ReduceMax(Where(shown, Neg(far), logits), 1)
	return ConvertDType(GreaterThan(least, most), logits.DType())
}

// logits are those of frames x_t at a level, [batch, classes]. The network gets frames of about the
// same variance at all levels, whatever the schedule: x_t divided by the root of signal^2 +
// noise^2.
func (m *Model) logits(b *nn.Builder, scope *model.Scope, xt *Node, l diffusion.LevelNodes) *Node {
	x := Div(xt, Sqrt(Add(Square(l.Signal), Square(l.Noise))))
	return network.Build(m.Network, b, scope, network.Input{X: x, Label: m.labels(l.Label, xt.Shape().Dimensions[0])})
}

// softplus is log(1 + e^x). Its gradient is exact and finite for every x.
func softplus(x *Node) *Node {
	largest := StopGradient(MaxScalar(x, 0))
	return Add(largest, Log(Add(Exp(Neg(largest)), Exp(Sub(x, largest)))))
}

// LoadClassifier makes classifier what guidance leads this model with, and loads its averaged
// weights from a file into a store that has this model's. It is an error if that is no classifier,
// doesn't tell one of the classes apart, or has blocks of another shape or other noise levels.
func (m *Model) LoadClassifier(backend compute.Backend, store *model.Store, f *weights.File, classifier *Model, classes []string) error {
	names := classifier.Classes()
	if names == nil {
		return errors.New("not a classifier, want a run with model.network: classifier")
	}
	for _, class := range classes {
		if !slices.Contains(names, class) {
			return fmt.Errorf("no class %q, want some of %s", class, strings.Join(names, ", "))
		}
	}
	block := func(m *Model) string {
		return fmt.Sprintf("frames.current %d, data.size %s and data.channels %d", m.Frames.Current, configs.Data{Size: m.Height, Width: m.Width}.Sides(), m.Channels)
	}
	if got, want := block(classifier), block(m); got != want {
		return fmt.Errorf("a classifier with %s, want those of the run: %s", got, want)
	}
	if err := sameLevels(classifier.Schedule, m.Schedule); err != nil {
		return err
	}
	problems, err := classifier.load(backend, store.Scope("/"+ClassifierScope), f, EMAScope)
	if err = cmp.Or(err, notOurs(problems)); err == nil {
		m.Classifier = classifier
	}
	return err
}

// sameLevels compares the noise levels that a classifier learned with those that it is to see: all
// of a discrete schedule, and some of a continuous one.
func sameLevels(got, want diffusion.Schedule) error {
	n := cmp.Or(want.Steps(), 128)
	for i := range n {
		u := float64(i+1) / float64(n)
		if a, b := got.Level(u), want.Level(u); got.Steps() != want.Steps() || a != b {
			return fmt.Errorf("a classifier of other noise levels (%v of %d steps, the run has %v of %d): want one with the same diffusion.steps, schedule and options of it",
				a, got.Steps(), b, want.Steps())
		}
	}
	return nil
}

// logProb is log p(classes | x_t) by the classifier: the sum of those of the classes, which are
// independent of each other. It is nil if there is no classifier.
func (m *Model) logProb(b *nn.Builder, scope *model.Scope, classes []string) guidance.LogProb {
	if m.Classifier == nil {
		return nil
	}
	of := scope.Store().Scope("/" + ClassifierScope)
	wanted := make([]float32, len(m.Classifier.Classes()))
	for i, class := range m.Classifier.Classes() {
		if slices.Contains(classes, class) {
			wanted[i] = 1
		}
	}
	return func(x *Node, at diffusion.LevelNodes) *Node {
		each := Neg(softplus(Neg(m.Classifier.logits(b, of, x, at)))) // log of the logistic function
		return ReduceSum(Mul(each, InsertAxes(Const(x.Graph(), wanted), 0)), 1)
	}
}
