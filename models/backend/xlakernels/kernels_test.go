//go:build cgo && linux && amd64 && !noxla

package xlakernels_test

import (
	"bytes"
	"log/slog"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"mcvd/models/backend/xlakernels"
	"mcvd/models/devices"
	"mcvd/models/nn"
)

// cases are batch, height, width, channels in and out: odd batches, sides that tiles don't divide,
// channels that differ, more than one part of output channels (128), blocks of tiles that are not full,
// and few pixels.
var cases = [][5]int{
	{2, 16, 16, 32, 64}, {3, 16, 20, 96, 32}, {1, 64, 64, 32, 32}, {33, 4, 4, 32, 32}, {8, 8, 8, 64, 160},
	{5, 10, 18, 32, 32}, {4, 11, 13, 32, 32}, {2, 16, 16, 256, 32}, {4, 12, 12, 32, 256}, {1, 32, 32, 128, 128},
	{3, 16, 16, 48, 16}, {3, 12, 20, 80, 144}, {2, 8, 8, 64, 48}, {1, 1, 1, 16, 16}, {3, 7, 3, 32, 80}, {1, 2, 9, 48, 32},
}

// Convolutions and their gradients by the input and by the weights are those of the plain formulation.
func TestConvolutions(t *testing.T) {
	for _, side := range []int{3, 1} {
		var inputs []*tensors.Tensor
		for _, c := range cases {
			inputs = append(inputs, random(c[0], c[1], c[2], c[3]), random(side, side, c[3], c[4]), random(c[4]), random(c[0], c[1], c[2], c[4]))
		}
		of := func(f nn.Formulation) func(in []*Node) []*Node {
			return func(in []*Node) (results []*Node) {
				for i := range cases {
					x, w, bias, to := in[4*i], in[4*i+1], in[4*i+2], in[4*i+3]
					if i%2 == 0 {
						results = append(results, nn.HalfSum(to, f.Conv(x, w, bias, nil)))
					} else {
						results = append(results, f.Conv(x, w, bias, to))
					}
				}
				return results
			}
		}
		// Each has another convolution in the text of the program, which never runs and leads to the
		// gradients, and a 3x3 convolution one more, in the body of the kernel's function.
		n := len(cases)
		want := map[string]int{"conv_bias": n, "conv": n, "conv_transposed": n, "conv_weights": n, "sums": n}
		if side == 3 {
			want["conv"] = 2 * n
		}
		agree(t, of(nn.XLA), of(nn.Plain), want, inputs...)
	}
}

// One image may go through several kernels of the same name.
func TestConvolutionsOfOneImage(t *testing.T) {
	of := func(f nn.Formulation) func(in []*Node) []*Node {
		return func(in []*Node) []*Node {
			return []*Node{f.Conv(in[0], in[1], in[2], nil), f.Conv(in[0], in[3], in[2], nil), f.Conv(in[0], in[1], in[2], in[0])}
		}
	}
	want := map[string]int{"conv_bias": 3, "conv": 5, "conv_transposed": 3, "conv_weights": 3, "sums": 3}
	agree(t, of(nn.XLA), of(nn.Plain), want, random(2, 12, 12, 32), random(3, 3, 32, 32), random(32), random(1, 1, 32, 32))
}

// A norm of an image whose pixels are all equal is finite: rounding may make its variance negative.
func TestNormsOfEqualPixels(t *testing.T) {
	kernels, _ := both(t)
	results, err := run(t, kernels, func(in []*Node) []*Node {
		x := BroadcastToDims(in[0], 2, 16, 16, 32)
		ones := OnesLike(x)
		return []*Node{nn.XLA.Norm(x, nil, nil, 8, 1e-6, false), nn.XLA.SpatialNorm(x, ones, ones, nil, nil, 8, 1e-6, true)}
	}, tensors.FromFlatDataAndDimensions([]float32{1234.567}, 1, 1, 1, 1))
	if err != nil {
		t.Fatal(err)
	}
	for i, y := range results {
		if !finite(y) {
			t.Errorf("norm %d is not finite", i)
		}
	}
}

// So are norms with SiLU and without, with scale and shift and without.
func TestNorms(t *testing.T) {
	var inputs []*tensors.Tensor
	for _, c := range cases {
		inputs = append(inputs, random(c[0], c[1], c[2], c[3]), random(c[0], c[3]), random(c[0], c[3]))
	}
	of := func(f nn.Formulation) func(in []*Node) []*Node {
		return func(in []*Node) (results []*Node) {
			for i, c := range cases {
				x, scale, shift := in[3*i], in[3*i+1], in[3*i+2]
				results = append(results, f.Norm(x, scale, shift, nn.Groups(c[3]), 1e-6, i%2 == 0), f.Norm(MulScalar(x, 30), nil, shift, nn.Groups(c[3]), 1e-6, true))
			}
			return results
		}
	}
	n := len(cases)
	want := map[string]int{"affine": n/2 + n/2, "affine_silu": 4*n - n, "sums": 2*n + n/2, "sums_silu": n + n/2}
	agree(t, of(nn.XLA), of(nn.Plain), want, inputs...)
}

// So is SPATIN's norm.
func TestSpatialNorms(t *testing.T) {
	var inputs []*tensors.Tensor
	for _, c := range cases {
		image := func() *tensors.Tensor { return random(c[0], c[1], c[2], c[3]) }
		inputs = append(inputs, image(), image(), image(), random(c[0], c[3]), random(c[0], c[3]))
	}
	of := func(f nn.Formulation) func(in []*Node) []*Node {
		return func(in []*Node) (results []*Node) {
			for i, c := range cases {
				x, gain, bias, scale, shift := in[5*i], in[5*i+1], in[5*i+2], in[5*i+3], in[5*i+4]
				results = append(results, f.SpatialNorm(x, gain, bias, scale, shift, nn.Groups(c[3]), 1e-6, i%2 == 0),
					f.SpatialNorm(x, bias, gain, nil, nil, nn.Groups(c[3]), 1e-6, i%2 == 1))
			}
			return results
		}
	}
	n := len(cases)
	agree(t, of(nn.XLA), of(nn.Plain), map[string]int{"spatial": n, "spatial_silu": n, "sums": 5 * n}, inputs...)
}

// So is attention: heads that are cut from channels, numbers of pixels that queries and keys don't divide,
// one head of many channels.
func TestAttention(t *testing.T) {
	shapes := [][4]int{{2, 64, 2, 32}, {3, 16, 1, 64}, {1, 400, 3, 16}, {2, 256, 1, 192}, {1, 1024, 2, 64}}
	var inputs []*tensors.Tensor
	for _, s := range shapes {
		for range 3 {
			inputs = append(inputs, random(s[:]...))
		}
	}
	of := func(f nn.Formulation) func(in []*Node) []*Node {
		return func(in []*Node) (results []*Node) {
			for i := range shapes {
				// The last has one product that is far above all others, as after long training.
				q := MulScalar(in[3*i], []float64{2, 2, 2, 2, 100}[i])
				results = append(results, f.Attend(q, in[3*i+1], in[3*i+2]))
			}
			return results
		}
	}
	n := len(shapes)
	agree(t, of(nn.XLA), of(nn.Plain), map[string]int{"attention": n, "attention_gradient": n}, inputs...)
}

// What is not finite makes what depends on it not finite: a kernel must not hide a run that diverges.
func TestWhatIsNotFiniteStaysSo(t *testing.T) {
	kernels, _ := both(t)
	for _, bad := range []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))} {
		for at, name := range []string{"q", "k", "v", "adjoint"} {
			in := make([]*tensors.Tensor, 4)
			for i := range in {
				in[i] = random(1, 16, 1, 16)
			}
			values := tensors.MustCopyFlatData[float32](in[at])
			values[35] = bad // of pixel 2
			in[at] = tensors.FromFlatDataAndDimensions(values, 1, 16, 1, 16)
			results, err := run(t, kernels, func(in []*Node) []*Node {
				y := nn.XLA.Attend(in[0], in[1], in[2])
				return append([]*Node{y}, Gradient(ReduceAllSum(Mul(y, in[3])), in[:3]...)...)
			}, in...)
			if err != nil {
				t.Fatal(err)
			}
			if name != "adjoint" && finite(results[0][2*16:3*16]) {
				t.Errorf("%g in %s: attention of pixel 2 is finite", bad, name)
			}
			for i, of := range []string{"q", "k", "v"} {
				if of == "v" && name == "v" {
					continue // its gradient doesn't depend on it
				}
				if finite(results[1+i]) {
					t.Errorf("%g in %s: the gradient of %s is finite", bad, name, of)
				}
			}
		}
	}
}

func finite(values []float32) bool {
	for _, v := range values {
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return false
		}
	}
	return true
}

// agree compares results and gradients with kernels with those of a plain formulation on the plugin as
// it is. want has how many operations each kernel serves.
func agree(t *testing.T, f, reference func(in []*Node) []*Node, want map[string]int, inputs ...*tensors.Tensor) {
	t.Helper()
	kernels, plain := both(t)
	before := xlakernels.Totals()
	if _, err := run(t, kernels, withGradients(f), inputs...); err != nil {
		t.Fatal(err)
	}
	_, by := since(before)
	if refused := xlakernels.Totals().Refused - before.Refused; refused > 0 || !maps.Equal(by, want) {
		t.Errorf("kernels serve %v, want %v; %d refused: %s", by, want, refused, xlakernels.Totals().Refusal)
	}
	values, err := run(t, plain, withGradients(reference), inputs...)
	if err != nil {
		t.Fatal(err)
	}
	for _, vectors := range []xlakernels.Vectors{xlakernels.AVX2, xlakernels.AVX512} {
		if !xlakernels.UseVectors(vectors) {
			t.Logf("this processor has no %s", vectors)
			continue
		}
		worst, first := 0.0, [][]float32(nil)
		for time := range 2 {
			got, err := run(t, kernels, withGradients(f), inputs...)
			if err != nil {
				t.Fatal(err)
			}
			for i := range values {
				d := off(got[i], values[i])
				if worst = max(worst, d); !(d <= 3e-5) {
					t.Errorf("%s: result %d is off by %g of the largest value", vectors, i, d)
				}
				if time > 0 && !slices.Equal(got[i], first[i]) {
					t.Errorf("%s: result %d has other bits the second time", vectors, i)
				}
			}
			first = got
		}
		t.Logf("%s: %d results, the worst is off by %.1e", vectors, len(values), worst)
	}
}

// A kernel that is called with arrays that are not for it is an error of the call: it would read and
// write beyond them.
func TestWrongArraysAreErrorsOfTheCall(t *testing.T) {
	kernels, _ := both(t)
	defer xlakernels.Twist(nil)
	for _, c := range []struct {
		name, kernel string
		result       []int
		arguments    [][]int
	}{
		{"weights for another result", "conv", []int{2, 8, 8, 32}, [][]int{{2, 8, 8, 32}, {3, 3, 32, 64}}},
		{"a result with fewer pixels", "conv", []int{2, 8, 4, 32}, [][]int{{2, 8, 8, 32}, {3, 3, 32, 32}}},
		{"channels of no multiple", "conv", []int{2, 8, 8, 24}, [][]int{{2, 8, 8, 32}, {3, 3, 32, 24}}},
		{"no weights", "conv", []int{2, 8, 8, 32}, [][]int{{2, 8, 8, 32}}},
		{"weights that are not transposed", "conv_transposed", []int{2, 8, 8, 32}, [][]int{{2, 8, 8, 64}, {3, 3, 64, 32}}},
		{"an adjoint with fewer pixels", "conv_weights", []int{3, 3, 32, 64}, [][]int{{2, 8, 8, 32}, {2, 8, 4, 64}}},
		{"weights with fewer channels", "conv_weights", []int{3, 3, 32, 32}, [][]int{{2, 8, 8, 32}, {2, 8, 8, 64}}},
		{"a bias of fewer channels", "conv_bias", []int{2, 8, 8, 32}, [][]int{{2, 8, 8, 32}, {3, 3, 32, 32}, {16}}},
		{"a kernel of other sides", "conv", []int{2, 8, 8, 32}, [][]int{{2, 8, 8, 32}, {1, 3, 32, 32}}},
		{"1x1 weights that are not transposed", "conv_transposed", []int{2, 8, 8, 32}, [][]int{{2, 8, 8, 64}, {1, 1, 64, 32}}},
		{"no bias", "conv_bias", []int{2, 8, 8, 32}, [][]int{{2, 8, 8, 32}, {3, 3, 32, 32}}},
		{"other images to add", "conv_bias", []int{2, 8, 8, 32}, [][]int{{2, 8, 8, 32}, {3, 3, 32, 32}, {32}, {1, 8, 8, 32}}},
		{"values of fewer pixels", "attention", []int{2, 16, 2, 32}, [][]int{{2, 16, 2, 32}, {2, 16, 2, 32}, {2, 8, 2, 32}}},
		{"an adjoint of fewer pixels", "attention_gradient", []int{3, 2, 16, 2, 32}, [][]int{{2, 16, 2, 32}, {2, 16, 2, 32}, {2, 16, 2, 32}, {2, 8, 2, 32}}},
		{"a result with other rows", "conv", []int{2, 4, 8, 32}, [][]int{{2, 8, 8, 32}, {3, 3, 32, 32}}},
		{"a result with more images", "conv", []int{3, 8, 8, 32}, [][]int{{2, 8, 8, 32}, {3, 3, 32, 32}}},
		{"keys of fewer pixels", "attention", []int{2, 16, 2, 32}, [][]int{{2, 16, 2, 32}, {2, 8, 2, 32}, {2, 16, 2, 32}}},
		{"pixels of no multiple", "attention", []int{2, 8, 2, 32}, [][]int{{2, 8, 2, 32}, {2, 8, 2, 32}, {2, 8, 2, 32}}},
		{"no adjoint", "attention_gradient", []int{3, 2, 16, 2, 32}, [][]int{{2, 16, 2, 32}, {2, 16, 2, 32}, {2, 16, 2, 32}}},
		{"a result for one", "attention_gradient", []int{2, 16, 2, 32}, [][]int{{2, 16, 2, 32}, {2, 16, 2, 32}, {2, 16, 2, 32}, {2, 16, 2, 32}}},
		{"a gain of fewer pixels", "spatial", []int{2, 8, 8, 32}, [][]int{{2, 8, 8, 32}, {2, 8, 4, 32}, {2, 8, 8, 32}, {2, 4, 32}}},
		{"two coefficients", "spatial_silu", []int{2, 8, 8, 32}, [][]int{{2, 8, 8, 32}, {2, 8, 8, 32}, {2, 8, 8, 32}, {2, 2, 32}}},
		{"a bias of fewer pixels", "spatial", []int{2, 8, 8, 32}, [][]int{{2, 8, 8, 32}, {2, 8, 8, 32}, {2, 8, 4, 32}, {2, 4, 32}}},
		{"two coefficients for a gradient", "affine", []int{2, 8, 8, 32}, [][]int{{2, 8, 8, 32}, {2, 8, 8, 32}, {2, 2, 32}}},
		{"coefficients of fewer images", "affine", []int{2, 8, 8, 32}, [][]int{{2, 8, 8, 32}, {1, 2, 32}}},
		{"sums of fewer images", "sums", []int{1, 2, 32}, [][]int{{2, 8, 8, 32}}},
		{"attention of fewer pixels", "attention", []int{2, 8, 2, 32}, [][]int{{2, 16, 2, 32}, {2, 16, 2, 32}, {2, 16, 2, 32}}},
		{"five operands", "conv_bias", []int{2, 8, 8, 32}, [][]int{{2, 8, 8, 32}, {3, 3, 32, 32}, {32}, {2, 8, 8, 32}, {32}}},
		{"sums of fewer channels", "sums", []int{2, 2, 16}, [][]int{{2, 8, 8, 32}}},
		{"an image with fewer pixels", "affine", []int{2, 8, 4, 32}, [][]int{{2, 8, 8, 32}, {2, 2, 32}}},
		{"three coefficients", "affine", []int{2, 8, 8, 32}, [][]int{{2, 8, 8, 32}, {2, 3, 32}}},
		{"an adjoint of fewer images", "affine_silu", []int{2, 8, 8, 32}, [][]int{{2, 8, 8, 32}, {1, 8, 8, 32}, {2, 4, 32}}},
	} {
		call := func(in []*Node) []*Node {
			f := NewFunction(in[0].Graph(), xlakernels.Prefix+"affine__wrong", func(g *Graph) []*Node {
				for i, x := range in {
					Parameter(g, "p"+strconv.Itoa(i), x.Shape())
				}
				return []*Node{BroadcastToDims(Const(g, float32(0)), c.result...)}
			})
			return f.Call(in...)
		}
		var inputs []*tensors.Tensor
		for _, dims := range c.arguments {
			inputs = append(inputs, random(dims...))
		}
		xlakernels.Twist(func(p []byte) []byte {
			return bytes.ReplaceAll(p, []byte(`"mcvd_affine"`), []byte(`"mcvd_`+c.kernel+`"`))
		})
		if _, err := run(t, kernels, call, inputs...); err == nil || !strings.Contains(err.Error(), "not for this kernel") {
			t.Errorf("%s, %s: error %v", c.kernel, c.name, err)
		}
	}
}

// A kernel that finds no memory is an error of the call. The next call works.
func TestFailuresAreErrorsOfTheCall(t *testing.T) {
	kernels, plain := both(t)
	// So few channels that the tiles of a thread need more memory than the transformed kernel.
	x, w := random(2, 16, 16, 16), random(3, 3, 16, 16)
	conv := withGradients(func(in []*Node) []*Node { return []*Node{Convolve(in[0], in[1]).PadSame().Done()} })
	want, err := run(t, plain, conv, x, w)
	if err != nil {
		t.Fatal(err)
	}
	// Nothing; the transformed kernel, so that only threads find too little; their tiles, too, but not
	// those of the gradient.
	for _, floats := range []int{1, 36 * 16 * 16, 36 * 12 * 32} {
		xlakernels.LimitMemory(4 * floats)
		_, err := run(t, kernels, conv, x, w)
		xlakernels.LimitMemory(0)
		if err == nil || !strings.Contains(err.Error(), "out of memory") {
			t.Errorf("at most %d floats: error %v", floats, err)
		}
	}
	// 1x1, and few pixels.
	for _, in := range [][]*tensors.Tensor{{x, random(1, 1, 16, 16)}, {random(1, 8, 8, 16), w}} {
		xlakernels.LimitMemory(1)
		_, err := run(t, kernels, func(in []*Node) []*Node { return []*Node{Convolve(in[0], in[1]).PadSame().Done()} }, in...)
		xlakernels.LimitMemory(0)
		if err == nil || !strings.Contains(err.Error(), "out of memory") {
			t.Errorf("%s: error %v", in[1].Shape(), err)
		}
	}
	got, err := run(t, kernels, conv, x, w)
	if err != nil {
		t.Fatal(err)
	}
	for i := range want {
		if d := off(got[i], want[i]); !(d <= 2e-5) {
			t.Errorf("after the errors, result %d is off by %g", i, d)
		}
	}
}

// A program that XLA refuses once it is rewritten runs as it was, and the first time a warning says so.
func TestRefusedProgramsRunAsTheyWere(t *testing.T) {
	kernels, plain := both(t)
	defer xlakernels.Twist(nil)
	var log bytes.Buffer
	old := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	defer slog.SetDefault(old)
	// Then the bodies of the kernels' functions run.
	f := withGradients(func(in []*Node) []*Node {
		q := Reshape(in[0], 2, 64, 1, 32)
		return []*Node{nn.XLA.Norm(in[0], nil, nil, 8, 1e-6, false), nn.XLA.Attend(MulScalar(q, 40), Sin(q), q)}
	})
	x := random(2, 8, 8, 32)
	want, err := run(t, plain, f, x)
	if err != nil {
		t.Fatal(err)
	}
	before := xlakernels.Totals()
	for name, twist := range map[string]func([]byte) []byte{
		"an unknown kernel": func(p []byte) []byte { return bytes.ReplaceAll(p, []byte(`"mcvd_affine"`), []byte(`"mcvd_none"`)) },
		"no program":        func([]byte) []byte { return []byte("module {\n what\n}\n") },
		"a panic":           func([]byte) []byte { panic("oh") },
	} {
		xlakernels.Twist(twist)
		got, err := run(t, kernels, f, x)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for i := range want {
			if d := off(got[i], want[i]); !(d <= 5e-5) {
				t.Errorf("%s: result %d is off by %g", name, i, d)
			}
		}
	}
	if n := xlakernels.Totals().Refused - before.Refused; n != 3 {
		t.Errorf("%d programs were refused, want 3", n)
	}
	if before.Refused == 0 && strings.Count(log.String(), "XLA refused a program") != 1 {
		t.Errorf("want one warning, got %q", log.String())
	}
}

// On several devices XLA divides programs, without kernels, and they give the same.
func TestSeveralDevices(t *testing.T) {
	kernels, _ := both(t)
	if kernels.NumDevices() < 2 {
		t.Fatal("the CPU plugin shows one device, want several virtual ones")
	}
	x, w := random(4, 16, 16, 32), random(3, 3, 32, 32)
	var results [][]float32
	for _, n := range []int{1, 2} {
		before := xlakernels.Totals()
		values, err := divided(kernels, n, x, w)
		if err != nil {
			t.Fatal(err)
		}
		results = append(results, values)
		if all, by := since(before); (all > 0) != (n == 1) {
			t.Errorf("%d devices: kernels serve %v", n, by)
		}
	}
	if d := off(results[1], results[0]); !(d <= 2e-5) {
		t.Errorf("two devices are off by %g", d)
	}
}

// divided runs a program whose batch x so many devices share.
func divided(b compute.Backend, n int, x, w *tensors.Tensor) ([]float32, error) {
	d, err := devices.Open(b, n, x.Shape().Dimensions[0])
	if err != nil {
		return nil, err
	}
	exec, err := model.NewExec(d.Backend(), model.NewStore(), func(_ *model.Scope, in []*Node) []*Node {
		y := nn.XLA.Norm(Convolve(in[0], in[1]).PadSame().Done(), nil, nil, 8, 1e-6, true)
		return Gradient(ReduceAllSum(Mul(y, in[0])), in[1])
	})
	if err != nil {
		return nil, err
	}
	p, err := d.Program(exec, devices.Copies, devices.Parts, devices.Copies)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	var args []devices.Value
	for i, v := range []*tensors.Tensor{x, w} {
		clone, err := v.LocalClone()
		if err != nil {
			return nil, err
		}
		arg, err := d.Put(clone, []devices.Place{devices.Parts, devices.Copies}[i])
		if err != nil {
			return nil, err
		}
		args = append(args, arg)
	}
	values, err := p.Call(args...)
	if err != nil {
		return nil, err
	}
	return values[0].Numbers()
}
