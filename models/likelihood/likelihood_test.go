package likelihood

import (
	"context"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"mcvd/configs"
	"mcvd/models/backend/backendtest"
	"mcvd/models/devices"
	"mcvd/models/diffusion"
	"mcvd/models/sampler"
)

// std is the standard deviation of the data: independent normal values.
const std = 0.2

// exact is the denoiser that knows these data: x0 and eps are regressions on x.
func exact(x *Node, at diffusion.LevelNodes) diffusion.Prediction {
	power := Add(MulScalar(Square(at.Signal), std*std), Square(at.Noise))
	return diffusion.Prediction{X0: Mul(x, Div(MulScalar(at.Signal, std*std), power)), Eps: Mul(x, Div(at.Noise, power))}
}

// of is the likelihood of a denoiser on a process that the change makes of the standard one.
func of(t *testing.T, d sampler.Denoiser, change func(*configs.Diffusion)) *Likelihood {
	t.Helper()
	c := configs.Default().Diffusion
	c.Target = "x0"
	change(&c)
	p, err := diffusion.New(c)
	if err != nil {
		t.Fatal(err)
	}
	on, err := devices.Open(backendtest.Open(t), 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	l, err := New(on, model.NewStore(), p, func(*model.Scope, []*Node) sampler.Denoiser { return d })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

func normal(rng *rand.Rand, n int, scale float64) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(scale * rng.NormFloat64())
	}
	return v
}

// pairs are n values that have the moments of a normal distribution nearly exactly, in any order, and
// the same again, times sign. With data of sign 1 and noise of sign -1, each value of the data meets a
// noise and its opposite, so the mean of their product is 0.
func pairs(rng *rand.Rand, n int, scale, sign float64) []float32 {
	v := make([]float32, 2*n)
	for i, k := range rng.Perm(n) {
		z := scale * math.Sqrt2 * math.Erfinv(2*(float64(k)+0.5)/float64(n)-1)
		v[i], v[n+i] = float32(z), float32(sign*z)
	}
	return v
}

// few is a schedule with as much noise at its least noisy level as makes levels of grey fine.
func few(c *configs.Diffusion) {
	c.Steps, c.Options = 20, configs.Options{"beta_start": 0.01, "beta_end": 0.5}
}

func levelsOf(t *testing.T, l *Likelihood, steps int) []diffusion.Level {
	t.Helper()
	c := configs.Default().Sampler
	c.Steps, c.Spacing = steps, "log_snr"
	levels, err := sampler.Levels(l.process.Schedule, c)
	if err != nil {
		t.Fatal(err)
	}
	return levels
}

// On normal data with the exact denoiser, each term of the bound has a closed form, because x0 given
// x_t is normal with a variance that is known. Their sum is above the entropy of the data, and above
// the exact likelihood, which is the entropy of the data with the noise of the least noisy level.
func TestTheBoundOfNormalData(t *testing.T) {
	const n = 20_000
	l := of(t, exact, few)
	levels := levelsOf(t, l, 20)
	rng := rand.New(rand.NewPCG(1, 2))
	x0 := tensors.FromFlatDataAndDimensions(pairs(rng, n, std, 1), 1, 2, n, 1, 1)
	bounds, err := l.Bound(context.Background(), x0, nil, levels, sampler.Posterior, false, func(int) []float32 { return pairs(rng, n, 1, -1) })
	if err != nil {
		t.Fatal(err)
	}
	spread := func(l diffusion.Level) float64 { // variance of x0 given x_t
		return std * std * l.Noise * l.Noise / (l.Signal*l.Signal*std*std + l.Noise*l.Noise)
	}
	first, last := levels[0], levels[len(levels)-2]
	check := func(what string, got, want, tolerance float64) {
		if !(math.Abs(got-want) <= tolerance) {
			t.Errorf("%s: %g bits, want %g", what, got, want)
		}
	}
	mean, variance := first.Signal*std, first.Noise*first.Noise
	wantPrior := (mean*mean + variance - 1 - math.Log(variance)) / 2 / math.Ln2
	check("prior", bounds[0].Prior, wantPrior, 1e-4)
	total := wantPrior
	for i, got := range bounds[0].Steps {
		from, to := levels[i], levels[i+1]
		want := (to.Signal*to.Signal/(to.Noise*to.Noise) - from.Signal*from.Signal/(from.Noise*from.Noise)) / 2 * spread(from) / math.Ln2
		check("step", got, want, 1e-3)
		total += want
	}
	// A level of grey is so narrow that the density is the same all over it.
	decoder := (math.Log(2*math.Pi*last.Noise*last.Noise) + spread(last)/(last.Noise*last.Noise)) / 2 / math.Ln2
	decoder -= math.Log2(2 / 255.0)
	check("decoder", bounds[0].Decoder, decoder, 1e-3)
	check("total", bounds[0].Total(), total+decoder, 1e-3)
	entropy := math.Log2(2*math.Pi*math.E*std*std)/2 - math.Log2(2/255.0)
	bits, err := l.Exact(context.Background(), x0, nil, 24, func(i int) []float32 { return make([]float32, 2*n) })
	if err != nil {
		t.Fatal(err)
	}
	if total := bounds[0].Total(); !(total > entropy) || !(total > bits[0]) {
		t.Errorf("the bound is %g bits, the entropy %g, the exact likelihood %g: want the bound above both", total, entropy, bits[0])
	}
}

// With the best variance, which on normal data is known (Bao et al. 2022, Analytic-DPM, theorem 1), the terms
// of few steps have a closed form, and the bound is lower than with either fixed variance: with the
// posterior's by much, because the mean is wrong by more than that variance allows.
func TestTheBoundWithTheBestVariance(t *testing.T) {
	const n = 20_000
	bits := map[string]Bound{}
	for _, variance := range sampler.Variances() {
		var levels []diffusion.Level
		l := of(t, func(x *Node, at diffusion.LevelNodes) diffusion.Prediction {
			p := exact(x, at)
			p.Share = ZerosLike(x)
			for i, from := range levels[:len(levels)-2] {
				here := LessThan(Abs(Sub(at.Noise, Scalar(x.Graph(), x.DType(), from.Noise))), Scalar(x.Graph(), x.DType(), 1e-6))
				p.Share = Where(here, MulScalar(OnesLike(x), best(from, levels[i+1])), p.Share)
			}
			return p
		}, few)
		levels = levelsOf(t, l, 4)
		rng := rand.New(rand.NewPCG(1, 2))
		x0 := tensors.FromFlatDataAndDimensions(pairs(rng, n, std, 1), 1, 2, n, 1, 1)
		bounds, err := l.Bound(context.Background(), x0, nil, levels, variance, false, func(int) []float32 { return pairs(rng, n, 1, -1) })
		if err != nil {
			t.Fatal(err)
		}
		bits[variance] = bounds[0]
		if variance != sampler.Learned {
			continue
		}
		for i, got := range bounds[0].Steps {
			_, posterior := diffusion.StepVariances(levels[i], levels[i+1])
			want := math.Log2(bestVariance(levels[i], levels[i+1])/posterior) / 2
			if !(math.Abs(got-want) <= 1e-3) {
				t.Errorf("step %d: %g bits, want %g", i, got, want)
			}
		}
	}
	steps := func(variance string) (sum float64) {
		for _, s := range bits[variance].Steps {
			sum += s
		}
		return sum
	}
	if learned := steps(sampler.Learned); !(learned < steps(sampler.Posterior)-0.5) || !(learned < steps(sampler.Beta)-0.05) {
		t.Errorf("steps of %g bits, with the posterior's variance %g and with beta %g: want less", learned, steps(sampler.Posterior), steps(sampler.Beta))
	}
}

// bestVariance is the posterior's and that of its mean, because x0 is not known.
func bestVariance(from, to diffusion.Level) float64 {
	beta, posterior := diffusion.StepVariances(from, to)
	weight := to.Signal * beta / (from.Noise * from.Noise)
	return posterior + weight*weight*std*std*from.Noise*from.Noise/(from.Signal*from.Signal*std*std+from.Noise*from.Noise)
}

// best is its share.
func best(from, to diffusion.Level) float64 {
	beta, posterior := diffusion.StepVariances(from, to)
	return math.Log(bestVariance(from, to)/posterior) / math.Log(beta/posterior)
}

// The decoder's deviation is learned, too, between beta and the posterior's variance of the step before.
func TestTheDecodersDeviation(t *testing.T) {
	levels := []diffusion.Level{{Signal: 0.6, Noise: 0.8}, {Signal: 0.8, Noise: 0.6}, diffusion.Clean}
	_, posterior := diffusion.StepVariances(levels[0], levels[1])
	for share, want := range map[float64]float64{0: math.Sqrt(posterior), 1: 0.6, 0.5: math.Sqrt(0.6 * math.Sqrt(posterior))} {
		if got := decoderDeviation(levels, sampler.Learned)(share); !(math.Abs(got-want) <= 1e-12) {
			t.Errorf("share %g: %g, want %g", share, got, want)
		}
	}
	if got := decoderDeviation(levels[1:], sampler.Learned)(0.3); got != 0.6 {
		t.Errorf("of one level: %g, want beta's, 0.6", got)
	}
}

// A network without variances has none to use.
func TestABoundWithoutLearnedVariances(t *testing.T) {
	l := of(t, exact, few)
	x0 := tensors.FromFlatDataAndDimensions(make([]float32, 4), 1, 1, 4, 1, 1)
	for variance, want := range map[string]string{sampler.Learned: "the network gives none", "beto": "want one of posterior, beta, learned"} {
		_, err := l.Bound(context.Background(), x0, nil, levelsOf(t, l, 3), variance, false, func(int) []float32 { return make([]float32, 4) })
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", variance, err, want)
		}
	}
}

// With more levels the bound comes down to the entropy, as one by their number.
func TestManyLevelsMakeTheBoundTight(t *testing.T) {
	const n = 10_000
	l := of(t, exact, func(c *configs.Diffusion) { c.Options = configs.Options{"beta_start": 2e-3} })
	rng := rand.New(rand.NewPCG(1, 2))
	x0 := tensors.FromFlatDataAndDimensions(pairs(rng, n, std, 1), 1, 2, n, 1, 1)
	entropy := math.Log2(2*math.Pi*math.E*std*std)/2 - math.Log2(2/255.0)
	excess := map[int]float64{}
	for _, steps := range []int{100, 200} {
		bounds, err := l.Bound(context.Background(), x0, nil, levelsOf(t, l, steps), sampler.Posterior, false, func(int) []float32 { return pairs(rng, n, 1, -1) })
		if err != nil {
			t.Fatal(err)
		}
		excess[steps] = bounds[0].Total() - entropy
	}
	if !(excess[200] > 0 && excess[200] < 0.2 && math.Abs(excess[200]/excess[100]-0.5) <= 0.05) {
		t.Errorf("%g bits above the entropy with 100 levels and %g with 200, want half", excess[100], excess[200])
	}
}

// The exact likelihood of each block is the density of its values, on every kind of schedule: for
// normal data, whose probability flow is linear, it has a closed form.
func TestTheExactLikelihoodOfNormalData(t *testing.T) {
	for name, change := range map[string]func(*configs.Diffusion){
		"linear": few, "cosine": func(c *configs.Diffusion) { c.Schedule = "cosine" },
		"edm":           func(c *configs.Diffusion) { c.Schedule = "edm" },
		"flow":          func(c *configs.Diffusion) { c.Schedule = "flow" },
		"zero terminal": func(c *configs.Diffusion) { c.Options = configs.Options{"zero_terminal": true} },
	} {
		l := of(t, exact, change)
		rng := rand.New(rand.NewPCG(3, 4))
		values := normal(rng, 4*8, std)
		bits, err := l.Exact(context.Background(), tensors.FromFlatDataAndDimensions(values, 4, 2, 2, 2, 1), nil, 100, func(i int) []float32 {
			return normal(rng, 4*8, float64(i)) // in the middle of the levels of grey
		})
		if err != nil {
			t.Fatal(err)
		}
		start, end := l.ends()
		low, high := math.Exp(2*start), math.Exp(2*end)
		for k, got := range bits {
			want := 0.0
			for _, v := range values[k*8 : (k+1)*8] {
				x := float64(v)
				// y = x/signal is normal with the variance std^2 + sigma^2 at each sigma; at the end x is
				// taken for standard normal.
				y := x * x * (std*std + high) / (std*std + low)
				signal := l.process.Schedule.OfLogSNR(-2 * end).Signal
				density := -signal*signal*y/2 - math.Log(2*math.Pi)/2 + math.Log(signal) + math.Log((std*std+high)/(std*std+low))/2
				want -= (density + math.Log(2/255.0)) / math.Ln2 / 8
			}
			if !(math.Abs(got-want) <= 1e-3) {
				t.Errorf("%s, block %d: %g bits, want %g", name, k, got, want)
			}
		}
	}
}

// Hutchinson's estimate of a divergence has the right mean where values depend on each other: here
// eps is x times a matrix, whose trace is known.
func TestTheDivergenceIsTheTrace(t *testing.T) {
	const n, batch = 4, 2000
	matrix := [][]float32{{1, 0.5, 0, 0}, {-0.3, 2, 0.7, 0}, {0.2, 0, -1, 0.4}, {0, 1, 0.6, 0.5}}
	l := of(t, func(x *Node, at diffusion.LevelNodes) diffusion.Prediction {
		eps := Reshape(Dot(Reshape(x, batch, n), Const(x.Graph(), matrix)).Product(), batch, n, 1, 1, 1)
		return diffusion.Prediction{X0: x, Eps: eps}
	}, few)
	rng := rand.New(rand.NewPCG(5, 6))
	b := &blocks{l, []int{batch, n, 1, 1, 1}, nil}
	signs := normal(rng, batch*n, 1)
	for i, z := range signs {
		signs[i] = float32(math.Copysign(1, float64(z)))
	}
	results, err := b.call(context.Background(), l.slope, diffusion.Level{Signal: 0.6, Noise: 0.8}, normal(rng, batch*n, 1), signs)
	if err != nil {
		t.Fatal(err)
	}
	mean := 0.0
	for _, d := range results[1] {
		mean += float64(d) / batch
	}
	if !(math.Abs(mean-2.5) <= 0.1) {
		t.Errorf("the mean is %g, want the trace, 2.5", mean)
	}
}
