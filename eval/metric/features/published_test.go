package features

import (
	"cmp"
	"math"
	"os"
	"path/filepath"
	"testing"

	"mcvd/models/backend/backendtest"
)

// installed reads a network's published weights, or skips the test and says why.
func installed(t *testing.T, name string) (Network, Params) {
	t.Helper()
	n, err := Find(name)
	if err != nil {
		t.Fatal(err)
	}
	home, err := os.UserHomeDir()
	if err != nil {
		t.Skip("no home folder with weights: ", err)
	}
	data := cmp.Or(os.Getenv("XDG_DATA_HOME"), filepath.Join(home, ".local", "share"))
	path := filepath.Join(cmp.Or(os.Getenv("MCVD_WEIGHTS_DIR"), filepath.Join(data, "mcvd", "metrics")), n.File())
	if _, err := os.Stat(path); err != nil {
		if os.Getenv("MCVD_CI") != "" {
			t.Fatalf("no weights: %v: `%s` gets them", err, n.Command)
		}
		t.Skipf("no weights: %v: `%s` gets them", err, n.Command)
	}
	p, origin, err := n.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if !origin.Published {
		t.Skipf("%s: of %s, which isn't the published file", path, origin.Source)
	}
	return n, p
}

// Distances of black (or grey) from white frames of 64x64 that the published weights give.
func TestPublishedLPIPS(t *testing.T) {
	for name, want := range map[string][2]float64{"lpips-alex": {0.813954, 0.577986}, "lpips-vgg": {0.453837, 0.494536}} {
		t.Run(name, func(t *testing.T) {
			_, p := installed(t, name)
			net, err := OpenLPIPS(backendtest.Open(t), name, p)
			if err != nil {
				t.Fatal(err)
			}
			defer net.Close()
			const side = 64
			var dark, white []float32
			for frame := range 2 {
				for range side * side * 3 {
					dark, white = append(dark, float32(frame-1)), append(white, 1)
				}
			}
			got, err := net.Distances(dark, white, 2, side, side, 3)
			if err != nil {
				t.Fatal(err)
			}
			for i, w := range want {
				if !(math.Abs(float64(got[i])-w) <= 1e-4*w) {
					t.Errorf("%d against 1: %g, want %g", i-1, got[i], w)
				}
			}
		})
	}
}
