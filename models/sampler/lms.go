package sampler

import (
	. "github.com/gomlx/gomlx/core/graph"

	"mcvd/models/diffusion"
)

// LMS is the linear multistep method of Adams and Bashforth on the probability-flow ODE in sigma =
// noise/signal, whose slope is eps: eps is the polynomial in sigma through the last predictions.
// The steps may have different lengths.
type LMS struct {
	single
	Order int `yaml:"order" range:"[1, 4]" doc:"How many predictions a step uses: that of the step and those before it. 1 is Euler's method."`
}

// History is the noise that the steps before predicted.
func (l LMS) History() int { return l.Order - 1 }

// Noisy is false.
func (LMS) Noisy() bool { return false }

// Coefs returns the weights of x0 and of the noise predicted now and before. With c the integrals of
// Lagrange's polynomials over the step,
//
//	x_next/signal_next = x0 + (sigma + c) eps + c_before eps_before + ...
//
// because x/signal = x0 + sigma eps. From a level without signal, where sigma is infinite, and to
// clean frames the step is Euler's.
func (l LMS) Coefs(steps []Step, i int) Coefs {
	return adamsBashforth(steps, i, l.Order-1, func(s Step) (from, to float64) { return s.From.Sigma(), s.To.Sigma() })
}

// adamsBashforth are the weights of a step whose eps is a polynomial in a variable of the levels,
// through up to most predictions before. eps is averaged over the step in this variable.
func adamsBashforth(steps []Step, i, most int, variable func(s Step) (from, to float64)) Coefs {
	s := steps[i]
	c := Coefs{"x0": s.To.Signal, "now": s.To.Noise}
	for k := range most {
		c[before(k+1)] = 0
	}
	past := usable(steps, i, most)
	if past == 0 || s.To.Noise == 0 {
		return c
	}
	start, end := variable(s)
	at, moments := make([]float64, past+1), make([]float64, past+1) // in units of the step
	for k := range at {
		from, _ := variable(steps[i-k])
		at[k], moments[k] = (from-start)/(end-start), 1/float64(k+1)
	}
	length := s.To.Noise - s.To.Signal*s.From.Sigma() // signal_next (sigma_next - sigma)
	for k, w := range polynomialMean(at, moments) {
		if k == 0 {
			c["now"] = s.To.Signal*s.From.Sigma() + length*w
		} else {
			c[before(k)] = length * w
		}
	}
	return c
}

// StepGraph is the weighted sum. Where x0 is clipped, eps follows it.
func (LMS) StepGraph(denoise Denoiser, in State, c CoefNodes) (*Node, []*Node) {
	x0, eps := predict(denoise, in.X, in, 0)
	return adamsBashforthGraph(x0, eps, in.History, c), remember(eps, in.History)
}

func adamsBashforthGraph(x0, eps *Node, history []*Node, c CoefNodes) *Node {
	x := Sum(Mul(c["x0"], x0), Mul(c["now"], eps))
	for k, e := range history {
		x = Add(x, Mul(c[before(k+1)], e))
	}
	return x
}

// predict returns the clean frames that the network predicts for x at a level of the step, and the
// noise that is then in x.
func predict(denoise Denoiser, x *Node, in State, at int) (x0, eps *Node) {
	l := in.At[at]
	x0 = denoise(x, l).X0
	return x0, diffusion.EpsFromX0(x, x0, l.Signal, l.Noise)
}
