package diffusion

import (
	"math"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"mcvd/models/backend/backendtest"
)

// wave is a tensor of values in [-1, 1] without symmetries.
func wave(frequency float64, dims ...int) *tensors.Tensor {
	n := 1
	for _, d := range dims {
		n *= d
	}
	values := make([]float32, n)
	for i := range values {
		values[i] = float32(math.Sin(frequency * float64(i+1)))
	}
	return tensors.FromFlatDataAndDimensions(values, dims...)
}

func distance(a, b []float32) float64 {
	worst := 0.0
	for i := range a {
		worst = max(worst, math.Abs(float64(a[i])-float64(b[i]))) // NaN stays
	}
	return worst
}

func TestX0AndEpsAreFoundAgainInWhatNoiseWasAddedTo(t *testing.T) {
	s := schedule(t, standard)
	x0, eps := wave(1.7, 3, 2, 2, 2, 1), wave(2.3, 3, 2, 2, 2, 1)
	x, e := tensors.MustCopyFlatData[float32](x0), tensors.MustCopyFlatData[float32](eps)
	var signals, noises []float32
	steps := []int{0, 500, 999}
	for _, step := range steps {
		l := s.At(step)
		signals, noises = append(signals, float32(l.Signal)), append(noises, float32(l.Noise))
	}
	each := func(v []float32) *tensors.Tensor { return tensors.FromFlatDataAndDimensions(v, 3, 1, 1, 1, 1) }
	out := backendtest.Run(t, func(in []*Node) []*Node {
		x0, eps, signal, noise := in[0], in[1], in[2], in[3]
		xt := AddNoise(x0, eps, signal, noise)
		return []*Node{xt, X0FromEps(xt, eps, signal, noise), EpsFromX0(xt, x0, signal, noise)}
	}, x0, eps, each(signals), each(noises))
	xt, gotX0, gotEps := out[0], out[1], out[2]
	for i, step := range steps {
		from, to := i*8, i*8+8
		for k := from; k < to; k++ {
			if want := float64(signals[i])*float64(x[k]) + float64(noises[i])*float64(e[k]); !(math.Abs(float64(xt[k])-want) <= 1e-6) {
				t.Errorf("t = %d: x_t = %g, want %g", step, xt[k], want)
			}
		}
		// Rounding errors of x_t are divided by the signal, or by the noise.
		if d := distance(gotX0[from:to], x[from:to]) * float64(signals[i]); !(d <= 3e-7) {
			t.Errorf("t = %d: x0 differs by %g (times the signal)", step, d)
		}
		if d := distance(gotEps[from:to], e[from:to]) * float64(noises[i]); !(d <= 3e-7) {
			t.Errorf("t = %d: eps differs by %g (times the noise)", step, d)
		}
	}
}

func TestLossesAreSumsOverEachFrame(t *testing.T) {
	clips := func(v ...float32) *tensors.Tensor { return tensors.FromFlatDataAndDimensions(v, 1, 2, 2, 2, 1) }
	for name, want := range map[string][]float32{
		"l1": {1 + 2 + 0 + 3, 2 + 0.5},
		"l2": {0.5 * (1 + 4 + 0 + 9), 0.5 * (4 + 0.25)},
		"huber": {0.1 * float32(math.Sqrt(1.01)+math.Sqrt(4.01)+0.1+math.Sqrt(9.01)-0.4),
			0.1 * float32(math.Sqrt(4.01)+math.Sqrt(0.26)+0.2-0.4)},
	} {
		loss := losses[name]
		got := backendtest.Run(t, func(in []*Node) []*Node { return []*Node{loss.Of(in[0], in[1])} },
			clips(1, 2, 3, 4, 0, 0, -1, 0.5), clips(0, 4, 3, 1, 0, 0, 1, 0))[0]
		if len(got) != 2 || !(distance(got, want) <= 1e-6) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	if len(Losses()) != 3 {
		t.Errorf("losses %v are not all tested here", Losses())
	}
}

// Every quantity leads back to x0 and eps, in and beside the variance-preserving process, v also
// where no signal is left.
func TestAllFormsOfAPredictionSayTheSame(t *testing.T) {
	for _, l := range []Level{{Signal: 0.6, Noise: 0.8}, {Signal: 0.01, Noise: 1}, {Signal: 1, Noise: 3}, {Signal: 0.25, Noise: 0.75}, {Signal: 0, Noise: 1}} {
		out := backendtest.Run(t, func(in []*Node) []*Node {
			x0, eps := in[0], in[1]
			signal, noise := Scalar(x0.Graph(), x0.DType(), l.Signal), Scalar(x0.Graph(), x0.DType(), l.Noise)
			xt := AddNoise(x0, eps, signal, noise)
			v := V(x0, eps, signal, noise)
			return []*Node{x0, eps, X0FromV(xt, v, signal, noise), EpsFromV(xt, v, signal, noise),
				EpsFromScore(Score(eps, noise), noise), EpsFromX0(xt, x0, signal, noise)}
		}, wave(1.7, 1, 2, 2, 2, 1), wave(2.3, 1, 2, 2, 2, 1))
		x, e := out[0], out[1]
		for i, want := range [][]float32{x, e, e, e} {
			if d := distance(out[2+i], want); !(d <= 1e-5) {
				t.Errorf("%+v: form %d differs by %g", l, i, d)
			}
		}
	}
}
