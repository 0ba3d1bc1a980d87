package sampler

import (
	"fmt"
	"math"

	. "github.com/gomlx/gomlx/core/graph"
)

// Exponential integrators solve the reverse process in lambda, half of the log-SNR, where its linear
// part has an exact solution (Lu et al. 2022, DPM-Solver++, proposition 4.1):
//
//	x_next = sigma_next/sigma x + alpha_next int_0^h e^(tau-h) x0(lambda + tau) dtau
//
// h is the step in lambda. x0 is the polynomial through the clean frames that were predicted in this
// step and in those before. So a step is a weighted sum, whose weights the host computes.

// before is the name of the weight of what was predicted k steps ago.
func before(k int) string {
	if k == 1 {
		return "before"
	}
	return fmt.Sprintf("before%d", k)
}

// multistep is embedded in samplers whose step is a weighted sum of x, of the clean frames predicted
// now and in steps before, and of noise:
//
//	x_next = x x + now x0 + before x0_before + ... + sigma z
type multistep struct{ single }

// StepGraph is the weighted sum. The clean frames that were predicted become history.
func (multistep) StepGraph(denoise Denoiser, in State, c CoefNodes) (*Node, []*Node) {
	p := denoise(in.X, in.At[0])
	x := Sum(Mul(c["x"], in.X), Mul(c["now"], p.X0))
	for k, x0 := range in.History {
		x = Add(x, Mul(c[before(k+1)], x0))
	}
	if in.Noise != nil {
		x = Add(x, Mul(c["sigma"], in.Noise))
	}
	return x, remember(p.X0, in.History)
}

// remember puts the newest in front of what is kept, and drops the oldest.
func remember(newest *Node, kept []*Node) []*Node {
	if len(kept) == 0 {
		return nil
	}
	return append([]*Node{newest}, kept[:len(kept)-1]...)
}

// linearStep is a step of first order, which all others start from: the weights of x and of x0, and
// the noise that is added. eta scales how fast noise is replaced by fresh noise: 0 is the ODE, 1 the
// reverse SDE.
func linearStep(s Step, eta float64) (x, now, sigma float64) {
	keep := 1.0 // of the noise that is there
	if eta > 0 {
		keep = math.Exp(-eta * lambdaStep(s))
	}
	x = s.To.Noise / s.From.Noise * keep
	return x, s.To.Signal - x*s.From.Signal, s.To.Noise * math.Sqrt(1-keep*keep)
}

// lambdaStep is the step in lambda, half of the log-SNR. It is infinite from a level without signal
// and to clean frames.
func lambdaStep(s Step) float64 { return (s.To.LogSNR() - s.From.LogSNR()) / 2 }

// usable is how many steps right before steps[i] began at levels with signal, at most most. Their
// predictions lie on a polynomial with this step's; one from a level without signal is infinitely
// far away.
func usable(steps []Step, i, most int) int {
	n := 0
	for n < most && n < i && steps[i-n-1].From.Signal > 0 {
		n++
	}
	if steps[i].From.Signal == 0 {
		return 0
	}
	return n
}

// exponential returns the weights of a step that uses the predictions of up to most steps before.
// The last step, to clean frames, is of first order.
func exponential(steps []Step, i, most int, eta float64) Coefs {
	s := steps[i]
	x, now, sigma := linearStep(s, eta)
	c := Coefs{"x": x, "sigma": sigma}
	weights := []float64{1}
	if past := usable(steps, i, most); past > 0 && s.To.Noise > 0 {
		weights = exponentialWeights(lambdasBefore(steps, i, past), lambdaStep(s)*(1+eta))
	}
	total := now // alpha_next (1 - e^-h): what x0 gets where it is constant
	for k := range most + 1 {
		name := "now"
		if k > 0 {
			name = before(k)
		}
		if c[name] = 0; k < len(weights) {
			c[name] = total * weights[k]
		}
	}
	return c
}

// lambdasBefore is where the predictions of this step and of past steps before it lie, in units of
// this step: 0, then negative numbers.
func lambdasBefore(steps []Step, i, past int) []float64 {
	at := make([]float64, past+1)
	for k := range at {
		at[k] = (steps[i-k].From.LogSNR() - steps[i].From.LogSNR()) / 2 / lambdaStep(steps[i])
	}
	return at
}

// exponentialWeights are the weights of values at the points at, in units of a step, in the mean
// over the step, from 0 to 1, of the polynomial through them. Later times count more, by e^(h s).
// They sum to 1.
func exponentialWeights(at []float64, h float64) []float64 {
	moments := make([]float64, len(at))
	for k := range moments {
		moments[k] = moment(k, h)
	}
	for k := len(moments) - 1; k >= 0; k-- {
		moments[k] /= moments[0]
	}
	return polynomialMean(at, moments)
}

// moment is int_0^1 h e^(h (s-1)) s^k ds, as a series of positive terms.
func moment(k int, h float64) float64 {
	sum, power := 0.0, h // h^(n+1) / n!
	for n := 0; ; n++ {
		term := power / float64(n+k+1)
		if sum += term; term <= 1e-17*sum {
			return sum * math.Exp(-h)
		}
		power *= h / float64(n+1)
	}
}

// polynomialMean are the weights of values at points in the mean of the polynomial through them,
// where moments are the means of the powers: it expands Lagrange's polynomials.
func polynomialMean(at, moments []float64) []float64 {
	weights := make([]float64, len(at))
	for j := range at {
		basis := []float64{1} // coefficients of L_j, from the power 0 on
		for m := range at {
			if m == j {
				continue
			}
			next := make([]float64, len(basis)+1)
			for power, c := range basis {
				next[power+1] += c / (at[j] - at[m])
				next[power] -= c * at[m] / (at[j] - at[m])
			}
			basis = next
		}
		for power, c := range basis {
			weights[j] += c * moments[power]
		}
	}
	return weights
}
