package sampler

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"mcvd/configs"
	"mcvd/models/backend/backendtest"
	"mcvd/models/diffusion"
)

// endOfODE predicts where the probability-flow ODE ends, of N(0, std^2) data: x is scaled by std over
// its own standard deviation.
func endOfODE(std float64) Denoiser {
	return func(x *Node, at diffusion.LevelNodes) diffusion.Prediction {
		spread := Sqrt(Add(MulScalar(Square(at.Signal), std*std), Square(at.Noise)))
		x0 := Mul(x, Div(Const(x.Graph(), float32(std)), spread))
		return diffusion.Prediction{X0: x0, Eps: diffusion.EpsFromX0(x, x0, at.Signal, at.Noise)}
	}
}

// With the exact consistency function, every number of steps draws from the data's distribution: one
// evaluation is the end of the ODE, and fresh noise makes it the distribution of any level again.
func TestConsistencySampling(t *testing.T) {
	const std, n = 0.25, 100000
	b, s := backendtest.OpenGo(t), linear(t)
	for _, steps := range []int{1, 2, 5} {
		plan := planOf(t, s, Consistency{}, configs.Sampler{Steps: steps})
		if NFE(plan) != steps {
			t.Errorf("%d evaluations of %d steps", NFE(plan), steps)
		}
		rng := rand.New(rand.NewPCG(5, 8))
		draw := func(int) *tensors.Tensor { return normal(rng, n) }
		got := sample(t, b, Consistency{}, plan, endOfODE(std), draw(0), draw)
		if v := variance(got); !(math.Abs(v/(std*std)-1) <= 0.015) {
			t.Errorf("%d steps: variance %g, want %g", steps, v, std*std)
		}
		mean := 0.0
		for _, x := range got {
			mean += float64(x) / n
		}
		if !(math.Abs(mean) <= 0.01*std) {
			t.Errorf("%d steps: mean %g, want 0", steps, mean)
		}
	}
}

// A student that learns what it is told predicts at every level the end of the teacher's steps: what it
// is told there is what DDIM makes in all steps that follow. On Gaussian data, and with many steps, that
// is the end of the ODE.
func TestWhatIsConsistent(t *testing.T) {
	const std, steps = 0.25, 160
	b, s := backendtest.Open(t), linear(t)
	list, err := Neighbours(s, configs.Sampler{Name: ConsistencyName, Steps: 1, Spacing: "uniform", Guidance: configs.Guidance{Name: "none"}}, steps)
	if err != nil || len(list) != steps || list[steps-1][1] != diffusion.Clean {
		t.Fatalf("%d steps, error %v, want %d of which the last ends at clean frames", len(list), err, steps)
	}
	told := func(i int, target Denoiser, x []float32) []float32 {
		return backendtest.Run(t, func(in []*Node) []*Node {
			nodes := func(l diffusion.Level) diffusion.LevelNodes {
				of := func(v float64) *Node { return Const(in[0].Graph(), float32(v)) }
				return diffusion.LevelNodes{Signal: of(l.Signal), Noise: of(l.Noise), Label: of(l.Label)}
			}
			return []*Node{Consistent(gaussian(std), target, in[0], nodes(list[i][0]), nodes(list[i][1]))}
		}, x)[0]
	}
	never := func(x *Node, _ diffusion.LevelNodes) diffusion.Prediction {
		nan := MulScalar(x, math.NaN())
		return diffusion.Prediction{X0: nan, Eps: nan}
	}
	x := []float32{-2, -0.5, 0, 0.3, 1.7}
	// slope is what the student predicts at the level where the step before began, of 1: all is linear.
	slope := float64(told(steps-1, never, []float32{1})[0])
	for i := steps - 2; i >= 0; i-- {
		linear := func(x *Node, _ diffusion.LevelNodes) diffusion.Prediction {
			return diffusion.Prediction{X0: MulScalar(x, slope), Eps: x}
		}
		slope = float64(told(i, linear, []float32{1})[0])
	}
	plan := planOf(t, s, DDIM{}, configs.Sampler{Steps: steps})
	ends := sample(t, b, DDIM{}, plan, gaussian(std), tensors.FromFlatDataAndDimensions(x, len(x), 1, 1, 1, 1), noNoise)
	exact := std / math.Hypot(list[0][0].Signal*std, list[0][0].Noise)
	for i, end := range ends {
		if got := slope * float64(x[i]); !(math.Abs(got-float64(end)) <= 1e-5) || !(math.Abs(got-exact*float64(x[i])) <= 0.05*exact*math.Abs(float64(x[i]))) {
			t.Errorf("of %g the student learns %g, want %g as in %d steps, and about %g", x[i], got, end, steps, exact*float64(x[i]))
		}
	}
}

func TestStudentsThatCanNotBeConsistent(t *testing.T) {
	plain := configs.Sampler{Name: ConsistencyName, Steps: 4, Spacing: "uniform", Guidance: configs.Guidance{Name: "none"}}
	for want, change := range map[string]func(c *configs.Sampler, steps *int){
		"sampler.name: ddim, want consistency":        func(c *configs.Sampler, _ *int) { c.Name = "ddim" },
		"sampler.last_denoise: true, want false":      func(c *configs.Sampler, _ *int) { c.LastDenoise = true },
		"sampler.threshold: 0.9, want 0":              func(c *configs.Sampler, _ *int) { c.Threshold = 0.9 },
		"sampler.guidance.name: history, want none":   func(c *configs.Sampler, _ *int) { c.Guidance.Name = "history" },
		"train.teacher_steps: 3, want 4 or more":      func(_ *configs.Sampler, steps *int) { *steps = 3 },
		"train.teacher_steps: 0, want 4 or more":      func(_ *configs.Sampler, steps *int) { *steps = 0 },
		"the teacher's steps: sampler.spacing: unkno": func(c *configs.Sampler, _ *int) { c.Spacing = "some" },
	} {
		c, steps := plain, 8
		change(&c, &steps)
		if _, err := Neighbours(linear(t), c, steps); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}
