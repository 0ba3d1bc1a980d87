package likelihood

import (
	"context"
	"math"

	"github.com/gomlx/gomlx/core/tensors"

	"mcvd/models/devices"
	"mcvd/models/diffusion"
)

// Exact is the bits of the blocks x0 by the probability-flow ODE (Song et al. 2021, Score-based
// generative modeling through SDEs, eq. 39). In y = x/signal and u = ln(noise/signal) it is
//
//	dy/du = noise/signal eps        log p(y_start) = log p(y_end) + int noise div_x eps du
//
// from the least noisy level to the noisiest with signal, where x is standard normal. The divergence
// is estimated by Hutchinson's v (d eps/dx) v, with one direction v of random signs for each block
// (eq. 40). The ODE is solved by Runge and Kutta's method of order 4 with a step between any two of
// steps+1 levels, evenly in u: 4 evaluations of the network and its gradient each.
//
// A grey value is an interval, in which one number is drawn (uniform dequantization): so the result
// bounds the bits of the values themselves from above, as published numbers do. Draw 0 of noise is
// for the intervals, where 0 is the middle, and draw 1 for the signs.
func (l *Likelihood) Exact(ctx context.Context, x0 *tensors.Tensor, cond []devices.Value, steps int, noise Noise) ([]float64, error) {
	b := &blocks{l, x0.Shape().Dimensions, cond}
	values, err := tensors.CopyFlatData[float32](x0)
	if err != nil {
		return nil, err
	}
	f := &flow{blocks: b, signs: make([]float32, len(values))}
	for i, z := range noise(1) {
		f.signs[i] = float32(math.Copysign(1, float64(z)))
	}
	y, in := make([]float64, len(values)), noise(0)
	for i, x := range values {
		y[i] = float64(x) + diffusion.GreyStep*(math.Erfc(-float64(in[i])/math.Sqrt2)/2-0.5)
	}
	start, end := l.ends()
	divergence := make([]float64, b.dims[0])
	for n := range steps {
		at := func(share float64) float64 { return start + (end-start)*(float64(n)+share)/float64(steps) }
		if err := f.step(ctx, y, divergence, at(0), at(0.5), at(1)); err != nil {
			return nil, err
		}
	}
	last := f.level(end)
	bits := b.sums(func(i int) float64 {
		x := last.Signal * y[i]
		return x*x/2 + math.Log(2*math.Pi)/2 - math.Log(last.Signal) - math.Log(diffusion.GreyStep)
	})
	size := float64(len(values) / b.dims[0])
	for k := range bits {
		bits[k] -= divergence[k] / size / math.Ln2
	}
	return bits, nil
}

// ends are u at the least noisy level and at the noisiest one that has signal.
func (l *Likelihood) ends() (start, end float64) {
	noisiest := l.process.Schedule.Level(1)
	if noisiest.Signal == 0 {
		noisiest = l.process.Schedule.OfLogSNR(math.Inf(-1))
	}
	return math.Log(l.process.Schedule.Level(least).Sigma()), math.Log(noisiest.Sigma())
}

// least is a share of the schedule that stands for its least noisy level.
const least = 1e-9

// flow is the ODE of a batch.
type flow struct {
	*blocks
	signs []float32
}

func (f *flow) level(u float64) diffusion.Level { return f.process.Schedule.OfLogSNR(-2 * u) }

// step is a step of Runge and Kutta from u to the end. It changes y, and adds to the divergence of
// each block.
func (f *flow) step(ctx context.Context, y, divergence []float64, u, middle, end float64) error {
	slope, sum, h := make([]float64, len(y)), make([]float64, len(y)), end-u
	for _, s := range []struct{ u, ahead, weight float64 }{{u, 0, 1}, {middle, h / 2, 2}, {middle, h / 2, 2}, {end, h, 1}} {
		at := f.level(s.u)
		x := make([]float32, len(y))
		for i := range x {
			x[i] = float32(at.Signal * (y[i] + s.ahead*slope[i]))
		}
		results, err := f.call(ctx, f.slope, at, x, f.signs)
		if err != nil {
			return err
		}
		for i, eps := range results[0] {
			slope[i] = at.Sigma() * float64(eps)
			sum[i] += s.weight * slope[i] * h / 6
		}
		for k, d := range results[1] {
			divergence[k] += s.weight * at.Noise * float64(d) * h / 6
		}
	}
	for i := range y {
		y[i] += sum[i]
	}
	return nil
}
