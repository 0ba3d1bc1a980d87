package optimizer

import (
	"math"

	"mcvd/configs"
)

// rate is a schedule of the learning rate after the warm-up. It is a pointer to its options.
type rate interface {
	// share is the share of the learning rate after the share done of the updates that follow the
	// warm-up; both are 0 to 1.
	share(done float64) float64
}

// rates are the values of optimizer.schedule.
var rates = map[string]func() rate{
	"constant": func() rate { return &constantRate{} },
	"cosine":   func() rate { return &cosineRate{} },
	"linear":   func() rate { return &linearRate{} },
}

// Rates lists the schedules of the learning rate.
func Rates() []string { return configs.Names(rates) }

type constantRate struct{}

func (*constantRate) share(float64) float64 { return 1 }

// final is the end of a schedule that falls.
type final struct {
	Final float64 `yaml:"final" range:"[0, 1]" doc:"The share of the learning rate that is left at train.steps."`
}

// cosineRate falls along half a cosine (Loshchilov and Hutter 2017, SGDR, eq. 5, without restarts).
type cosineRate struct {
	final `yaml:",inline"`
}

func (c *cosineRate) share(done float64) float64 {
	return c.Final + (1-c.Final)*(1+math.Cos(math.Pi*done))/2
}

// linearRate falls along a line.
type linearRate struct {
	final `yaml:",inline"`
}

func (l *linearRate) share(done float64) float64 { return 1 + (l.Final-1)*done }
