package metric

import (
	"cmp"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mcvd/data/clips"
	"mcvd/eval/metric/features"
	"mcvd/models/backend/backendtest"
)

// published are the weights of the user, where they are installed. Without them the test is skipped,
// except in CI.
func published(t *testing.T, network string) Needs {
	t.Helper()
	home, err := os.UserHomeDir()
	if err != nil {
		t.Skip("no home folder with weights: ", err)
	}
	data := cmp.Or(os.Getenv("XDG_DATA_HOME"), filepath.Join(home, ".local", "share"))
	needs := Needs{Backend: backendtest.Open(t), Weights: cmp.Or(os.Getenv("MCVD_WEIGHTS_DIR"), filepath.Join(data, "mcvd", "metrics"))}
	n, err := features.Find(network)
	if err != nil {
		t.Fatal(err)
	}
	path, err := needs.File(n.File(), n.Command)
	if err != nil {
		if os.Getenv("MCVD_CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	if _, origin, err := n.Read(path); err != nil || !origin.Published {
		t.Skipf("%s: not the published weights: %v", path, err)
	}
	return needs
}

func constant(v uint8, frames, height, width, channels int) clips.Clip {
	c := clips.NewClip(frames, height, width, channels)
	for i := range c.Pix {
		c.Pix[i] = v
	}
	return c
}

// The distance of black from white clips that the published weights give, for TensorFlow's network
// and for ports of it.
func TestPublishedFVD(t *testing.T) {
	sets, err := openFVD(features.I3DLogits)(published(t, "i3d"))
	if err != nil {
		t.Fatal(err)
	}
	defer sets.(fvd).Close()
	// Equal clips have equal features, so that one of each side says it all, and takes an eighth of
	// the time.
	var rows [2][][]float32
	for side, v := range []uint8{0, 255} {
		row, err := sets.Features([]clips.Clip{constant(v, 30, 64, 64, 3)})
		if err != nil {
			t.Fatal(err)
		}
		for range 8 {
			rows[side] = append(rows[side], row[0])
		}
	}
	got, err := FrechetOf(rows[0], rows[1])
	if want := 151.3927; err != nil || !(math.Abs(got-want) <= 1e-4*want) {
		t.Errorf("FVD %.5f, %v, want %g", got, err, want)
	}
	t.Logf("FVD of black against white: %.5f", got)
}

// Grey clips are as RGB ones of the same grey.
func TestPublishedScoresOfGrey(t *testing.T) {
	needs := published(t, "lpips-alex")
	pairs, err := openLPIPS("lpips-alex", 3)(needs)
	if err != nil {
		t.Fatal(err)
	}
	defer pairs.(lpips).Close()
	scores, err := pairs.Score([]clips.Clip{constant(0, 2, 20, 30, 1), constant(0, 2, 20, 30, 3)}, []clips.Clip{constant(255, 2, 20, 30, 1), constant(255, 2, 20, 30, 3)})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range scores {
		if s.Value != scores[0].Value || len(s.Frames) != 2 || s.Frames[0] != s.Value || !(s.Value > 0.5 && s.Value < 1) {
			t.Errorf("scores %+v", scores)
		}
	}
}

// drawnWeights installs random weights of a network.
func drawnWeights(t *testing.T, network string) Needs {
	t.Helper()
	n, err := features.Find(network)
	if err != nil {
		t.Fatal(err)
	}
	needs := Needs{Backend: backendtest.Open(t), Weights: t.TempDir()}
	r := rand.New(rand.NewPCG(9, 10))
	p := features.Params{}
	for _, tensor := range n.Tensors() {
		size, inputs := 1, 1 // inputs of one output
		for i, dim := range tensor.Shape {
			size *= dim
			if i < len(tensor.Shape)-1 {
				inputs *= dim
			}
		}
		for range size {
			v := float32(r.NormFloat64() * math.Sqrt(2/float64(inputs)))
			switch {
			case tensor.Name == "classes":
				v = 1008
			case strings.HasSuffix(tensor.Name, ".b"):
				v = float32(r.NormFloat64() * 0.05)
			case strings.HasPrefix(tensor.Name, "linear"):
				v = float32(math.Abs(float64(v)))
			}
			p[tensor.Name] = append(p[tensor.Name], v)
		}
	}
	if err := n.Write(filepath.Join(needs.Weights, n.File()), p, "drawn", "0123"); err != nil {
		t.Fatal(err)
	}
	return needs
}

// noisy is a clip of random pixels.
func noisy(r *rand.Rand, frames, height, width, channels int) clips.Clip {
	c := clips.NewClip(frames, height, width, channels)
	for i := range c.Pix {
		c.Pix[i] = uint8(r.Uint32())
	}
	return c
}

// Each frame has features of its own, however frames fill batches, and grey is RGB of the same grey.
func TestInceptionOfFrames(t *testing.T) {
	opened, err := Open([]string{"fid"}, drawnWeights(t, "inception"))
	if err != nil {
		t.Fatal(err)
	}
	defer Close(opened)
	n := opened[0].Sets.(inception)
	n.batch = 2
	r := rand.New(rand.NewPCG(13, 14))
	grey := noisy(r, 3, 12, 20, 1)
	rgb := clips.NewClip(1, 12, 20, 3)
	for i := range rgb.Pix {
		rgb.Pix[i] = grey.Slice(1, 2).Pix[i/3]
	}
	together, err := n.Features([]clips.Clip{grey, noisy(r, 1, 12, 20, 1)})
	if err != nil {
		t.Fatal(err)
	}
	alone, err := n.Features([]clips.Clip{rgb})
	if err != nil {
		t.Fatal(err)
	}
	if len(together) != 4 || len(alone) != 1 || len(alone[0]) != 2048 {
		t.Fatalf("%d and %d vectors of %d numbers, want 4 and 1 of 2048", len(together), len(alone), len(alone[0]))
	}
	difference := func(a, b []float32) (worst float64) {
		for i := range a {
			worst = max(worst, math.Abs(float64(a[i]-b[i])))
		}
		return worst
	}
	if d := difference(together[1], alone[0]); !(d <= 1e-4) {
		t.Errorf("features of the second frame differ by %g alone, and as RGB", d)
	}
	if d := difference(together[0], together[1]); !(d > 1e-2) {
		t.Errorf("features of two frames differ by %g only", d)
	}
}

// Scores don't depend on how clips fill batches; equal clips have none; weights are in the report.
func TestLPIPSOfBatches(t *testing.T) {
	needs := drawnWeights(t, "lpips-alex")
	opened, err := Open([]string{"lpips"}, needs)
	if err != nil {
		t.Fatal(err)
	}
	defer Close(opened)
	if opened[0].Weights != "0123" {
		t.Errorf("weights %q, want those that were installed", opened[0].Weights)
	}
	r := rand.New(rand.NewPCG(11, 12))
	drawn := func(frames int) clips.Clip { return noisy(r, frames, 24, 32, 3) }
	real, made := []clips.Clip{drawn(9), drawn(9), drawn(2)}, []clips.Clip{drawn(9), drawn(9), drawn(2)}
	made[1] = real[1]
	together, err := opened[0].Pairs.Score(real, made)
	if err != nil {
		t.Fatal(err)
	}
	for i := range real {
		alone, err := opened[0].Pairs.Score(real[i:i+1], made[i:i+1])
		if err != nil {
			t.Fatal(err)
		}
		for frame, d := range alone[0].Frames {
			// Of equal frames it is 0 alone; in a batch, XLA's products may round both differently.
			if got := together[i].Frames[frame]; !(math.Abs(got-d) <= 1e-5*d+1e-11) {
				t.Errorf("clip %d, frame %d: %g in a batch, %g alone", i, frame, got, d)
			}
		}
		if v := alone[0].Value; i == 1 && v != 0 || i != 1 && !(v > 0) {
			t.Errorf("clip %d: %g", i, v)
		}
	}
	if _, err := opened[0].Pairs.Score(real[:1], made[2:]); err == nil {
		t.Error("clips of other sizes are compared")
	}
}

// What can't be scored says why, and damaged weights are a failure.
func TestNetworksWithoutWeights(t *testing.T) {
	for name, command := range map[string]string{"lpips": "scripts/install-weights.sh lpips", "lpips_vgg": "scripts/install-weights.sh lpips",
		"fvd": "scripts/install-weights.sh i3d", "fid": "mcvd weights import FILE --as inception", "kid": "mcvd weights import FILE --as inception"} {
		opened, err := Open([]string{name}, Needs{Weights: t.TempDir()})
		if err != nil || !strings.Contains(opened[0].Skipped, command) {
			t.Errorf("%s without weights: %+v, %v", name, opened, err)
		}
	}
	if _, err := (fvd{}).Features([]clips.Clip{constant(0, 8, 16, 16, 1)}); !errors.As(err, new(Skipped)) {
		t.Errorf("a clip of 8 frames: %v, want it skipped", err)
	}
	needs := drawnWeights(t, "lpips-alex")
	path := filepath.Join(needs.Weights, "lpips-alex.safetensors")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text[len(text)/2] ^= 1
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Open([]string{"lpips"}, needs); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("damaged weights: %v", err)
	}
}
