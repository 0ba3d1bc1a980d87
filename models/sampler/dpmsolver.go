package sampler

import (
	. "github.com/gomlx/gomlx/core/graph"
)

// DPMSolver2M is DPM-Solver++(2M) (Lu et al. 2022, DPM-Solver++, algorithm 2). It is a
// deterministic solver of second order. It evaluates the network once a step, and also uses the
// clean frames that were predicted in the step before.
type DPMSolver2M struct{ single }

// History is 1: the clean frames that the step before predicted.
func (DPMSolver2M) History() int { return 1 }

// Noisy is false.
func (DPMSolver2M) Noisy() bool { return false }

// Coefs returns the weights of x, of the clean frames predicted now and of those predicted before.
//
// lambda is half of the log-SNR, h its change in this step and h' its change in the step before.
// The clean frames are extrapolated by r = h / 2h'. In the first step there is nothing to
// extrapolate from, and in the last step, to clean frames, h is infinite. Both are of first order.
func (DPMSolver2M) Coefs(steps []Step, i int) Coefs {
	from, to := steps[i].From, steps[i].To
	r := 0.0
	if i > 0 && to.Noise > 0 {
		r = (to.LogSNR() - from.LogSNR()) / (2 * (from.LogSNR() - steps[i-1].From.LogSNR()))
	}
	x := to.Noise / from.Noise
	data := to.Signal - x*from.Signal // -alpha_next (e^-h - 1)
	return Coefs{"x": x, "now": data * (1 + r), "before": -data * r}
}

// StepGraph is DPM-Solver++(2M):
//
//	x_next = sigma_next/sigma x - alpha_next (e^-h - 1) ((1 + r) x0 - r x0_before)
func (DPMSolver2M) StepGraph(denoise Denoiser, in State, c CoefNodes) (*Node, []*Node) {
	p := denoise(in.X, in.At[0])
	return Sum(Mul(c["x"], in.X), Mul(c["now"], p.X0), Mul(c["before"], in.History[0])), []*Node{p.X0}
}
