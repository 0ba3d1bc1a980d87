package published

import (
	"math"
	"path/filepath"
	"slices"
	"testing"

	"mcvd/configs"
	"mcvd/models"
	"mcvd/models/diffusion"
	"mcvd/models/paritytest"
	"mcvd/models/weights"
	"mcvd/models/weights/torch"
)

// rounding is how far buffers may be from those of the published code, which makes them of 32-bit
// steps.
const rounding = 1e-6

// What is exported after an import is what PyTorch saved: names, shapes and values, bit for bit,
// and the buffers but for rounding.
func TestExportIsWhatWasImported(t *testing.T) {
	paritytest.Each(t, "unet/*", func(t *testing.T, path string) {
		n := open(t, path)
		imported := n.written(t, filepath.Join(path, "checkpoint.pt"))
		original, err := torch.Open(filepath.Join(path, "checkpoint.pt"))
		if err != nil {
			t.Fatal(err)
		}
		defer original.Close()
		root := original.Root().(torch.List)
		for scope, entry := range map[string]int{models.WeightsScope: 0, models.EMAScope: 4} {
			exported := filepath.Join(t.TempDir(), scope+".safetensors")
			entries, err := Export(imported.File, scope, n.model, n.listing, "linear")
			if err != nil {
				t.Fatal(err)
			}
			if err := weights.Write(exported, nil, entries); err != nil {
				t.Fatal(err)
			}
			got := paritytest.Open(t, exported)
			want, err := torchState("original", root[0])
			if err != nil {
				t.Fatal(err)
			}
			average, err := torchState("original", root[entry])
			if err != nil {
				t.Fatal(err)
			}
			if len(got.Tensors()) != len(want.names) {
				t.Errorf("%s: %d tensors, want %d", scope, len(got.Tensors()), len(want.names))
			}
			for _, name := range want.names {
				tensor, tolerance := want.tensors[name], rounding
				if !isBuffer(name) {
					tensor, tolerance = average.tensors[name], 0
				}
				values, err := tensor.Float32s()
				if err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(got.Shape(name), tensor.Shape()) {
					t.Errorf("%s: %s: shape %v, want %v", scope, name, got.Shape(name), tensor.Shape())
				}
				if d := worst(got.Floats(name), values); !(d <= tolerance) {
					t.Errorf("%s: %s: differs by %.2g of its values, want %g", scope, name, d, tolerance)
				}
			}
			// And back.
			again := n.written(t, exported)
			for _, w := range n.listing.Weights {
				for _, s := range []string{models.WeightsScope, models.EMAScope} {
					if !slices.Equal(again.Floats(s+"/"+w.Path), imported.Floats(scope+"/"+w.Path)) {
						t.Errorf("%s: %s/%s: other values after export and import", scope, s, w.Path)
					}
				}
			}
		}
	})
}

// written imports a file and opens the checkpoint that it becomes.
func (n *imported) written(t *testing.T, path string) paritytest.Fixture {
	t.Helper()
	c := opened(t, path)
	if err := c.CheckSchedule(n.model.Schedule); err != nil {
		t.Error(err)
	}
	entries, err := c.Entries(n.listing)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "imported.safetensors")
	if err := weights.Write(file, nil, entries); err != nil {
		t.Fatal(err)
	}
	return paritytest.Open(t, file)
}

// worst is the largest relative difference; NaN if there is one, Inf if sizes differ.
func worst(got, want []float32) float64 {
	if len(got) != len(want) {
		return math.Inf(1)
	}
	w := 0.0
	for i := range got {
		if got[i] == want[i] {
			continue
		}
		w = max(w, math.Abs(float64(got[i])-float64(want[i]))/math.Abs(float64(want[i]))) // NaN stays
	}
	return w
}

// The buffers are the published code's schedule, by label; its noisiest cosine level, which has
// nothing but rounding errors, is bounded here.
func TestBuffersOfTheSchedules(t *testing.T) {
	paritytest.Each(t, "sampler/schedule_*", func(t *testing.T, path string) {
		d := configs.Default().Diffusion
		d.Schedule = map[string]string{"schedule_linear.safetensors": "linear", "schedule_cosine.safetensors": "cosine"}[filepath.Base(path)]
		s := scheduleOf(t, d)
		file := filepath.Join(t.TempDir(), "buffers.safetensors")
		if err := weights.Write(file, nil, scheduleBuffers(s.(*diffusion.Discrete), d.Schedule)); err != nil {
			t.Fatal(err)
		}
		got, want := paritytest.Open(t, file), paritytest.Open(t, path)
		sigmas, first := "betas", 0
		if d.Schedule == "cosine" {
			sigmas, first = "alphas_bar", 1
		}
		for name, reference := range map[string]string{"betas": "betas", "alphas": "alphas_bar", "alphas_prev": "alphas_bar_prev", "unet.sigmas": sigmas} {
			g, w := got.Floats(name), want.Floats(reference)
			if len(g) != len(w) {
				t.Fatalf("%s: %d values, want %d", name, len(g), len(w))
			}
			relative := 5e-6
			if name == "betas" && first > 0 {
				relative = 2e-4 // there, 1 minus a ratio of rounded numbers
			}
			if d := paritytest.Worst(g[first:], w[first:], 2e-7, relative); !(d <= 1) {
				t.Errorf("%s: %.2g of the tolerance", name, d)
			} else {
				t.Logf("%s: %.2g of the tolerance", name, d)
			}
		}
		if len(got.Tensors()) != 4 {
			t.Errorf("%d buffers, want 4", len(got.Tensors()))
		}
	})
}
