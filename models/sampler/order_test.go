package sampler

import (
	"math"
	"testing"

	"mcvd/configs"
	"mcvd/models/backend/backendtest"
	"mcvd/models/diffusion"
)

// between are n levels of a variance-preserving process, evenly spaced in log-SNR, from one angle
// of it to another: signal = cos, noise = sin.
func between(from, to float64, n int) []diffusion.Level {
	lambda := func(angle float64) float64 { return -2 * math.Log(math.Tan(angle)) }
	var levels []diffusion.Level
	for i := range n + 1 {
		at := lambda(from) + (lambda(to)-lambda(from))*float64(i)/float64(n)
		angle := math.Atan(math.Exp(-at / 2))
		levels = append(levels, diffusion.Level{Signal: math.Cos(angle), Noise: math.Sin(angle)})
	}
	return levels
}

// onTheHost makes steps in float64, by the sampler's own coefficients, for frames of that standard
// deviation; it is what StepGraph says.
func onTheHost(s Sampler, steps []Step, x, std float64) float64 {
	history := 0.0
	for i, step := range steps {
		k := s.Coefs(steps, i)
		x0 := func(x float64, l diffusion.Level) float64 {
			return x * l.Signal * std * std / (l.Signal*l.Signal*std*std + l.Noise*l.Noise)
		}
		first := x0(x, step.At[0])
		switch s.(type) {
		case DDIM:
			x = k["signal"]*first + k["direction"]*x*slope(step.From, std)
		case DPMSolver2M:
			x, history = k["x"]*x+k["now"]*first+k["before"]*history, first
		case Heun:
			x = k["x"]*x + k["first"]*first + k["second"]*x0(k["x"]*x+k["euler"]*first, step.At[1])
		}
	}
	return x
}

// The probability-flow ODE of Gaussian data keeps x by the standard deviation of its level. The
// error of a solver must fall with its order: by 2 for half the step of DDIM, by 4 for those of
// second order.
func TestErrorsFallWithTheOrder(t *testing.T) {
	const std, from, to = 0.25, 1.4, 0.3
	deviation := func(l diffusion.Level) float64 { return math.Hypot(l.Signal*std, l.Noise) }
	for _, c := range []struct {
		name  string
		s     Sampler
		order float64
	}{{"ddim", DDIM{}, 1}, {"dpmpp_2m", DPMSolver2M{}, 2}, {"heun", Heun{}, 2}} {
		before := math.NaN()
		for _, n := range []int{40, 80, 160, 320} {
			levels := between(from, to, n)
			got := onTheHost(c.s, c.s.Steps(levels), 1, std)
			off := math.Abs(got - deviation(levels[n])/deviation(levels[0]))
			if order := math.Log2(before / off); n > 40 && !(math.Abs(order-c.order) <= 0.15) {
				t.Errorf("%s: from %d steps to %d errors fall by the order %.3f, want %g", c.name, n/2, n, order, c.order)
			}
			before = off
		}
		t.Logf("%s: an error of %.2g with 320 steps", c.name, before)
	}
}

// The graphs compute what the coefficients say.
func TestSolversOfSecondOrderAreTheirFormulas(t *testing.T) {
	const std = 0.25
	b := backendtest.Open(t)
	for _, s := range []Sampler{DPMSolver2M{}, Heun{}} {
		steps := s.Steps(between(1.4, 0.3, 12))
		got := sample(t, b, s, steps, gaussian(std), clip([]float32{1, -2}), noNoise)
		for i, x := range []float64{1, -2} {
			if want := onTheHost(s, steps, x, std); !(math.Abs(float64(got[i])-want) <= 1e-5) {
				t.Errorf("%T from %g: %g, want %g", s, x, got[i], want)
			}
		}
	}
}

// With as many evaluations, second order is nearer to the data than first.
func TestSecondOrderIsNearerWithAsManyEvaluations(t *testing.T) {
	const std = 0.25
	s := linear(t)
	off := func(sampler Sampler, steps int) (float64, int) {
		levels := levelsOf(t, s, configs.Sampler{Steps: steps})
		noisy := sampler.Steps(levels[:len(levels)-1])
		got := onTheHost(sampler, noisy, 1, std)
		first, last := levels[0], levels[len(levels)-2]
		return math.Abs(got - math.Hypot(last.Signal*std, last.Noise)/math.Hypot(first.Signal*std, first.Noise)), NFE(sampler.Steps(levels))
	}
	first, evaluations := off(DDIM{}, 19)
	for _, c := range []struct {
		s     Sampler
		steps int
	}{{DPMSolver2M{}, 19}, {Heun{}, 10}} {
		second, n := off(c.s, c.steps)
		if n != evaluations {
			t.Errorf("%T: %d evaluations, want %d", c.s, n, evaluations)
		}
		if !(second < first) {
			t.Errorf("%T: an error of %.3g with %d evaluations, DDIM has %.3g", c.s, second, n, first)
		}
		t.Logf("%T: an error of %.3g with %d evaluations, DDIM %.3g", c.s, second, n, first)
	}
}
