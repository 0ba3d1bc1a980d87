package sampler

import (
	"math"
	"math/rand/v2"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"mcvd/configs"
	"mcvd/models/backend/backendtest"
	"mcvd/models/diffusion"
)

// sharing is the exact denoiser of normal data whose network says one share for all values.
func sharing(std, share float64) Denoiser {
	exact := gaussian(std)
	return func(x *Node, at diffusion.LevelNodes) diffusion.Prediction {
		p := exact(x, at)
		p.Share = MulScalar(OnesLike(x), share)
		return p
	}
}

func values(x *tensors.Tensor) []float32 { return tensors.MustCopyFlatData[float32](x) }

// noiseOf is noise for one step: a copy of z, because the loop frees what it is given.
func noiseOf(z *tensors.Tensor) func(int) *tensors.Tensor {
	v := values(z)
	return func(int) *tensors.Tensor { return clip(v) }
}

// A learned variance with the share 0 is the posterior's, and with 1 it is beta, also between visited
// levels that are far apart.
func TestALearnedVarianceLiesBetweenTheFixedOnes(t *testing.T) {
	b, s := backendtest.Open(t), linear(t)
	rng := rand.New(rand.NewPCG(1, 2))
	x, z := normal(rng, 8), normal(rng, 8)
	one := func(d DDPM, share float64) []float32 {
		plan := planOf(t, s, d, configs.Sampler{Steps: 6})
		return sample(t, b, d, plan[2:3], sharing(0.3, share), clip(values(x)), noiseOf(z))
	}
	for share, fixed := range map[float64]string{0: Posterior, 1: Beta} {
		got, want := one(DDPM{Variance: Learned}, share), one(DDPM{Variance: fixed}, 0.7)
		for i := range want {
			if !(math.Abs(float64(got[i]-want[i])) <= 1e-5) {
				t.Errorf("share %g, value %d: %g, want that of %s, %g", share, i, got[i], fixed, want[i])
			}
		}
	}
	plan := planOf(t, s, DDPM{}, configs.Sampler{Steps: 6})
	alpha := math.Pow(plan[2].From.Signal/plan[2].To.Signal, 2)
	if got := (DDPM{Variance: Beta}).Coefs(plan, 2)["sigma"]; !(math.Abs(got-math.Sqrt(1-alpha)) <= 1e-9) {
		t.Errorf("sigma %g, want that of beta between visited levels, %g", got, math.Sqrt(1-alpha))
	}
	// With a lag, noise is drawn also where only other frames are still noisy.
	if c := (DDPM{Variance: Learned}).Coefs(plan, 5); c["fresh"] != 0 || (DDPM{Variance: Learned}).Coefs(plan, 4)["fresh"] != 1 {
		t.Errorf("the step to clean frames takes %g of the noise, want 0", c["fresh"])
	}
	for _, d := range []DDPM{{Variance: Posterior}, {Variance: Beta}, {Variance: Learned}} {
		end := sample(t, b, d, plan[5:], sharing(0.3, 0.5), clip(values(x)), noNoise)
		for i, v := range end {
			last := plan[5].From
			want := float64(values(x)[i]) * last.Signal * 0.09 / (last.Signal*last.Signal*0.09 + last.Noise*last.Noise)
			if !(math.Abs(float64(v)-want) <= 1e-5) {
				t.Errorf("%s: the last step ends at %g, want the predicted %g", d.Variance, v, want)
			}
		}
	}
}

// With the best variance (Bao et al. 2022, Analytic-DPM, theorem 1), steps between levels that are far apart
// keep the variance of noisy data exactly. The fixed ones miss it on both sides, most where there is little noise.
func TestFewStepsWithTheBestVarianceKeepTheVarianceOfTheData(t *testing.T) {
	const std, n = 0.5, 200000
	b, s := backendtest.OpenGo(t), linear(t)
	d := DDPM{Variance: Learned}
	for i, step := range planOf(t, s, d, configs.Sampler{Steps: 5})[:4] {
		from, to := step.From, step.To
		beta, posterior := diffusion.StepVariances(from, to)
		power := from.Signal*from.Signal*std*std + from.Noise*from.Noise
		weight := to.Signal * beta / (from.Noise * from.Noise)
		best := posterior + weight*weight*std*std*from.Noise*from.Noise/power
		share := math.Log(best/posterior) / math.Log(beta/posterior)
		want := to.Signal*to.Signal*std*std + to.Noise*to.Noise
		for name, sampler := range map[string]DDPM{"learned": d, "posterior": {Variance: Posterior}, "beta": {Variance: Beta}} {
			rng := rand.New(rand.NewPCG(1, uint64(i)))
			x := values(normal(rng, n))
			for k := range x {
				x[k] *= float32(math.Sqrt(power))
			}
			got := variance(sample(t, b, sampler, []Step{step}, sharing(std, share), clip(x), noiseOf(normal(rng, n)))) / want
			if name == "learned" && !(math.Abs(got-1) <= 0.01) || i >= 2 && (name == "posterior" && !(got <= 0.98) || name == "beta" && !(got >= 1.02)) {
				t.Errorf("%s, step %d: %g of the variance of the data with noise", name, i, got)
			}
		}
	}
}
