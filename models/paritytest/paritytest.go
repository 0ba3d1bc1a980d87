// Package paritytest finds and reads fixtures: numbers that were recorded from the published
// PyTorch code, and that define "the same model". Tests of several packages, all named
// TestParity..., compare this project with them.
package paritytest

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mcvd/models/weights"
)

// folderVariable is the environment variable that names a folder of fixtures to use instead of
// testdata. It has the same layout, and is absolute or relative to the project's folder.
const folderVariable = "MCVD_PARITY"

// Each runs a subtest for each fixture, a file or a folder, whose path below the folder of fixtures
// matches the pattern. testdata must have some; another folder need not.
func Each(t *testing.T, pattern string, run func(t *testing.T, path string)) {
	t.Helper()
	folder, own := os.Getenv(folderVariable), true
	if folder == "" {
		folder, own = filepath.Join("models", "paritytest", "testdata"), false
	}
	if !filepath.IsAbs(folder) {
		folder = filepath.Join(root(t), folder)
	}
	paths, err := filepath.Glob(filepath.Join(folder, pattern))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(folder); err != nil || len(paths) == 0 && !own {
		t.Fatalf("%s: no fixtures %s: %v", folder, pattern, err)
	}
	if len(paths) == 0 {
		t.Skipf("%s: no fixtures %s", folder, pattern)
	}
	for _, path := range paths {
		name, err := filepath.Rel(folder, strings.TrimSuffix(path, ".safetensors"))
		if err != nil {
			t.Fatal(err)
		}
		t.Run(filepath.ToSlash(name), func(t *testing.T) { run(t, path) })
	}
}

// root is the project's folder, found above that of the package under test.
func root(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("no go.mod above the working directory")
		}
		dir = filepath.Dir(dir)
	}
}

// Fixture is an open file of tensors whose methods fail the test.
type Fixture struct {
	*weights.File
	t *testing.T
}

// Open opens a file until the end of the test.
func Open(t *testing.T, path ...string) Fixture {
	t.Helper()
	f, err := weights.Open(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return Fixture{f, t}
}

// Floats reads a tensor of floating-point numbers.
func (f Fixture) Floats(name string) []float32 {
	f.t.Helper()
	v, err := f.Float32s(name)
	if err != nil {
		f.t.Fatal(err)
	}
	return v
}

// Doubles is Floats without rounding to 32 bits.
func (f Fixture) Doubles(name string) []float64 {
	f.t.Helper()
	v, err := f.Float64s(name)
	if err != nil {
		f.t.Fatal(err)
	}
	return v
}

// Ints reads a tensor of 32-bit or 64-bit integers, of no more than 32 bits each.
func (f Fixture) Ints(name string) []int {
	f.t.Helper()
	raw, err := f.Read(name)
	if err != nil {
		f.t.Fatal(err)
	}
	width := map[weights.DType]int{weights.I32: 4, weights.I64: 8}
	info, _ := f.Lookup(name)
	if width[info.DType] == 0 {
		f.t.Fatalf("%s: %s is %s, want I32 or I64", f.Path(), name, info.DType)
	}
	var v []int
	for i := 0; i < len(raw); i += width[info.DType] {
		v = append(v, int(int32(binary.LittleEndian.Uint32(raw[i:]))))
	}
	return v
}

// Shape is the shape of a tensor.
func (f Fixture) Shape(name string) []int {
	f.t.Helper()
	info, ok := f.Lookup(name)
	if !ok {
		f.t.Fatalf("%s: no tensor %q", f.Path(), name)
	}
	return info.Shape
}

// Frames reads frames that are stacked as channels, [batch, frames*channels, height, width], as
// [batch, frames, height, width, channels].
func (f Fixture) Frames(name string, channels int) (values []float32, dims []int) {
	f.t.Helper()
	s := f.Shape(name)
	if len(s) != 4 || s[1]%channels != 0 {
		f.t.Fatalf("%s: %s has shape %v, want frames of %d channels", f.Path(), name, s, channels)
	}
	dims = []int{s[0], s[1] / channels, s[2], s[3], channels}
	return Permuted(f.Floats(name), []int{s[0], s[1] / channels, channels, s[2], s[3]}, 0, 1, 3, 4, 2), dims
}

// Permuted returns values [dims...] with the axes in another order: axis i of the result is axis
// order[i] of values.
func Permuted(values []float32, dims []int, order ...int) []float32 {
	strides := make([]int, len(dims))
	for i, s := len(dims)-1, 1; i >= 0; i-- {
		strides[i] = s
		s *= dims[i]
	}
	out := make([]float32, 0, len(values))
	var walk func(axis, at int)
	walk = func(axis, at int) {
		if axis == len(order) {
			out = append(out, values[at])
			return
		}
		for i := range dims[order[axis]] {
			walk(axis+1, at+i*strides[order[axis]])
		}
	}
	walk(0, 0)
	return out
}

// Worst is the largest |got - want| as a share of absolute + relative |want|; NaN if there is one,
// Inf if sizes differ. At most 1 is within the tolerance.
func Worst(got, want []float32, absolute, relative float64) float64 {
	if len(got) != len(want) {
		return math.Inf(1)
	}
	w := 0.0
	for i := range got {
		w = max(w, math.Abs(float64(got[i])-float64(want[i]))/(absolute+relative*math.Abs(float64(want[i])))) // NaN stays
	}
	return w
}

// Distance is the norm of the difference by the norm of want; Inf if sizes differ.
func Distance(got, want []float32) float64 {
	if len(got) != len(want) {
		return math.Inf(1)
	}
	var difference, norm float64
	for i := range got {
		d := float64(got[i]) - float64(want[i])
		difference, norm = difference+d*d, norm+float64(want[i])*float64(want[i])
	}
	return math.Sqrt(difference / norm)
}
