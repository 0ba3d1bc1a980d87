package sampler

import (
	"fmt"
	"math"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"mcvd/configs"
	"mcvd/models/backend/backendtest"
	"mcvd/models/diffusion"
)

// angles is the variance-preserving process signal = cos, noise = sin of an angle, which is told to
// the network as it is. It has a level for every log-SNR.
type angles struct{}

func (angles) Steps() int                        { return 0 }
func (angles) Labels() int                       { return 1 }
func (a angles) Level(u float64) diffusion.Level { return a.OfLabel(1.4 * u) }
func (angles) OfLabel(x float64) diffusion.Level {
	return diffusion.Level{Signal: math.Cos(x), Noise: math.Sin(x), Label: x}
}
func (a angles) OfLogSNR(x float64) diffusion.Level { return a.OfLabel(math.Atan(math.Exp(-x / 2))) }

// sigmas is the same process, and the network is told sigma = noise/signal.
type sigmas struct{ angles }

func (sigmas) OfLabel(x float64) diffusion.Level {
	l := angles{}.OfLabel(math.Atan(x))
	l.Label = x
	return l
}
func (s sigmas) OfLogSNR(x float64) diffusion.Level { return s.OfLabel(math.Exp(-x / 2)) }

// between are the levels of n steps from one sigma to another, spaced evenly by a function of sigma.
// Before them come shorter ones with which a multistep solver begins: each is as long as all before
// it. So the error of the first step, which is of first order, is too small to be seen.
func between(s diffusion.Schedule, from, to float64, n int, warmup bool, f, inverse func(float64) float64) []diffusion.Level {
	var levels []diffusion.Level
	add := func(part float64) {
		levels = append(levels, s.OfLogSNR(-2*math.Log(inverse(f(from)*(1-part)+f(to)*part))))
	}
	add(0)
	if warmup {
		for k := 14; k > 0; k-- {
			add(math.Pow(0.5, float64(k)) / float64(n))
		}
	}
	for i := range n {
		add(float64(i+1) / float64(n))
	}
	return levels
}

// inFloat64 makes steps by the sampler's own graph in float64, for values x and a denoiser that says
// which clean frames it expects.
func inFloat64(t *testing.T, b compute.Backend, s Sampler, steps []Step, x []float64, x0 func(x, signal, noise *Node) *Node) []float64 {
	t.Helper()
	names := configs.Names(s.Coefs(steps, 0))
	exec, err := NewExec(b, func(in []*Node) []*Node {
		at := func(i int) *Node { return Reshape(Slice(in[1], AxisElem(i))) }
		state, c := State{X: in[0], History: in[2:]}, CoefNodes{}
		for i, name := range names {
			c[name] = at(i)
		}
		for i := len(names); i < in[1].Shape().Dimensions[0]; i += 2 {
			state.At = append(state.At, diffusion.LevelNodes{Signal: at(i), Noise: at(i + 1)})
		}
		next, history := s.StepGraph(func(x *Node, l diffusion.LevelNodes) diffusion.Prediction {
			clean := x0(x, l.Signal, l.Noise)
			return diffusion.Prediction{X0: clean, Eps: diffusion.EpsFromX0(x, clean, l.Signal, l.Noise)}
		}, state, c)
		return append([]*Node{next}, history...)
	})
	if err != nil {
		t.Fatal(err)
	}
	defer exec.Finalize()
	carried := []*tensors.Tensor{tensors.FromValue(x)}
	for range s.History() {
		carried = append(carried, tensors.FromValue(make([]float64, len(x))))
	}
	for i, step := range steps {
		var row []float64
		coefs := s.Coefs(steps, i)
		for _, name := range names {
			row = append(row, coefs[name])
		}
		for _, l := range step.At {
			row = append(row, l.Signal, l.Noise)
		}
		in := []any{carried[0], row}
		for _, h := range carried[1:] {
			in = append(in, h)
		}
		if carried, err = exec.Call(in...); err != nil {
			t.Fatal(err)
		}
	}
	return tensors.MustCopyFlatData[float64](carried[0])
}

// A mixture is data of values with two modes, at -1/2 and 1/2, each normal with deviation std.
const mode, modeStd = 0.5, 0.2

// mixtureX0 is E[x0 | x] of the mixture. The two modes have weights in proportion to their densities
// of x.
func mixtureX0(x, signal, noise *Node) *Node {
	v := Add(MulScalar(Square(signal), modeStd*modeStd), Square(noise))
	tilt := Tanh(Div(Mul(MulScalar(signal, mode), x), v)) // weight of the upper mode less that of the lower
	center := MulScalar(tilt, mode)
	return Add(center, Mul(Div(MulScalar(signal, modeStd*modeStd), v), Sub(x, Mul(signal, center))))
}

// mixtureFlow is where the probability-flow ODE of the mixture carries x from a level to another. In
// one dimension it keeps quantiles.
func mixtureFlow(from, to diffusion.Level, x float64) float64 {
	quantile := func(l diffusion.Level, x float64) float64 {
		std := math.Hypot(l.Signal*modeStd, l.Noise) * math.Sqrt2
		return math.Erfc(-(x-l.Signal*mode)/std)/4 + math.Erfc(-(x+l.Signal*mode)/std)/4
	}
	want, low, high := quantile(from, x), -20.0, 20.0
	for range 200 {
		if middle := (low + high) / 2; quantile(to, middle) < want {
			low = middle
		} else {
			high = middle
		}
	}
	return low
}

// The error of a solver falls with its order, on Gaussian data and on a mixture of two modes whose
// exact solutions are known: by 2 for half the step of DDIM, by 8 for those of third order.
func TestErrorsFallWithTheOrder(t *testing.T) {
	const std, from, to = 0.25, 5, 0.3
	b := backendtest.OpenGo(t) // once is enough: the order is a property of the formulas
	identity := func(x float64) float64 { return x }
	for _, c := range []struct {
		name   string
		s      Sampler
		order  float64
		least  bool // the order is at least that
		linear bool // steps are even in sigma, not in log-SNR
		warmup bool
	}{
		{"ddim", DDIM{}, 1, false, false, false},
		{"euler", Euler{}, 1, false, false, false},
		{"dpmpp_2m", DPMSolver2M{}, 2, false, false, true},
		{"dpmpp_2m_sde, eta 0", DPMSolver2MSDE{}, 2, false, false, true},
		{"dpmpp_2s", DPMSolver2S{}, 2, false, false, false},
		{"dpmpp_3m", DPMSolver3M{}, 3, false, false, true},
		{"dpmpp_3m_sde, eta 0", DPMSolver3MSDE{}, 3, false, false, true},
		{"heun", Heun{}, 2, false, false, false},
		{"lms 1", LMS{Order: 1}, 1, false, false, true},
		{"lms 2", LMS{Order: 2}, 2, false, false, true},
		{"lms 3", LMS{Order: 3}, 2.75, true, false, true},
		{"lms 4", LMS{Order: 4}, 3.5, true, false, true},
		{"unipc 1", UniPC{Order: 1, Variant: "bh2"}, 2, false, false, true}, // the corrector adds one
		{"unipc 2, bh1", UniPC{Order: 2, Variant: "bh1"}, 2.5, true, false, true},
		{"unipc 2, bh2", UniPC{Order: 2, Variant: "bh2"}, 2.5, true, false, true},
		{"unipc 3", UniPC{Order: 3, Variant: "bh2"}, 2.75, true, false, true},
		{"pndm, sigma linear in the timestep", PNDM{}, 3.5, true, true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			for what, x0 := range map[string]func(x, signal, noise *Node) *Node{
				"gaussian": func(x, signal, noise *Node) *Node {
					return Mul(x, Div(MulScalar(signal, std*std), Add(MulScalar(Square(signal), std*std), Square(noise))))
				},
				"two modes": mixtureX0,
			} {
				before, table := math.NaN(), ""
				for _, n := range []int{16, 32, 64, 128} {
					var levels []diffusion.Level
					var schedule diffusion.Schedule = angles{}
					if c.linear {
						schedule = sigmas{}
						levels = between(schedule, from, to, n, c.warmup, identity, identity)
					} else {
						levels = between(schedule, from, to, n, c.warmup, math.Log, math.Exp)
					}
					first, last := levels[0], levels[len(levels)-1]
					start := []float64{0.7, -1.3}
					off := 0.0
					for i, got := range inFloat64(t, b, c.s, c.s.Steps(levels, schedule), start, x0) {
						want := mixtureFlow(first, last, start[i])
						if what == "gaussian" {
							want = start[i] * math.Hypot(last.Signal*std, last.Noise) / math.Hypot(first.Signal*std, first.Noise)
						}
						off = math.Max(off, math.Abs(got-want))
					}
					order := math.Log2(before / off)
					table += fmt.Sprintf("  %d: %.2g (%.2f)", n, off, order)
					ok := math.Abs(order-c.order) <= 0.25 || c.least && order >= c.order
					if n == 128 && !ok {
						t.Errorf("%s: errors fall by the order %.3f, want %g", what, order, c.order)
					}
					before = off
				}
				t.Logf("%s: errors (orders) by steps:%s", what, table)
			}
		})
	}
}
