package main

import (
	"os"
	"strings"
	"testing"

	"mcvd/configs"
	"mcvd/configs/experiment"
)

// A published configuration becomes one of this project without a checkpoint: YAML on stdout that
// the other commands read, what was decided on stderr, and the same as an import makes of it.
func TestConfigTranslate(t *testing.T) {
	inNewFolder(t)
	copyFixture(t)
	stdout, stderr := mustCall(t, "config translate config.yml --set train.batch=3")
	if err := os.WriteFile("own.yml", []byte(stdout), 0o644); err != nil {
		t.Fatal(err)
	}
	own, err := experiment.Load("own.yml")
	if err != nil {
		t.Fatal(err)
	}
	if own.Model.Options["width"] != 8 || own.Frames.Past != 2 || own.Train.Batch != 3 {
		t.Errorf("width %v, past %d, batch %d, want 8, 2, 3", own.Model.Options["width"], own.Frames.Past, own.Train.Batch)
	}
	if !strings.Contains(stderr, "config.yml: data.dataset: ") || strings.Contains(stdout, "config.yml") {
		t.Errorf("stderr %q, stdout %q, want notes on stderr alone", stderr, stdout)
	}
	mustCall(t, "config check own.yml")
	mustCall(t, "import checkpoint.pt -c config.yml --set train.batch=3 -o new")
	imported, err := experiment.Load("new/config.yml")
	if err != nil {
		t.Fatal(err)
	}
	if d := configs.Diff(imported, own); len(d) > 0 {
		t.Errorf("an import says %v", d)
	}
}
