package sampler

// DPMSolver2M is DPM-Solver++(2M) (Lu et al. 2022, DPM-Solver++, algorithm 2). It is a
// deterministic solver of second order. It evaluates the network once a step, and also uses the
// clean frames that were predicted in the step before.
type DPMSolver2M struct{ multistep }

// History is 1: the clean frames that the step before predicted.
func (DPMSolver2M) History() int { return 1 }

// Noisy is false.
func (DPMSolver2M) Noisy() bool { return false }

// Coefs are those of [dpmSolver2M] without noise.
func (DPMSolver2M) Coefs(steps []Step, i int) Coefs { return dpmSolver2M(steps, i, 0) }

// dpmSolver2M returns the weights of x, of the clean frames predicted now and of those predicted
// before, and the deviation of the noise:
//
//	x_next = sigma_next/sigma e^(-eta h) x + alpha_next (1 - e^(-(1 + eta) h)) ((1 + r) x0 - r x0_before)
//
// h is the step in half of the log-SNR, h' the one before. The clean frames are extrapolated to the
// middle of the step, by r = h / 2h'. In the first step there is nothing to extrapolate from, and in
// the last step, to clean frames, h is infinite. Both are of first order.
func dpmSolver2M(steps []Step, i int, eta float64) Coefs {
	x, data, sigma := linearStep(steps[i], eta)
	r := 0.0
	if usable(steps, i, 1) == 1 && steps[i].To.Noise > 0 {
		r = lambdaStep(steps[i]) / (steps[i].From.LogSNR() - steps[i-1].From.LogSNR())
	}
	return Coefs{"x": x, "now": data * (1 + r), "before": -data * r, "sigma": sigma}
}

// DPMSolver2MSDE is DPM-Solver++(2M) for the reverse SDE (Lu et al. 2022, DPM-Solver++,
// SDE-DPM-Solver++(2M)). Eta 0 is [DPMSolver2M].
type DPMSolver2MSDE struct {
	multistep
	Eta float64 `yaml:"eta" range:"[0, 2]" doc:"How fast noise is replaced by fresh noise: 0 for the ODE, 1 for the reverse SDE."`
}

// History is 1: the clean frames that the step before predicted.
func (DPMSolver2MSDE) History() int { return 1 }

// Noisy is whether Eta is above 0.
func (d DPMSolver2MSDE) Noisy() bool { return d.Eta > 0 }

// Coefs are those of [dpmSolver2M].
func (d DPMSolver2MSDE) Coefs(steps []Step, i int) Coefs { return dpmSolver2M(steps, i, d.Eta) }

// DPMSolver3M is the multistep exponential integrator of third order: the clean frames are a
// parabola through the last three predictions, and are integrated exactly.
type DPMSolver3M struct{ multistep }

// History is 2: the clean frames that the last two steps predicted.
func (DPMSolver3M) History() int { return 2 }

// Noisy is false.
func (DPMSolver3M) Noisy() bool { return false }

// Coefs are the exact weights of the parabola.
func (DPMSolver3M) Coefs(steps []Step, i int) Coefs { return exponential(steps, i, 2, 0) }

// DPMSolver3MSDE is [DPMSolver3M] for the reverse SDE.
type DPMSolver3MSDE struct {
	multistep
	Eta float64 `yaml:"eta" range:"[0, 2]" doc:"How fast noise is replaced by fresh noise: 0 for the ODE, 1 for the reverse SDE."`
}

// History is 2: the clean frames that the last two steps predicted.
func (DPMSolver3MSDE) History() int { return 2 }

// Noisy is whether Eta is above 0.
func (d DPMSolver3MSDE) Noisy() bool { return d.Eta > 0 }

// Coefs are the exact weights of the parabola, and the deviation of the noise.
func (d DPMSolver3MSDE) Coefs(steps []Step, i int) Coefs { return exponential(steps, i, 2, d.Eta) }
