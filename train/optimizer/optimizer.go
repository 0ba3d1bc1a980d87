// Package optimizer updates weights: optimizers, schedules of the learning rate and averages of the
// weights, and their tables.
package optimizer

import (
	"errors"
	"fmt"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"mcvd/configs"
	"mcvd/models"
	"mcvd/models/nn"
)

// optimizer turns gradients into new weights. The host computes its scalars in float64; its formula
// stands in a graph.
type optimizer interface {
	// state names the scopes of what is remembered of each weight between updates. At first these
	// are zeros.
	state() []string
	// coefs are the scalars of an update, counted from 1, at a learning rate. clip is the factor
	// that bounds the gradients' norm.
	coefs(update int, rate, clip float64) []float64
	// updateGraph computes a weight and its state after an update from those before it and a
	// gradient.
	updateGraph(w, gradient *Node, state, coefs []*Node) (newW *Node, newState []*Node)
	// kernel names the kernel of xlakernels that makes such an update together with that of the average,
	// or is empty. The formula of a kernel has no scalars but coefs.
	kernel() string
}

// optionsPath is where the options of schedules and averages stand. Optimizers may have some there,
// too.
const optionsPath = "optimizer.options"

// optimizers are the values of optimizer.name.
var optimizers = map[string]func(configs.Optimizer) optimizer{
	"adam":  newAdam,
	"adamw": newAdamW,
}

// Names lists the optimizers.
func Names() []string { return configs.Names(optimizers) }

// Update is what an update of the weights is made of, as the configuration describes it.
type Update struct {
	configs.Optimizer
	optimizer optimizer
	rate      rate
	average   average
	steps     int // after which training ends
}

// New makes the update that the configuration describes. It checks every name and option in it and
// reports all problems.
func New(c *configs.Config) (*Update, error) {
	o := c.Optimizer
	build, optimizerErr := configs.Pick(optimizers, "optimizer.name", o.Name)
	shape, rateErr := configs.Pick(rates, "optimizer.schedule", o.Schedule)
	mean, averageErr := configs.Pick(averages, "optimizer.ema", o.EMA)
	if err := errors.Join(optimizerErr, rateErr, averageErr); err != nil {
		return nil, err
	}
	u := &Update{Optimizer: o, optimizer: build(o), rate: shape(), average: mean(), steps: c.Train.Steps}
	return u, o.Options.Decode(optionsPath, u.rate, u.average)
}

// Unused reports a schedule of the learning rate that never sets in, because training ends before the
// warm-up does.
func Unused(c *configs.Config) error {
	u, err := New(c)
	if err != nil {
		return err
	}
	var p configs.Problems
	if u.steps <= u.WarmupSteps && u.rate.share(0) != u.rate.share(1) {
		p.Unused("optimizer.schedule", c.Optimizer.Schedule, fmt.Sprintf("training ends before the warm-up does (train.steps: %d, optimizer.warmup_steps: %d)",
			u.steps, u.WarmupSteps), "train.steps", "optimizer.warmup_steps")
	}
	return p.Err()
}

// Tables are what there is to choose from for an update, with the options.
func Tables() []configs.Table {
	table := configs.TableOf("optimizer.name", optionsPath, optimizers)
	schedule := configs.Table{Choice: "optimizer.schedule", Section: optionsPath, Options: map[string]any{}}
	for name, shape := range rates {
		schedule.Options[name] = shape()
	}
	ema := configs.Table{Choice: "optimizer.ema", Section: optionsPath, Options: map[string]any{}}
	for name, mean := range averages {
		ema.Options[name] = mean()
	}
	return []configs.Table{table, schedule, ema}
}

// Remembered are the scopes of what the optimizer remembers of each weight: zeros at first.
func (u *Update) Remembered() []string { return u.optimizer.state() }

// Scopes are the scopes of everything that a checkpoint holds.
func (u *Update) Scopes() []string {
	return append([]string{models.WeightsScope, models.EMAScope}, u.optimizer.state()...)
}

// Scalars are those that the host computes for [Update.Graph]: the decay of the average and its
// complement, then the optimizer's.
func (u *Update) Scalars(number int, norm float64) (scalars []float32, learningRate float64) {
	learningRate = u.LearningRate * u.share(number)
	clip := 1.0
	if u.ClipNorm > 0 {
		clip = min(1, u.ClipNorm/(norm+1e-6))
	}
	decay := u.average.decay(number)
	for _, x := range append([]float64{decay, 1 - decay}, u.optimizer.coefs(number, learningRate, clip)...) {
		scalars = append(scalars, float32(x))
	}
	return scalars, learningRate
}

// ChangedRate says how another train.steps changes the learning rates to come, with that of the
// next update as an example. It is empty if they don't depend on it.
func ChangedRate(was, is *configs.Config, next int) (string, error) {
	before, err := New(was)
	if err != nil {
		return "", err
	}
	after, err := New(is)
	if err != nil {
		return "", err
	}
	if last := min(before.steps, after.steps); before.share(last) == after.share(last) {
		return "", nil
	}
	return fmt.Sprintf("optimizer.schedule %s ends at train.steps, which was %d and is %d: from here on the learning rate is another, %.4g instead of %.4g in the next step",
		is.Optimizer.Schedule, before.steps, after.steps, after.LearningRate*after.share(next), before.LearningRate*before.share(next)), nil
}

// share is the share of the learning rate that an update has: a linear warm-up, then the
// schedule's.
func (u *Update) share(number int) float64 {
	if number < u.WarmupSteps {
		return float64(number) / float64(u.WarmupSteps)
	}
	done := 1.0
	if u.steps > u.WarmupSteps {
		done = min(1, float64(number-u.WarmupSteps)/float64(u.steps-u.WarmupSteps))
	}
	return u.rate.share(done)
}

// Graph is one update of the weights and of their average,
//
//	ema = decay ema + (1-decay) w
//
// Inputs: the scalars of [Update.Scalars], then the gradients.
func (u *Update) Graph(scope *model.Scope, in []*Node) []*Node {
	g := in[0].Graph()
	scope.Store().SetTraining(g, true) // else updates are dropped
	scopes := append(append([]string{models.WeightsScope}, u.optimizer.state()...), models.EMAScope)
	update := u.updateOf(in[0])
	i := 0
	for v := range scope.At(models.WeightsScope).IterVariables() {
		i++
		var variables []*model.Variable
		var values []*Node
		for _, s := range scopes {
			beside := scope.Store().GetVariable("/" + s + v.Path()[len("/"+models.WeightsScope):])
			variables, values = append(variables, beside), append(values, beside.NodeValue(g))
		}
		for k, value := range update(in[i], values) {
			variables[k].SetNodeValue(value)
		}
	}
	if i != len(in)-1 {
		panic(fmt.Errorf("%d gradients for %d parameters", len(in)-1, i))
	}
	return []*Node{in[0]}
}

// Inputs are the shapes of the inputs of [Update.Graph].
func (u *Update) Inputs(scope *model.Scope) []shapes.Shape {
	scalars, _ := u.Scalars(1, 1)
	in := []shapes.Shape{shapes.Make(dtypes.Float32, len(scalars))}
	for v := range scope.At(models.WeightsScope).IterVariables() {
		in = append(in, v.Shape())
	}
	return in
}

// updateOf is the update with these scalars of one weight, the optimizer's state of it, and its average. A
// kernel makes it if there is one.
func (u *Update) updateOf(scalars *Node) func(gradient *Node, values []*Node) []*Node {
	if name := u.optimizer.kernel(); name != "" && nn.KernelsServe(scalars.Graph()) {
		return func(gradient *Node, values []*Node) []*Node {
			return nn.Kernel(name, func(in []*Node) []*Node { return u.formula(in[0], each(in[1]), in[2:]) }, append([]*Node{gradient, scalars}, values...)...)
		}
	}
	all := each(scalars)
	return func(gradient *Node, values []*Node) []*Node { return u.formula(gradient, all, values) }
}

// each is the scalars of a vector.
func each(vector *Node) []*Node {
	scalars := make([]*Node, vector.Shape().Dimensions[0])
	for i := range scalars {
		scalars[i] = Reshape(Slice(vector, AxisElem(i)))
	}
	return scalars
}

func (u *Update) formula(gradient *Node, scalars, values []*Node) []*Node {
	last := len(values) - 1
	w, state := u.optimizer.updateGraph(values[0], gradient, values[1:last], scalars[2:])
	ema := Add(Mul(values[last], scalars[0]), Mul(w, scalars[1]))
	return append(append([]*Node{w}, state...), ema)
}
