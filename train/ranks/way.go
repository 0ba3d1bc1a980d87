package ranks

import (
	"errors"
	"fmt"

	"mcvd/configs"
)

// way is how ranks share what they learn. It is its options.
type way interface {
	// exchange is how vectors are added up.
	exchange() Exchange
	// outer is the update of the weights that follows an exchange of weights; nil if gradients are
	// exchanged instead, in each step.
	outer() *Outer
}

const (
	choicePath  = "train.ranks.name"
	optionsPath = "train.ranks.options"
)

// ways are the values of train.ranks.name.
var ways = map[string]way{
	"gradients": gradients{Sum: "ordered", Precision: "float32"},
	"local":     local{Every: 8, Rate: 1, Precision: "float32"},
}

// Tables are what there is to choose from.
func Tables() []configs.Table { return []configs.Table{configs.TableOf(choicePath, optionsPath, ways)} }

// Ways lists the ways in which ranks share what they learn.
func Ways() []string { return configs.Names(ways) }

// New is how the ranks of an experiment share what they learn: outer is nil if they exchange gradients.
func New(c configs.Ranks) (how Exchange, outer *Outer, err error) {
	w, err := configs.Build(ways, choicePath, c.Name, optionsPath, c.Options)
	if err != nil {
		return how, nil, err
	}
	return w.exchange(), w.outer(), nil
}

// gradients adds up the gradients of all ranks in each step. So a step is that of one process.
type gradients struct {
	Sum       string `yaml:"sum" choices:"ordered library" doc:"How the values of ranks are added up: ordered (those of rank 0, 1, 2 and so on: the same bits every time, with any MPI) or library (by MPI_Allreduce, in the order that the library likes)."`
	Precision string `yaml:"precision" choices:"float32 bfloat16" doc:"What gradients are sent as. bfloat16 is half as many bytes, with a relative error of up to 1/256 in each value; they are added up in float32, in the order of ranks."`
}

func (g gradients) exchange() Exchange {
	return Exchange{InOrder: g.Sum == "ordered", Half: g.Precision == "bfloat16"}
}

func (g gradients) outer() *Outer { return nil }

// local lets each rank make steps by itself, and exchanges weights from time to time (DiLoCo; Douillard et
// al. 2023).
type local struct {
	Every     int     `yaml:"sync_every" range:"[1, 1e6]" doc:"The number of steps that each rank makes by itself, with its own part of each batch. train.steps, checkpoint_every, validate_every, sample_every and scores.every must be multiples of it, and stops wait for the end of such a round."`
	Rate      float64 `yaml:"rate" range:"(0, 10]" doc:"The learning rate of the outer update, which follows the mean of what the ranks have learned. With 1 and no momentum the weights become their mean. DiLoCo has 0.7, with momentum 0.9, for rounds of hundreds of steps."`
	Momentum  float64 `yaml:"momentum" range:"[0, 1)" doc:"The momentum of the outer update (Nesterov's)."`
	Precision string  `yaml:"precision" choices:"float32 bfloat16" doc:"What changes of weights, and what optimizer and average remember, are sent as."`
}

func (l local) exchange() Exchange { return Exchange{InOrder: true, Half: l.Precision == "bfloat16"} }
func (l local) outer() *Outer      { return &Outer{l.Every, l.Rate, l.Momentum} }

// Outer is an update of weights by what ranks have learned in steps of their own.
type Outer struct {
	Every    int // steps of a round
	Rate     float64
	Momentum float64
}

// Step updates weights by the mean over ranks of how much they have fallen since. momentum is what is
// remembered between updates, zeros at first.
//
//	v = momentum v + fallen
//	w = w - rate (fallen + momentum v)
func (o Outer) Step(w, fallen, momentum []float32) {
	rate, mu := float32(o.Rate), float32(o.Momentum)
	for i, d := range fallen {
		momentum[i] = mu*momentum[i] + d
		w[i] -= rate * (d + mu*momentum[i])
	}
}

// Check reports steps, and distances between checkpoints, validations, samples and scores, that are no multiples
// of a round of steps that ranks make by themselves: in between, each has weights of its own.
func Check(c *configs.Config) error {
	_, outer, err := New(c.Train.Ranks)
	if err != nil || outer == nil {
		return err
	}
	var problems []error
	t := c.Train
	for _, of := range []struct {
		path  string
		every int
	}{{"train.steps", t.Steps}, {"train.checkpoint_every", t.CheckpointEvery}, {"train.validate_every", t.ValidateEvery}, {"train.sample_every", t.SampleEvery}, {"train.scores.every", t.Scores.Every}} {
		if of.every%outer.Every != 0 {
			problems = append(problems, configs.Problem{Path: of.path, Text: fmt.Sprintf("%d, want a multiple of %s.sync_every, %d", of.every, optionsPath, outer.Every)})
		}
	}
	return errors.Join(problems...)
}
