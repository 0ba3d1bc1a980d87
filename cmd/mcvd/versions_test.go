package main

import (
	"encoding/json"
	"os"
	"runtime/debug"
	"strings"
	"testing"
)

func TestVersionsOfAStampedProgram(t *testing.T) {
	info := &debug.BuildInfo{
		Main: debug.Module{Path: "mcvd", Version: "v0.1.0"},
		Deps: []*debug.Module{{Path: "github.com/gomlx/gomlx", Version: "v1.2.3"}, {Path: "github.com/gomlx/compute", Version: "v4.5.6"},
			{Path: "github.com/gomlx/go-xla", Version: "v7.8.9"}, {Path: "golang.org/x/term", Version: "v0.0.1"}},
		Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "0123abcd"}, {Key: "vcs.modified", Value: "true"}},
	}
	got := about(versionsOf(info))
	for _, want := range []string{"mcvd v0.1.0\n", "commit 0123abcd, modified\n", "built with go", "gomlx v1.2.3\n", "compute v4.5.6\n", "go-xla v7.8.9\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("says\n%swant %q in it", got, want)
		}
	}
	info.Settings[1].Value = "false"
	if got := about(versionsOf(info)); !strings.Contains(got, "commit 0123abcd\n") {
		t.Errorf("of a clean clone:\n%s", got)
	}
	info.Settings = nil
	if v := versionsOf(info); v["vcs.revision"] != unknownCommit || !strings.Contains(about(v), "unknown commit (") {
		t.Errorf("without a stamp: %q", about(v))
	}
}

func TestVersionFlag(t *testing.T) {
	status, stdout, stderr := call(t, "--version")
	if want := about(versions()); status != 0 || stdout != want || stderr != "" {
		t.Errorf("status %d, %q, %q, want %q", status, stdout, stderr, want)
	}
}

// A run folder names the program's commit, even if that is unknown, and the libraries.
func TestVersionsInTheRunFolder(t *testing.T) {
	inNewFolder(t)
	if status, _, stderr := call(t, "train", "-c", "configs/tiny.yml", "-o", "run", "--set", "train.steps=1"); status != 0 {
		t.Fatal(stderr)
	}
	text, err := os.ReadFile("run/versions.json")
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]string
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	for _, key := range append([]string{"mcvd", "vcs.revision", "go", "platform", "backend"}, libraries...) {
		if got[key] == "" {
			t.Errorf("no %s in %s", key, text)
		}
	}
	if got["backend"] != "go" || got["plugin"] != "" {
		t.Errorf("on Go: %s", text)
	}
}
