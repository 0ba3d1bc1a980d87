//go:build cgo && linux && amd64 && !noxla

package xlakernels_test

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"mcvd/models/backend/xlakernels"
	"mcvd/models/nn"
)

// Random programs of what networks are made of, with their gradients, give the same with kernels and
// without. MCVD_FUZZ_PROGRAMS=200 runs as many.
func TestRandomPrograms(t *testing.T) {
	kernels, plain := both(t)
	programs := 6
	if text := os.Getenv("MCVD_FUZZ_PROGRAMS"); text != "" {
		var err error
		if programs, err = strconv.Atoi(text); err != nil || programs < 1 {
			t.Fatalf("MCVD_FUZZ_PROGRAMS=%s: want a number of programs", text)
		}
	}
	start := xlakernels.Totals()
	for seed := range programs {
		p := randomProgram{seed: uint64(seed)}
		inputs := p.inputs()
		before := xlakernels.Totals()
		got, err := run(t, kernels, withGradients(p.build), inputs...)
		if err != nil {
			t.Fatalf("program %d with kernels: %v", seed, err)
		}
		if r := xlakernels.Totals(); r.Refused > before.Refused {
			t.Errorf("program %d was refused: %s", seed, r.Refusal)
		}
		want, err := run(t, plain, withGradients(p.build), inputs...)
		if err != nil {
			t.Fatalf("program %d without: %v", seed, err)
		}
		for i := range want {
			// By the norm: a relu of a value that rounding makes positive changes single values.
			if d, norm := distance(got[i], want[i]); !(d <= 1e-4*norm) {
				t.Errorf("program %d, result %d: off by %g of its norm", seed, i, d/norm)
			}
		}
	}
	_, by := since(start)
	t.Logf("%d programs, kernels serve %v", programs, by)
	for _, kernel := range []string{"conv", "conv_transposed", "conv_weights", "conv_bias", "sums_silu", "affine"} {
		if by[kernel] == 0 {
			t.Errorf("kernels serve %v: the programs don't test %s", by, kernel)
		}
	}
}

// randomProgram is a program of random operations on random images.
type randomProgram struct{ seed uint64 }

func pick[T any](rng *rand.Rand, of ...T) T { return of[rng.IntN(len(of))] }

// inputs are two images and the weights that all operations share, cut as they need them.
func (p randomProgram) inputs() []*tensors.Tensor {
	rng := rand.New(rand.NewPCG(p.seed, 1))
	b, h, w, c := pick(rng, 1, 3, 5, 8), pick(rng, 6, 8, 12, 16, 20), pick(rng, 4, 8, 10, 16), pick(rng, 8, 16, 32, 32, 32, 64, 96)
	return []*tensors.Tensor{random(b, h, w, c), random(b, h, w, c), random(5, 5, 96, 96), random(b, 96)}
}

// build makes the program. A stack holds images, from which operations take theirs.
func (p randomProgram) build(in []*Node) []*Node {
	rng := rand.New(rand.NewPCG(p.seed, 2))
	stack := []*Node{in[0], in[1]}
	for range 4 + rng.IntN(6) {
		x := stack[rng.IntN(len(stack))]
		y := p.operation(rng, x, stack, in[2], in[3])
		// Values stay about as large as they are, so that errors do, too.
		stack = append(stack, Mul(y, Reciprocal(Sqrt(AddScalar(ReduceAllMean(Square(StopGradient(y))), 1e-3)))))
	}
	return stack[len(stack)-2:]
}

func (p randomProgram) operation(rng *rand.Rand, x *Node, stack []*Node, weights, rows *Node) *Node {
	d := x.Shape().Dimensions
	kernel := func(size, out int) *Node {
		return Slice(weights, AxisRange(0, size), AxisRange(0, size), AxisRange(0, d[3]), AxisRange(0, out))
	}
	row := func() *Node { return Slice(rows, AxisRange(), AxisRange(0, d[3])) }
	switch rng.IntN(13) {
	case 0, 1, 2:
		return Convolve(x, kernel(3, pick(rng, 8, 32, 32, 64, 96))).PadSame().Done()
	case 3:
		return Convolve(x, kernel(pick(rng, 1, 5), 32)).PadSame().Done()
	case 4:
		return Convolve(x, kernel(3, 32)).PadSame().Strides(2).Done()
	case 5, 6:
		return nn.XLA.Norm(x, row(), row(), nn.Groups(d[3]), 1e-3, rng.IntN(2) == 0)
	case 7:
		if d[1]*d[2] <= 400 {
			return nn.XLA.Resample(x, true)
		}
		if d[1]%2 == 0 && d[2]%2 == 0 {
			return nn.XLA.Resample(x, false)
		}
		return nn.XLA.SiLU(x)
	case 8:
		return Add(x, nn.XLA.SiLU(Mul(x, Tanh(x))))
	case 10:
		out, to := pick(rng, d[3], d[3], 32), x
		if out != d[3] || rng.IntN(2) == 0 {
			to = nil
		}
		bias := Reshape(Slice(rows, AxisRange(0, 1), AxisRange(0, out)), out)
		return nn.XLA.Conv(x, kernel(pick(rng, 1, 3), out), bias, to)
	case 11:
		_, u := RandomUniform(RNGStateFromSeedForGraph(x.Graph(), int64(p.seed)), x.Shape())
		return Where(GreaterThan(u, Scalar(x.Graph(), u.DType(), 0.3)), x, ZerosLike(x))
	case 9:
		for _, other := range stack {
			if o := other.Shape().Dimensions; other != x && o[1] == d[1] && o[2] == d[2] && o[3]+d[3] <= 96 {
				return Concatenate([]*Node{x, other}, -1)
			}
		}
		return Sin(x)
	}
	return TransposeAllAxes(x, 0, 2, 1, 3)
}
