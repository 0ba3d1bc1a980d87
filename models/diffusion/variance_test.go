package diffusion

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"mcvd/configs"
	"mcvd/models/backend/backendtest"
)

// learning is a process of few timesteps whose variances are learned.
func learning(t *testing.T) *Process {
	return process(t, func(c *configs.Diffusion) {
		c.Variance, c.Steps, c.Options = "learned", 10, configs.Options{"beta_start": 1e-3, "beta_end": 0.5}
	})
}

// closeTo compares a number with its closed form.
func closeTo(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance) {
		t.Errorf("%s: %g, want %g", what, got, want)
	}
}

// The two variances of a step are the beta of the schedule and eq. 7 of Ho et al. 2020, and a share goes
// from one to the other in logarithms.
func TestAShareGoesFromThePosteriorsVarianceToBeta(t *testing.T) {
	s := learning(t).Schedule.(*Discrete)
	for step := 1; step < s.Steps(); step++ {
		want := 1e-3 + (0.5-1e-3)*float64(step)/9
		beta, posterior := StepVariances(s.At(step), s.At(step-1))
		closeTo(t, "beta", beta, want, 1e-12)
		wantPosterior := (1 - s.AlphaBar[step-1]) / (1 - s.AlphaBar[step]) * want
		closeTo(t, "posterior", posterior, wantPosterior, 1e-12)
		logBeta, logPosterior := math.Log(beta), math.Log(posterior)
		closeTo(t, "share 1", StepVariance(1, logBeta, logPosterior), want, 1e-12)
		closeTo(t, "share 0", StepVariance(0, logBeta, logPosterior), wantPosterior, 1e-12)
		closeTo(t, "share 1/2", StepVariance(0.5, logBeta, logPosterior), math.Sqrt(want*wantPosterior), 1e-12)
	}
	out := backendtest.Run(t, func(in []*Node) []*Node { return []*Node{ShareOfV(in[0])} }, []float32{-1, 0, 1})
	for i, want := range []float64{0, 0.5, 1} {
		closeTo(t, "share of v", float64(out[0][i]), want, 0)
	}
}

// boundOf is the bound's term of values at a timestep, with its gradients by what is predicted and by
// the share. All values stand in one clip of one frame.
func boundOf(t *testing.T, p *Process, l Level, x0, predicted, share []float32) (term, byPredicted, byShare []float32) {
	t.Helper()
	clip := func(v []float32) *tensors.Tensor { return tensors.FromFlatDataAndDimensions(v, len(v), 1, 1, 1, 1) }
	out := backendtest.Run(t, func(in []*Node) []*Node {
		bound := BoundGraph(in[0], in[1], in[2], TableNodes(in[3]))
		gradients := Gradient(ReduceAllSum(bound), in[1], in[2])
		return []*Node{bound, gradients[0], gradients[1]}
	}, clip(x0), clip(predicted), clip(share), tensors.FromFlatDataAndDimensions(p.Table([]Level{l}), 1, 1, Columns))
	return out[0], out[1], out[2]
}

// termOf is the term of a value as a function, written out: the divergence of two normal
// distributions whose means are those of eq. 7, or the decoder's bits.
func termOf(s *Discrete, step int, x0, predicted, share float64) float64 {
	beta := 1 - s.AlphaBar[0]
	if step == 0 {
		_, next := StepVariances(s.At(1), s.At(0))
		return -LogGrey(x0, predicted, math.Sqrt(math.Pow(beta, share)*math.Pow(next, 1-share)))
	}
	before, now := s.AlphaBar[step-1], s.AlphaBar[step]
	beta = 1 - now/before
	posterior := (1 - before) / (1 - now) * beta
	variance := math.Pow(beta, share) * math.Pow(posterior, 1-share)
	means := math.Sqrt(before) * beta / (1 - now) * (x0 - predicted)
	return (math.Log(variance/posterior) + (posterior+means*means)/variance - 1) / 2
}

// Each term is the divergence of two normal distributions, or at the least noisy timestep the
// decoder's. Its gradient by the share is that of the formula, and no gradient flows to what is
// predicted.
func TestTheBoundIsThatOfItsFormula(t *testing.T) {
	p := learning(t)
	s := p.Schedule.(*Discrete)
	values := []float32{-1, -0.6, 1 / 255.0, 0.2, 1, 1, 0.5}
	predicted := []float32{-0.99, -0.61, 1 / 255.0, 0.5, 1.02, 0.4, -3}
	share := []float32{0.3, 0, 1, 0.5, 0.9, -0.2, 1.3}
	for step := range s.Steps() {
		term, byPredicted, byShare := boundOf(t, p, s.At(step), values, predicted, share)
		for i := range values {
			of := func(share float64) float64 { return termOf(s, step, float64(values[i]), float64(predicted[i]), share) }
			want, at := of(float64(share[i])), float64(share[i])
			closeTo(t, "term", float64(term[i]), want, 3e-4*(1+math.Abs(want)))
			slope := (of(at+1e-4) - of(at-1e-4)) / 2e-4
			closeTo(t, "gradient by the share", float64(byShare[i]), slope, 2e-3*(1+math.Abs(slope)))
			if byPredicted[i] != 0 {
				t.Errorf("timestep %d: a gradient of %g flows to what is predicted", step, byPredicted[i])
			}
		}
	}
	same, _, _ := boundOf(t, p, s.At(3), values, values, make([]float32, len(values)))
	for _, term := range same {
		closeTo(t, "the divergence of equal distributions", float64(term), 0, 1e-6)
	}
}

// On normal data with the exact denoiser the best variance of a step is known (Bao et al. 2022,
// Analytic-DPM, theorem 1): the posterior's, and the variance that the posterior's mean has because x0 is
// not known. There the bound has no slope, and it rises on both sides.
func TestTheBoundIsLeastAtTheBestVariance(t *testing.T) {
	const std, n = 0.4, 4000
	p := learning(t)
	s := p.Schedule.(*Discrete)
	rng := rand.New(rand.NewPCG(1, 2))
	for _, step := range []int{2, 5, 9} {
		l, to := s.At(step), s.At(step-1)
		power := l.Signal*l.Signal*std*std + l.Noise*l.Noise
		x0, predicted := make([]float32, n), make([]float32, n)
		miss := 0.0
		for i := range x0 {
			x := std * rng.NormFloat64()
			xt := l.Signal*x + l.Noise*rng.NormFloat64()
			x0[i], predicted[i] = float32(x), float32(l.Signal*std*std/power*xt)
			miss += math.Pow(x-l.Signal*std*std/power*xt, 2) / n
		}
		closeTo(t, "the variance of x0 given x", miss, std*std*l.Noise*l.Noise/power, 0.05*miss)
		beta, posterior := StepVariances(l, to)
		width := math.Log(beta / posterior)
		weight := to.Signal * beta / (l.Noise * l.Noise) // of x0 in the posterior's mean
		best := math.Log1p(weight*weight*miss/posterior) / width
		var share []float32
		for _, at := range []float64{best - 0.1, best, best + 0.1} {
			share = append(share, slices.Repeat([]float32{float32(at)}, n)...)
		}
		_, _, slopes := boundOf(t, p, l, slices.Repeat(x0, 3), slices.Repeat(predicted, 3), share)
		var mean []float64
		for part := range slices.Chunk(slopes, n) {
			sum := 0.0
			for _, slope := range part {
				sum += float64(slope) / n
			}
			mean = append(mean, sum)
		}
		scale := width * width * 0.1 / 2 // of the slopes aside
		closeTo(t, "the slope at the best variance", mean[1]/scale, 0, 1e-2)
		if !(mean[0] < -scale/2) || !(mean[2] > scale/2) {
			t.Errorf("step %d: slopes %v around the best variance, want less than %g and more than %g", step, mean, -scale/2, scale/2)
		}
	}
}

// The weight of the bound is lambda T, so the expectation over uniform levels is lambda times the sum
// of all terms; without learned variances there is none.
func TestTheBoundIsWeighedByTheNumberOfTimesteps(t *testing.T) {
	p := learning(t)
	for _, share := range []float64{0.05, 0.5, 1} {
		closeTo(t, "weight", p.Row(p.Schedule.Level(share))[BoundColumn], 0.001*10, 1e-12)
	}
	fixed := process(t, func(*configs.Diffusion) {})
	for _, x := range fixed.Row(fixed.Schedule.Level(0.5))[WeightColumn+1:] {
		closeTo(t, "without learned variances", x, 0, 0)
	}
	if fixed.LearnsVariance() || !p.LearnsVariance() {
		t.Error("a process doesn't know whether its variances are learned")
	}
}

// A schedule without timesteps has no betas.
func TestLearnedVariancesNeedTimesteps(t *testing.T) {
	for _, schedule := range []string{"flow", "edm", "ve", "vp"} {
		c := configs.Default().Diffusion
		c.Schedule, c.Target, c.Variance = schedule, "x0", "learned"
		want := "diffusion.variance: learned, want fixed, because diffusion.schedule " + schedule + " has no timesteps"
		if _, err := New(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}
