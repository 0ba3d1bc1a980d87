// Package backendtest runs graphs in tests. Only here it is decided on which backend.
package backendtest

import (
	"cmp"
	"os"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"mcvd/models/backend"
)

// Name is the backend that tests run on: $MCVD_TEST_BACKEND, or go.
func Name() string { return cmp.Or(os.Getenv("MCVD_TEST_BACKEND"), "go") }

// Open opens the backend that tests run on, until the end of the test.
func Open(t testing.TB) compute.Backend {
	t.Helper()
	return open(t, Name())
}

// OpenGo opens the pure-Go backend until the end of the test. It is for tests that don't depend on
// what a backend computes, such as tests of files, or of the layout of networks that are never run,
// and for what the results of other backends are compared with.
func OpenGo(t testing.TB) compute.Backend {
	t.Helper()
	return open(t, "go")
}

func open(t testing.TB, name string) compute.Backend {
	t.Helper()
	b, err := backend.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Finalize)
	return b
}

// Run builds a graph, runs it on the inputs, and returns its outputs, float32 tensors of any shape,
// row-major.
func Run(t testing.TB, build func(in []*graph.Node) []*graph.Node, inputs ...any) [][]float32 {
	t.Helper()
	exec, err := graph.NewExec(Open(t), build)
	if err != nil {
		t.Fatal(err)
	}
	defer exec.Finalize()
	outputs, err := exec.Call(inputs...)
	if err != nil {
		t.Fatal(err)
	}
	values := make([][]float32, len(outputs))
	for i, o := range outputs {
		values[i] = tensors.MustCopyFlatData[float32](o)
	}
	return values
}
