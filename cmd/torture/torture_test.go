package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"mcvd/train/ranks"
)

// A part of every campaign, by fixed chances. The whole is for `go run ./cmd/torture`.
func TestTorture(t *testing.T) {
	mcvd := filepath.Join(t.TempDir(), "mcvd")
	if out, err := exec.Command("go", "build", "-o", mcvd, "mcvd/cmd/mcvd").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, c := range campaigns {
		t.Run(c.name, func(t *testing.T) {
			scale := 0.02
			if c.name == "writers" {
				scale = 0.15 // of each kind one
			}
			var out strings.Builder
			failures, err := torture(context.Background(), options{mcvd: mcvd, backend: "go", only: c.name, seed: 1, scale: scale}, &out)
			if err != nil && strings.Contains(err.Error(), "needs user namespaces") || errors.Is(err, ranks.ErrNoMPI) && os.Getenv("MCVD_CI") == "" {
				t.Skip(err)
			}
			if err != nil || failures > 0 {
				t.Errorf("%d failures, error %v:\n%s", failures, err, &out)
			}
			t.Log("\n" + out.String())
		})
	}
}

// What a campaign takes for a failure: crashes, hanging, silence, and raw control characters.
func TestWrong(t *testing.T) {
	for said, want := range map[string]string{
		"mcvd: a.mp4: broken\n":                     "",
		"goroutine 1 [running]:\n":                  "it crashed",
		"panic: runtime error\n":                    "it crashed",
		"mcvd: \x1b]0;owned\x07.mp4: not a video\n": "a raw control character",
		"": "exit status 1 without a word",
	} {
		if got := (ended{code: 1, said: said}).wrong(); (got == "") != (want == "") || !strings.HasPrefix(got, want) {
			t.Errorf("%q: %q, want %q", said, got, want)
		}
	}
	for want, e := range map[string]ended{"it hung": {hung: true, code: -1}, "a signal ended it": {code: -1, said: "x"}, "it took": {most: 4 << 30, said: "x"}} {
		if got := e.wrong(); !strings.HasPrefix(got, want) {
			t.Errorf("%+v: %q, want %q", e, got, want)
		}
	}
}

// Trees differ in what is missing, what is another, and what is left.
func TestDiffer(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"same", "other", "left"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := tree(dir, func(path string) bool { return path == "same" })
	if err != nil || len(got) != 2 {
		t.Fatalf("%v, %v, want two files", got, err)
	}
	for want, tree := range map[string]map[string]string{
		"":                                {"other": "other", "left": "left"},
		"more is missing":                 {"other": "other", "left": "left", "more": ""},
		"other differs (5 bytes, want 1)": {"other": "x", "left": "left"},
		"left is left":                    {"other": "other"},
	} {
		if text := differ(got, tree); text != want {
			t.Errorf("%q, want %q", text, want)
		}
	}
}
