package nn

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"mcvd/models/backend/backendtest"
)

type convolution func(x, w, bias *Node) *Node

// alone is a formulation's convolution that is added to nothing.
func alone(conv func(x, w, bias, to *Node) *Node) convolution {
	return func(x, w, bias *Node) *Node { return conv(x, w, bias, nil) }
}

// convInputs are a random image, kernel and bias, for which the results are about 1.
func convInputs(seed uint64, batch, height, width, in, kernel, out int) []any {
	random := rand.New(rand.NewPCG(1, seed))
	draw := func(scale float64, dims ...int) *tensors.Tensor {
		x := wave(dims...)
		tensors.MustMutableFlatData(x, func(values []float32) {
			for i := range values {
				values[i] = float32(scale * random.NormFloat64())
			}
		})
		return x
	}
	return []any{draw(1, batch, height, width, in), draw(1/math.Sqrt(float64(kernel*kernel*in)), kernel, kernel, in, out), draw(1, out)}
}

// All ways to convolve agree with the plain one on images of all sizes: sides of one pixel, odd
// sides, batches of one, and numbers of channels that fill no vector of the CPU.
func TestConvolutionsOfAllSizes(t *testing.T) {
	b, exact := backendtest.Open(t), backendtest.OpenGo(t) // on XLA, kernels may serve the plain convolution
	for i, s := range []struct{ batch, height, width, in, out int }{
		{1, 1, 1, 1, 1}, {1, 1, 5, 3, 2}, {1, 7, 3, 1, 8}, {2, 2, 2, 4, 4}, {2, 5, 5, 5, 3}, {3, 9, 6, 2, 130},
		{1, 4, 4, 130, 1}, {1, 8, 8, 31, 33}, {2, 12, 16, 64, 32}, {1, 13, 11, 33, 64}, {1, 8, 8, 128, 128}, {4, 16, 16, 64, 32},
	} {
		for _, kernel := range []int{1, 3} {
			t.Run(fmt.Sprintf("%+v kernel %d", s, kernel), func(t *testing.T) {
				run := func(b compute.Backend, conv convolution) []float32 {
					exec, err := NewExec(b, func(in []*Node) *Node { return conv(in[0], in[1], in[2]) })
					if err != nil {
						t.Fatal(err)
					}
					out, err := exec.Call(convInputs(uint64(i), s.batch, s.height, s.width, s.in, kernel, s.out)...)
					if err != nil {
						t.Fatal(err)
					}
					return tensors.MustCopyFlatData[float32](out[0])
				}
				plain := run(exact, alone(plainConv))
				ways := map[string]convolution{"go": alone(goConv), "go forward": alone(goForward), "xla": alone(xlaConv)}
				if kernel == 3 {
					ways["tiles of 2"], ways["tiles of 4"] = newWinograd(0, 1, -1).conv, tilesOfFour.conv
				}
				for name, conv := range ways {
					for i, got := range run(b, conv) {
						if want := float64(plain[i]); !(math.Abs(float64(got)-want) <= 1e-5*(1+math.Abs(want))) {
							t.Fatalf("%s: value %d: %g, want %g", name, i, got, want)
						}
					}
				}
			})
		}
	}
}

// Winograd's convolution has the gradients of im2col: guidance by a classifier needs them.
func TestForwardGradients(t *testing.T) {
	b := backendtest.Open(t)
	inputs := convInputs(0, 2, 24, 22, 48, 3, 32)
	run := func(conv convolution) []*tensors.Tensor {
		exec, err := NewExec(b, func(in []*Node) []*Node {
			if !tilesOfFour.pays(in[0], in[1]) {
				t.Error("this size is not convolved by tiles")
			}
			return Gradient(weighed(conv(in[0], in[1], in[2])), in...)
		})
		if err != nil {
			t.Fatal(err)
		}
		out, err := exec.Call(inputs...)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	want := run(alone(goConv))
	for i, got := range run(alone(goForward)) {
		if d := distance(got, want[i]); !(d <= 1e-4) {
			t.Errorf("gradient %d (image, kernel, bias): differs by %g", i, d)
		}
	}
}

// Forward is for graphs that train nothing: training keeps the columns of im2col for the gradient.
func TestForwardIsNotForTraining(t *testing.T) {
	b := backendtest.Open(t)
	for _, training := range []bool{false, true} {
		store := model.NewStore()
		for name, kernel := range map[string]int{"one": 3, "two": 1, "three": 1} {
			for parameter, value := range map[string]*tensors.Tensor{"w": wave(kernel, kernel, 2, 2), "b": wave(2)} {
				if _, err := store.Scope("/"+name).CreateVariable(parameter, value); err != nil {
					t.Fatal(err)
				}
			}
		}
		forward := 0
		exec, err := model.NewExec(b, store, func(s *model.Scope, x *Node) *Node {
			store.SetTraining(x.Graph(), training)
			counted := Plain
			counted.Forward = func(x, w, bias, to *Node) *Node { forward++; return plainConv(x, w, bias, to) }
			builder := &Builder{Formulation: counted}
			y := builder.Conv(s.At("one"), x, 3, 2, 1)
			return builder.Convs([]*model.Scope{s.At("two"), s.At("three")}, y, 1, 2, 1)[1]
		})
		if err != nil {
			t.Fatal(err)
		}
		defer exec.Finalize()
		if _, err := exec.Call(wave(1, 2, 2, 2)); err != nil {
			t.Fatal(err)
		}
		if want := map[bool]int{false: 2}[training]; forward != want {
			t.Errorf("training %t: %d of 2 convolutions are forward ones, want %d", training, forward, want)
		}
	}
}
