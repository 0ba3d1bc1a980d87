package main

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// A drawing comes with what a model must have learned for these windows, and what it decides
// itself.
func TestDrawingsOfWindowsHaveNotes(t *testing.T) {
	const (
		told    = "must be told when frames were taken"
		chooses = "look least like each other"
		apart   = "farther apart than those of a clip of training"
	)
	inNewFolder(t)
	const random = "random.yml"
	text := "base: configs/tiny.yml\nmodel: {options: {frame_times: true}}\nframes: {times: {kind: random, span: 30}}\n"
	if err := os.WriteFile(random, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args string
		want []string
	}{
		{"configs/tiny.yml", nil},
		{"configs/tiny.yml --schedule hierarchy2", []string{apart}},
		{"configs/tiny.yml --schedule nearest --task interpolate", []string{told, apart}},
		{"configs/tiny.yml --schedule adaptive", []string{told, chooses, apart}},
		{random + " --schedule hierarchy2 --frames 20", nil},
		{random + " --schedule hierarchy2 --frames 60", []string{apart}},
	} {
		status, stdout, stderr := call(t, append([]string{"windows", "show"}, strings.Fields(tt.args)...)...)
		if status != 0 {
			t.Errorf("%s: %s", tt.args, stderr)
		}
		for _, note := range []string{told, chooses, apart} {
			if wanted := slices.Contains(tt.want, note); strings.Contains(stdout, note) != wanted {
				t.Errorf("%s: %q in the notes: %t, want %t\n%s", tt.args, note, !wanted, wanted, stdout)
			}
		}
	}
}
