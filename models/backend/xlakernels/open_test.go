//go:build cgo && linux && amd64 && !noxla

package xlakernels_test

import (
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"mcvd/models/backend"
	"mcvd/models/backend/backendtest"
	"mcvd/models/backend/xlakernels"
)

// both opens the CPU plugin with kernels and as it is, until the end of the test. It is as it is when
// it is opened by a link, for whose path nothing was registered.
func both(t *testing.T) (kernels, plain compute.Backend) {
	t.Helper()
	if backendtest.Name() != "xla-cpu" {
		t.Skip("kernels are XLA's: MCVD_TEST_BACKEND=xla-cpu runs this")
	}
	c, err := backend.Choose("xla-cpu")
	if err != nil {
		t.Fatal(err)
	}
	kernels = backendtest.Open(t)
	if says := c.Versions()["kernels"]; strings.Contains(says, "no AVX2") {
		t.Skip(says)
	}
	if !xlakernels.Serve(kernels) {
		t.Fatal("kernels don't serve the backend that was opened: " + c.Versions()["kernels"])
	}
	path := filepath.Join(t.TempDir(), filepath.Base(c.Plugin))
	if err := os.Symlink(c.Plugin, path); err != nil {
		t.Fatal(err)
	}
	plain, err = compute.NewWithConfig("xla:" + path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(plain.Finalize)
	if xlakernels.Serve(plain) {
		t.Fatal("kernels serve the plain plugin")
	}
	return kernels, plain
}

var rng = rand.New(rand.NewPCG(1, 2))

func random(dims ...int) *tensors.Tensor {
	size := 1
	for _, d := range dims {
		size *= d
	}
	f := make([]float32, size)
	for i := range f {
		f[i] = float32(rng.NormFloat64())
	}
	return tensors.FromFlatDataAndDimensions(f, dims...)
}

// run compiles and runs a program once.
func run(t *testing.T, b compute.Backend, f func(in []*Node) []*Node, inputs ...*tensors.Tensor) ([][]float32, error) {
	t.Helper()
	exec, err := NewExec(b, f)
	if err != nil {
		return nil, err
	}
	defer exec.Finalize()
	var args []any
	for _, x := range inputs {
		clone, err := x.LocalClone() // a tensor belongs to one backend
		if err != nil {
			t.Fatal(err)
		}
		args = append(args, clone)
	}
	out, err := exec.Call(args...)
	var values [][]float32
	for _, x := range out {
		values = append(values, tensors.MustCopyFlatData[float32](x))
	}
	return values, err
}

// withGradients is f's results, and the gradients by all inputs of their sum with different weights.
func withGradients(f func(in []*Node) []*Node) func(in []*Node) []*Node {
	return func(in []*Node) []*Node {
		results := f(in)
		var sum *Node
		for _, y := range results {
			weighed := ReduceAllSum(Mul(y, Sin(IotaFull(y.Graph(), y.Shape()))))
			if sum != nil {
				weighed = Add(sum, weighed)
			}
			sum = weighed
		}
		return append(results, Gradient(sum, in...)...)
	}
}

// off is the largest difference by the largest value.
func off(got, want []float32) float64 {
	if len(got) != len(want) || len(want) == 0 {
		return math.NaN()
	}
	var diff, most float64
	for i, v := range want {
		diff, most = max(diff, math.Abs(float64(got[i]-v))), max(most, math.Abs(float64(v)))
	}
	return diff / most
}

// since counts what kernels have served, by kernel, from a report on.
func since(before xlakernels.Report) (all int, by map[string]int) {
	by = map[string]int{}
	for kernel, n := range xlakernels.Totals().Rewritten {
		if more := n - before.Rewritten[kernel]; more > 0 {
			by[kernel], all = more, all+more
		}
	}
	return all, by
}
