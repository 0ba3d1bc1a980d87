package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mcvd/configs"
	"mcvd/models/backend"
	"mcvd/train/runs"
)

func TestDetailOfAStep(t *testing.T) {
	l := runs.Line{Step: 3, Loss: 0.5, ClipsPerSecond: 20, FLOPs: 3e9}
	if got, want := detail(l), "loss 0.5000, 20.0 clips/s, 3.0 GFLOP/s"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	first := runs.Line{Step: 501, Loss: 0.5}
	if got, want := detail(first), "loss 0.5000, a step that compiled its programs"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	l.PeakShare = 0.314
	if got, want := detail(l), "loss 0.5000, 20.0 clips/s, 3.0 GFLOP/s (31 % of peak)"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// Training goes on without a peak where measuring it fails, here on a backend that is closed, and
// says so.
func TestPeakThatCannotBeMeasured(t *testing.T) {
	b, err := backend.Open("go")
	if err != nil {
		t.Fatal(err)
	}
	b.Finalize()
	for plugin, warning := range map[string]string{"": "", "plugin.so": "the log will have no share of the device's peak: "} {
		var stderr bytes.Buffer
		c := &trainCommand{app: newApp(&stderr)}
		got := c.peak(context.Background(), b, backend.Choice{Plugin: plugin}, configs.Default())
		if got != 0 || !strings.Contains(stderr.String(), warning) || strings.Count(stderr.String(), "\n") != min(1, len(warning)) {
			t.Errorf("plugin %q: %g FLOP/s, says %q, want %q", plugin, got, &stderr, warning)
		}
	}
}

// A run's config.yml may hold a setting without effect that an experiment inherited from its base.
// The run goes on with --set as it does without.
func TestSettingsOfARunThatInheritedIdleOnes(t *testing.T) {
	inNewFolder(t)
	mustCall(t, "train -c configs/tiny.yml -o run --backend go --set train.steps=1 --set train.validate_every=0")
	path := filepath.Join("run", "config.yml")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	idle := strings.Replace(string(text), "name: digits\n", "name: digits\n  path: clips/of/the/base\n", 1)
	if idle == string(text) {
		t.Fatalf("no data set in\n%s", text)
	}
	if err := os.WriteFile(path, []byte(idle), 0o644); err != nil {
		t.Fatal(err)
	}
	if status, _, _ := call(t, "config", "check", path); status == 0 {
		t.Fatal("the setting has an effect: choose another one")
	}
	_, stderr := mustCall(t, "train run --backend go --set train.steps=2")
	if !strings.Contains(stderr, "run: trained 2 steps") {
		t.Errorf("says %q", stderr)
	}
}
