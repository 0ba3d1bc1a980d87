// Package optimizer updates weights: optimizers, schedules of the learning rate and averages of the
// weights, and their tables.
package optimizer

import (
	"errors"
	"fmt"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"mcvd/configs"
	"mcvd/models"
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
	scalars := make([]*Node, in[0].Shape().Dimensions[0])
	for i := range scalars {
		scalars[i] = Reshape(Slice(in[0], AxisElem(i)))
	}
	i := 0
	for v := range scope.At(models.WeightsScope).IterVariables() {
		i++
		beside := func(s string) *model.Variable {
			return scope.Store().GetVariable("/" + s + v.Path()[len("/"+models.WeightsScope):])
		}
		var state []*Node
		for _, s := range u.optimizer.state() {
			state = append(state, beside(s).NodeValue(g))
		}
		w, state := u.optimizer.updateGraph(v.NodeValue(g), in[i], state, scalars[2:])
		for k, s := range u.optimizer.state() {
			beside(s).SetNodeValue(state[k])
		}
		v.SetNodeValue(w)
		ema := beside(models.EMAScope)
		ema.SetNodeValue(Add(Mul(ema.NodeValue(g), scalars[0]), Mul(w, scalars[1])))
	}
	if i != len(in)-1 {
		panic(fmt.Errorf("%d gradients for %d parameters", len(in)-1, i))
	}
	return []*Node{in[0]}
}
