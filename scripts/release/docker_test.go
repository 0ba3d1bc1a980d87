package main

import (
	"slices"
	"strings"
	"testing"
)

// What git ignores, such as data sets and runs, is not copied when an image is built. Docker's patterns
// begin at the top; git's do if they have a slash before their end.
func TestImagesLeaveOutWhatGitIgnores(t *testing.T) {
	var want []string
	for line := range strings.Lines(read(t, "../../.gitignore")) {
		pattern := strings.TrimSuffix(strings.TrimSpace(line), "/")
		if strings.Contains(pattern, "/") {
			want = append(want, strings.TrimPrefix(pattern, "/"))
		} else {
			want = append(want, "**/"+pattern)
		}
	}
	var got []string
	for line := range strings.Lines(read(t, "../docker/Dockerfile.dockerignore")) {
		if !strings.HasPrefix(line, "#") {
			got = append(got, strings.TrimSpace(line))
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("scripts/docker/Dockerfile.dockerignore has\n%q\nwant what .gitignore has\n%q", got, want)
	}
}
