package metric

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// A line of the table has a name of its own, and is of pairs, of sets or of the model, and opens.
func TestTheTable(t *testing.T) {
	for i, m := range metrics {
		kinds := 0
		for _, is := range []bool{m.OpenPairs != nil, m.OpenSets != nil, m.OfModel} {
			if is {
				kinds++
			}
		}
		if m.Name == "" || slices.Contains(Names()[:i], m.Name) || kinds != 1 || (m.OpenSets == nil) != (m.Compare == nil) {
			t.Errorf("line %d: %+v: want a name of its own, and pairs, the model, or sets and how to compare them", i, m)
		}
		o, err := m.Open(Needs{Weights: t.TempDir()})
		if err != nil || o.Skipped == "" && !m.OfModel && (o.Pairs == nil) == (o.Sets == nil) {
			t.Errorf("%s: opened as %+v, %v", m.Name, o, err)
		}
	}
}

func TestOpenTakesNamesInTheirOrder(t *testing.T) {
	opened, err := Open([]string{"ssim", "psnr"}, Needs{})
	if err != nil || len(opened) != 2 || opened[0].Name != "ssim" || opened[1].Name != "psnr" {
		t.Errorf("opened %+v, %v", opened, err)
	}
	if opened, err = Open(nil, Needs{Weights: t.TempDir()}); err != nil || len(opened) != 3 {
		t.Errorf("without names and weights: %+v, %v, want psnr, ssim and mmd", opened, err)
	}
	if opened, err = Open([]string{"digit"}, Needs{}); err != nil || len(opened) != 1 || opened[0].Pairs == nil {
		t.Errorf("a special one by its name: %+v, %v", opened, err)
	}
	for want, names := range map[string][]string{
		`metrics: unknown "x" (known: psnr, ssim, lpips, lpips_vgg, fvd, fvd_pooled, fid, kid, fvmd, mmd, energy, bits, bits_exact, digit)`: {"psnr", "x"},
		`metrics: "psnr" is there twice`: {"psnr", "psnr"},
	} {
		if _, err := Open(names, Needs{}); err == nil || err.Error() != want {
			t.Errorf("%v: error %v, want %s", names, err, want)
		}
	}
}

// closer remembers that it was closed.
type closer struct {
	Pairs
	closed *bool
}

func (c closer) Close() error { *c.closed = true; return errors.New("stuck") }

func TestCloseClosesWhatHoldsSomething(t *testing.T) {
	closed := false
	if err := Close([]Opened{{Pairs: eachPair(nil)}, {Pairs: closer{nil, &closed}}, {Skipped: "no weights"}}); !closed || err == nil {
		t.Errorf("closed: %t, error %v, want both", closed, err)
	}
}

func TestWeightsThatAreNotThereSkipTheMetric(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "net.safetensors")
	_, err := Needs{Weights: dir}.File("net.safetensors", "scripts/get-net.sh")
	if reason, ok := Reason(err); !ok || reason != "no weights ("+path+"): `scripts/get-net.sh` gets them" {
		t.Errorf("without the file: %v", err)
	}
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if got, err := (Needs{Weights: dir}).File("net.safetensors", ""); got != path || err != nil {
		t.Errorf("with the file: %q, %v", got, err)
	}
}

func TestScoresAsJSON(t *testing.T) {
	for want, s := range map[string]Score{
		`{"value":0}`:                    {},
		`{"value":2.5,"frames":[2,3]}`:   {Value: 2.5, Frames: []float64{2, 3}},
		`{"skipped":"frames too small"}`: {Skipped: "frames too small"},
	} {
		got, err := json.Marshal(s)
		if err != nil || string(got) != want {
			t.Errorf("%+v: %s, %v, want %s", s, got, err, want)
		}
		var back Score
		if err := json.Unmarshal(got, &back); err != nil || back.Value != s.Value || back.Skipped != s.Skipped || !slices.Equal(back.Frames, s.Frames) {
			t.Errorf("%s came back as %+v, %v", got, back, err)
		}
	}
	if err := json.Unmarshal([]byte(`{}`), new(Score)); err == nil {
		t.Error("neither a value nor a reason: no error")
	}
}

func TestComparedInWords(t *testing.T) {
	for want, m := range map[string]Info{"clips": {}, "frames": {PerFrame: true}, "clips, with the frames that were given": {Whole: true}} {
		if got := m.Compared(); got != want {
			t.Errorf("%+v: %q, want %q", m, got, want)
		}
	}
}
