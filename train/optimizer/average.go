package optimizer

import (
	"math"

	"mcvd/configs"
)

// average is a moving average of the weights (EMA). It is a pointer to its options.
type average interface {
	// decay is the share of the average that stays at an update, counted from 1.
	decay(update int) float64
}

// averages are the values of optimizer.ema.
var averages = map[string]func() average{
	"constant": func() average { return &constantAverage{Share: 0.999} },
	"power":    func() average { return &powerAverage{SigmaRel: 0.1} },
}

// Averages lists the averages of the weights.
func Averages() []string { return configs.Names(averages) }

// constantAverage keeps the same share at every update.
type constantAverage struct {
	Share float64 `yaml:"ema_decay" range:"[0, 1)" doc:"The share of the average that stays at each update. With 0 the average is the weights themselves."`
}

func (c *constantAverage) decay(int) float64 { return c.Share }

// powerAverage gives the weights of update t the weight t^gamma (Karras et al. 2024, EDM2, section
// 3.1). Its width grows with training. So it forgets the first updates quickly, and still averages
// over many updates later on.
type powerAverage struct {
	SigmaRel float64 `yaml:"sigma_rel" range:"(0, 0.28]" doc:"The width of the average: its standard deviation over the updates, as a share of the training so far."`
}

// decay is (1 - 1/t)^(gamma+1) (EDM2, eq. 127): the first average is the weights themselves.
func (p *powerAverage) decay(update int) float64 {
	return math.Pow(1-1/float64(update), p.gamma()+1)
}

// gamma solves sigma_rel = sqrt((gamma+1) / ((gamma+2)^2 (gamma+3))) (EDM2, eq. 123), which falls
// with gamma, by halving an interval.
func (p *powerAverage) gamma() float64 {
	low, high := 0.0, 1e6
	for range 200 {
		middle := (low + high) / 2
		if math.Sqrt((middle+1)/((middle+2)*(middle+2)*(middle+3))) > p.SigmaRel {
			low = middle
		} else {
			high = middle
		}
	}
	return low
}
