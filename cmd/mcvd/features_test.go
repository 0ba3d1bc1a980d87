package main

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
)

// writeNPY writes an array [n, d] of float32, whose numbers are a formula.
func writeNPY(t *testing.T, path string, n, d int, value func(i, j int) float64) {
	t.Helper()
	header := fmt.Sprintf("{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d), }\n", n, d)
	b := append([]byte("\x93NUMPY\x01\x00"), byte(len(header)), 0)
	b = append(b, header...)
	for i := range n {
		for j := range d {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(value(i, j))))
		}
	}
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
}

// Features of two files are compared by all comparisons, with the same numbers as text and as JSON.
func TestEvalFeatures(t *testing.T) {
	t.Chdir(t.TempDir())
	real := [][]float64{{1, 2, 3}, {4, 5, 6}, {7, 8, 9}}
	made := [][]float64{{7, 6, 5}, {4, 3, 2}, {1, 1, 8}, {0, 2, 5}}
	writeNPY(t, "real.npy", 3, 3, func(i, j int) float64 { return real[i][j] })
	writeNPY(t, "made.npy", 4, 3, func(i, j int) float64 { return made[i][j] })
	stdout, _ := mustCall(t, "eval features real.npy made.npy")
	for _, want := range []string{"3 real vectors (real.npy) and 4 generated ones (made.npy) of 3 numbers", "kid      -5062.0432", "jedi     27072.222", "not extrapolated to infinitely many vectors: "} {
		if !strings.Contains(stdout, want) {
			t.Errorf("says\n%s\nwant %q", stdout, want)
		}
	}
	stdout, _ = mustCall(t, "eval features real.npy made.npy --metric kid,jedi --json -o out/report.json")
	var r featuresReport
	if err := json.Unmarshal([]byte(stdout), &r); err != nil {
		t.Fatal(err)
	}
	if file, err := os.ReadFile("out/report.json"); err != nil || string(file) != stdout {
		t.Errorf("the file holds %s, %v, want what was printed", file, err)
	}
	if len(r.Scores) != 2 || !(math.Abs(r.Scores["kid"]+5062.0432) <= 1e-4) || r.Numbers != 3 || r.Made.Vectors != 4 || len(r.Real.SHA256) != 64 || r.ByVectors != nil {
		t.Errorf("%+v", r)
	}
}

// The Fréchet distance comes by the number of vectors, down from that of the smallest part.
func TestEvalFeaturesExtrapolates(t *testing.T) {
	t.Chdir(t.TempDir())
	writeNPY(t, "real.npy", 60, 8, func(i, j int) float64 { return math.Sin(float64(i*i*(j+3) + j)) })
	writeNPY(t, "made.npy", 40, 8, func(i, j int) float64 { return math.Sin(float64(i*i*(j+3)+j) + 1) })
	stdout, _ := mustCall(t, "eval features real.npy made.npy --metric frechet --json")
	var r featuresReport
	if err := json.Unmarshal([]byte(stdout), &r); err != nil {
		t.Fatal(err)
	}
	points := r.ByVectors.Points
	first, last := points[0], points[len(points)-1]
	if first.Real != 30 || first.Made != 20 || last.Made != 40 || last.Value != r.Scores["frechet"] || !(first.Value > last.Value && last.Value > r.ByVectors.Infinity) {
		t.Errorf("from %+v over %+v to %g", first, last, r.ByVectors.Infinity)
	}
	text, _ := mustCall(t, "eval features real.npy made.npy --metric frechet")
	if !strings.Contains(text, "infinitely many") || strings.Contains(text, "kid") {
		t.Errorf("says\n%s", text)
	}
}

func TestEvalFeaturesRefuses(t *testing.T) {
	t.Chdir(t.TempDir())
	number := func(i, j int) float64 { return float64(i + j) }
	writeNPY(t, "a.npy", 3, 3, number)
	writeNPY(t, "wide.npy", 3, 4, number)
	writeNPY(t, "one.npy", 1, 3, number)
	writeNPY(t, "nan.npy", 3, 3, func(i, j int) float64 { return math.NaN() })
	for args, want := range map[string]string{
		"a.npy wide.npy":              "wide.npy: vectors of 4 numbers, want 3 as in a.npy",
		"a.npy nan.npy":               "nan.npy: row 0, number 0, counted from 0: NaN",
		"one.npy a.npy":               "needs 2 real and 2 generated vectors or more, got 1 and 3",
		"none.npy a.npy":              "none.npy: no such file",
		"a.npy a.npy --tensor x":      "holds one array",
		"a.npy wide.npy -o ./a.npy":   "--out ./a.npy: is a file of features, which the report would replace",
		"a.npy wide.npy -o a.npy/new": "--out",
	} {
		status, _, stderr := call(t, append([]string{"eval", "features"}, strings.Fields(args)...)...)
		if status != 1 || !strings.Contains(stderr, want) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%s: status %d, %q, want one line with %q", args, status, stderr, want)
		}
	}
	for args, want := range map[string]string{"a.npy": "1 argument, want a file of real features and one", "a.npy a.npy --metric fid": `unknown "fid", want some of frechet, kid, jedi`} {
		if status, _, stderr := call(t, append([]string{"eval", "features"}, strings.Fields(args)...)...); status != 2 || !strings.Contains(stderr, want) {
			t.Errorf("%s: status %d, %q, want %q", args, status, stderr, want)
		}
	}
}
