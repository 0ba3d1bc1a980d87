package published

import (
	"math"
	"strings"
	"testing"
)

// numbersInMemory is a tensor in memory.
type numbersInMemory []float32

func (n numbersInMemory) Shape() []int                 { return []int{len(n)} }
func (n numbersInMemory) Float32s() ([]float32, error) { return n, nil }

// Weights that are not numbers are refused when they are read.
func TestWeightsThatAreNotFinite(t *testing.T) {
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		_, err := entry("x", []int{3}, Same, numbersInMemory{1, 2, float32(bad)}).Data()
		if err == nil || !strings.Contains(err.Error(), "value 2 is ") {
			t.Errorf("%g: error %v", bad, err)
		}
	}
	if _, err := entry("x", []int{2}, Same, numbersInMemory{math.MaxFloat32, -math.MaxFloat32}).Data(); err != nil {
		t.Errorf("the largest numbers: %v", err)
	}
}

// Names of a file can't do anything to a terminal.
func TestPrintableNames(t *testing.T) {
	for name, want := range map[string]string{
		"unet.all_modules.0.weight": "unet.all_modules.0.weight",
		"evil\nname\x1b[31m":        `"evil\nname\x1b[31m"`,
		strings.Repeat("x", 1000):   strings.Repeat("x", 200) + "...",
	} {
		if got := printable(name); got != want {
			t.Errorf("%q: printed as %s, want %s", name, got, want)
		}
	}
}
