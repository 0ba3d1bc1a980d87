package sampler

import (
	"math"

	. "github.com/gomlx/gomlx/core/graph"
)

// UniPC is the unified predictor-corrector (Zhao et al. 2023, UniPC, algorithms 5 and 6) for
// predicted clean frames. A step evaluates the network once. With this prediction it first corrects
// the step that led here, and then predicts the next level. So the corrector costs no evaluation.
type UniPC struct {
	single
	Order   int    `yaml:"order" range:"[1, 3]" doc:"The order of the predictor: it uses so many predictions, and the corrector one more."`
	Variant string `yaml:"variant" choices:"bh1 bh2" doc:"The function B(h) of the paper where a single difference is used: bh1 is h, bh2 is 1 - e^-h, which is better with few steps."`
}

// History is x before this step as it was corrected, then the clean frames that the steps before
// predicted.
func (u UniPC) History() int { return 1 + u.Order }

// Noisy is false.
func (UniPC) Noisy() bool { return false }

// order is how many predictions step i uses, if there are so many. It falls towards clean frames,
// where the last steps are long in log-SNR, and a polynomial through few predictions is safer.
func (u UniPC) order(steps []Step, i int) int {
	order := min(u.Order, usable(steps, i, u.Order-1)+1)
	for left := 1; left < order && i+left-1 < len(steps); left++ {
		if steps[i+left-1].To.Noise == 0 {
			return left
		}
	}
	return order
}

// Coefs returns the weights of the correction (of x as it was predicted, and otherwise of the
// corrected x before, of this prediction and of those before), and the weights of the next step.
func (u UniPC) Coefs(steps []Step, i int) Coefs {
	c := Coefs{"predicted": 1, "corrected": 0, "at_end": 0, "x": 0, "now": 0}
	for k := range u.Order {
		c["end_"+before(k+1)], c[before(k+1)] = 0, 0
	}
	if i > 0 && steps[i-1].From.Signal > 0 && steps[i-1].To.Noise > 0 {
		order := u.order(steps, i-1)
		at := lambdasBefore(steps, i-1, order-1)
		c["predicted"] = 0
		var weights []float64
		c["corrected"], weights = u.weights(steps[i-1], append(at, 1))
		c["at_end"] = weights[order]
		for k := range order {
			c["end_"+before(k+1)] = weights[k]
		}
	}
	var weights []float64
	c["x"], weights = u.weights(steps[i], lambdasBefore(steps, i, u.order(steps, i)-1))
	c["now"] = weights[0]
	for k := 1; k < len(weights); k++ {
		c[before(k)] = weights[k]
	}
	return c
}

// weights are those of x and of predictions at points, in units of the step, the first at 0. They
// integrate the polynomial through the predictions exactly, which solves UniPC, eq. 8. From a single
// difference its weight follows from B(h) (UniPC, section 3.1: a_1 = 1/2).
func (u UniPC) weights(s Step, at []float64) (x float64, weights []float64) {
	x, total, _ := linearStep(s, 0)
	if s.To.Noise == 0 || len(at) == 1 {
		weights = make([]float64, len(at))
		weights[0] = total
		return x, weights
	}
	h := lambdaStep(s)
	if len(at) == 2 {
		b := h
		if u.Variant == "bh2" {
			b = -math.Expm1(-h)
		}
		difference := s.To.Signal * b / (2 * at[1])
		return x, []float64{total - difference, difference}
	}
	weights = exponentialWeights(at, h)
	for k := range weights {
		weights[k] *= total
	}
	return x, weights
}

// StepGraph corrects x, and makes the next step from there.
func (u UniPC) StepGraph(denoise Denoiser, in State, c CoefNodes) (*Node, []*Node) {
	x0 := denoise(in.X, in.At[0]).X0
	corrected := Sum(Mul(c["predicted"], in.X), Mul(c["corrected"], in.History[0]), Mul(c["at_end"], x0))
	for k, b := range in.History[1:] {
		corrected = Add(corrected, Mul(c["end_"+before(k+1)], b))
	}
	x := Sum(Mul(c["x"], corrected), Mul(c["now"], x0))
	for k, b := range in.History[1:] {
		x = Add(x, Mul(c[before(k+1)], b))
	}
	return x, append([]*Node{corrected}, remember(x0, in.History[1:])...)
}
