package train

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mcvd/configs/atomicfile"
	"mcvd/models/backend/backendtest"
	"mcvd/train/runs"
)

// A folder with something else in it is nobody's run folder. What a run leaves that was killed before
// it had written its experiment is one, and so is a folder with nothing but hidden files.
func TestAFolderOfSomethingElseIsRefused(t *testing.T) {
	b, c := backendtest.OpenGo(t), toy()
	c.Train.Steps, c.Train.ValidateEvery = 1, 0
	for _, name := range []string{"thesis.tex", "clips/a.mp4", "checkpoints.old/x", "log.jsonl.txt"} {
		dir := t.TempDir()
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, nil, 0o644)); err != nil {
			t.Fatal(err)
		}
		before := tree(t, dir)
		first, _, _ := strings.Cut(name, "/")
		want := dir + ": not a run folder, because it holds " + first
		for what, err := range map[string]error{"Check": Check(dir, c, false), "CheckNew": CheckNew(dir), "Create": create(dir, ones())} {
			if err == nil || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("%s, %s: error %v, want %s", name, what, err, want)
			}
		}
		if _, err := Train(context.Background(), options(b, c, dir)); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: error %v, want %s", name, err, want)
		}
		if after := tree(t, dir); !slices.Equal(after, before) {
			t.Errorf("%s: the folder holds %v, held %v", name, after, before)
		}
	}
	dir := t.TempDir()
	for _, name := range []string{runs.LockFile, runs.VersionsFile, runs.CommandsFile, ".gitkeep", atomicfile.Prefix + "1"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, runs.CheckpointsDir), 0o755); err != nil {
		t.Fatal(err)
	}
	mustTrain(t, options(b, c, dir))
}

// What a start would refuse, Check refuses without writing anything: a run in training, and settings
// that were edited.
func TestCheckRefusesWhatAStartWould(t *testing.T) {
	b, c := backendtest.OpenGo(t), toy()
	c.Train.Steps, c.Train.ValidateEvery = 1, 0
	dir := t.TempDir()
	mustTrain(t, options(b, c, dir))
	if err := Check(dir, c, false); err != nil {
		t.Errorf("a finished run: %v", err)
	}
	_, unlock, err := start(dir, c, false)
	if err != nil {
		t.Fatal(err)
	}
	before := snapshotFolder(t, dir)
	if err := Check(dir, c, false); err == nil || !strings.Contains(err.Error(), "another process is training") {
		t.Errorf("a run in training: error %v", err)
	}
	unlock()
	edited := *c
	edited.Seed = 9
	if err := Check(dir, &edited, false); err == nil || !strings.Contains(err.Error(), "holds another experiment") {
		t.Errorf("another experiment: error %v", err)
	}
	if after := snapshotFolder(t, dir); !slices.Equal(after, before) {
		t.Error("the folder has changed")
	}
	if err := os.WriteFile(filepath.Join(dir, runs.ConfigFile), edited.YAML(), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := Check(dir, &edited, false); err == nil || !strings.Contains(err.Error(), "was trained with; restore the first value") {
		t.Errorf("settings that were edited: error %v", err)
	}
	if err := os.Truncate(filepath.Join(dir, runs.CheckpointsDir, runs.CheckpointName(1)), 50); err != nil {
		t.Fatal(err)
	}
	if err := Check(dir, &edited, false); err != nil {
		t.Errorf("a broken checkpoint says nothing about settings, but: %v", err)
	}
}
