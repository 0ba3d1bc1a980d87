//go:build cgo && linux && amd64 && !noxla

package xlakernels_test

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"mcvd/models/backend/compiled"
	"mcvd/models/backend/xlakernels"
	"mcvd/models/nn"
)

// Tests keep what XLA compiles in a folder of their own.
func TestMain(m *testing.M) {
	folder, err := os.MkdirTemp("", "mcvd-test-*")
	if err != nil {
		panic(err)
	}
	if err := os.Setenv("MCVD_XLA_CACHE", folder); err != nil {
		panic(err)
	}
	code := m.Run()
	os.RemoveAll(folder)
	os.Exit(code)
}

// A program that was compiled once is loaded the next time, with its kernels, and gives the same bits.
// An executable that was damaged, and one that the plugin doesn't take, are noticed; then the program is
// compiled anew, and kept.
func TestProgramsAreCompiledOnce(t *testing.T) {
	kernels, _ := both(t)
	defer xlakernels.KeepAll()()
	x, w := random(4, 16, 16, 32), random(3, 3, 32, 32)
	program := withGradients(func(in []*Node) []*Node {
		return []*Node{nn.XLA.Norm(Convolve(in[0], in[1]).PadSame().Done(), nil, nil, 8, 1e-6, true)}
	})
	kept := executables(t)
	call := func(what string, loaded, stored, lost int) (values [][]float32) {
		before := xlakernels.Totals()
		values, err := run(t, kernels, program, x, w)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		r := xlakernels.Totals()
		if r.Loaded-before.Loaded != loaded || r.Stored-before.Stored != stored || r.Lost-before.Lost != lost {
			t.Errorf("%s: %d loaded, %d stored, %d lost; want %d, %d, %d", what, r.Loaded-before.Loaded, r.Stored-before.Stored, r.Lost-before.Lost, loaded, stored, lost)
		}
		return values
	}
	want := call("the first time", 0, 1, 0)
	again := func(what string, loaded, stored, lost int) {
		for i, got := range call(what, loaded, stored, lost) {
			if !slices.Equal(got, want[i]) {
				t.Errorf("%s: other bits", what)
			}
		}
	}
	again("the second time", 1, 0, 0)
	path := ""
	for _, p := range executables(t) {
		if !slices.Contains(kept, p) {
			path = p
		}
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	whole[len(whole)/2] ^= 1
	if err := os.WriteFile(path, whole, 0o644); err != nil {
		t.Fatal(err)
	}
	again("after damage", 0, 1, 1)
	again("after it was compiled anew", 1, 0, 0)
	key, err := hex.DecodeString(strings.TrimSuffix(filepath.Base(path), ".xla"))
	if err != nil {
		t.Fatal(err)
	}
	for _, wrong := range [][]byte{[]byte("no executable"), {}} {
		if err := compiled.New(filepath.Dir(path), 1<<30).Put(compiled.Key(key), wrong); err != nil {
			t.Fatal(err)
		}
		again("after the file of another plugin", 0, 1, 1)
	}
	again("at last", 1, 0, 0)
}

// executables lists the files of the cache.
func executables(t *testing.T) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(os.Getenv("MCVD_XLA_CACHE"), "*.xla"))
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

// So is a program that several devices share.
func TestProgramsOfSeveralDevicesAreCompiledOnce(t *testing.T) {
	kernels, _ := both(t)
	defer xlakernels.KeepAll()()
	x, w := random(4, 12, 12, 32), random(3, 3, 32, 32)
	var values [][]float32
	for range 2 {
		v, err := divided(kernels, 2, x, w)
		if err != nil {
			t.Fatal(err)
		}
		values = append(values, v)
	}
	before := xlakernels.Totals()
	v, err := divided(kernels, 2, x, w)
	if err != nil {
		t.Fatal(err)
	}
	if r := xlakernels.Totals(); r.Loaded == before.Loaded || r.Stored != before.Stored || r.Lost != before.Lost {
		t.Errorf("%+v after %+v, want another one loaded and nothing else", r, before)
	}
	if !slices.Equal(v, values[0]) || !slices.Equal(v, values[1]) {
		t.Error("other bits")
	}
}

// Programs that differ only in a number are two.
func TestConstantsCount(t *testing.T) {
	kernels, _ := both(t)
	defer xlakernels.KeepAll()()
	x := random(2, 3)
	for _, factor := range []float32{2, 3} {
		got, err := run(t, kernels, func(in []*Node) []*Node {
			return []*Node{Mul(in[0], ConstTensor(in[0].Graph(), tensors.FromValue([][]float32{{factor, 1, 1}})))}
		}, x)
		if err != nil {
			t.Fatal(err)
		}
		if want := factor * tensors.MustCopyFlatData[float32](x)[0]; got[0][0] != want {
			t.Errorf("times %g: %g, want %g", factor, got[0][0], want)
		}
	}
}
