package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

// here is a target whose binaries this machine runs.
var here = target{os: runtime.GOOS, arch: runtime.GOARCH}

// `mcvd --version` shows the tag of the commit; behind it a version that Go makes of the tag and the
// commit.
func TestTheVersionIsTheTag(t *testing.T) {
	clone := smallClone(t)
	inGit(t, clone, "tag", "v0.3.1")
	for _, c := range []struct{ name, want string }{
		{"on the tag", `^mcvd v0\.3\.1\ncommit [0-9a-f]{40}\n`},
		{"behind it", `^mcvd v0\.3\.2-0\.[0-9]{14}-[0-9a-f]{12}\ncommit [0-9a-f]{40}\n`},
	} {
		if err := release(clone, []target{here}); err != nil {
			t.Fatal(err)
		}
		names, err := filepath.Glob(filepath.Join(clone, "dist", "mcvd-v*-"+here.String()))
		if err != nil || len(names) != 1 {
			t.Fatalf("%s: %q, %v, want one binary", c.name, names, err)
		}
		out, err := exec.Command(names[0]).Output()
		if err != nil || !regexp.MustCompile(c.want).Match(out) {
			t.Errorf("%s: %q, %v, want %s", c.name, out, err, c.want)
		}
		inGit(t, clone, "commit", "--quiet", "--allow-empty", "-m", "another")
	}
}

// The same commit in another folder gives the same bytes, and the sums are those of the files.
func TestTheSameCommitGivesTheSameBytes(t *testing.T) {
	clone := smallClone(t)
	inGit(t, clone, "tag", "v1.0.0")
	other := filepath.Join(t.TempDir(), "a", "longer", "way")
	inGit(t, clone, "clone", "--quiet", clone, other)
	var sums []string
	for _, folder := range []string{clone, other} {
		if err := release(folder, []target{here}); err != nil {
			t.Fatal(err)
		}
		sums = append(sums, read(t, filepath.Join(folder, "dist", "SHA256SUMS")))
	}
	if sums[0] != sums[1] || strings.Count(sums[0], "  mcvd-v1.0.0-") != 2 {
		t.Errorf("sums\n%sand\n%swant the same two", sums[0], sums[1])
	}
	binary := filepath.Join(other, "dist", "mcvd-v1.0.0-"+here.String())
	if strings.Contains(read(t, binary), other) {
		t.Errorf("%s holds the name of the folder %s", binary, other)
	}
	for line := range strings.Lines(sums[0]) {
		sum, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
		write(t, other, "sum", read(t, filepath.Join(other, "dist", name)))
		if err := writeSums(other, []string{"sum"}); err != nil {
			t.Fatal(err)
		}
		if got := read(t, filepath.Join(other, "SHA256SUMS")); got != sum+"  sum\n" {
			t.Errorf("%s: %s, want %s", name, got, sum)
		}
	}
}

func TestNoRelease(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(t *testing.T, clone string)
		want   string
	}{
		{"a file that isn't committed", func(t *testing.T, clone string) { write(t, clone, "new.go", "package x\n") }, "new.go"},
		{"a tag that is no version", func(t *testing.T, clone string) { inGit(t, clone, "tag", "v1.0") }, "the tag is v1.0, but Go made the version v0.0.0-"},
		{"a major version that Go doesn't take", func(t *testing.T, clone string) { inGit(t, clone, "tag", "v2.0.0") }, "the tag is v2.0.0, but Go made the version v"},
		{"no licence", func(t *testing.T, clone string) {
			inGit(t, clone, "rm", "--quiet", "LICENSE")
			inGit(t, clone, "commit", "--quiet", "-m", "none")
		}, "mcvd: no file with a licence"},
		{"code that doesn't compile", func(t *testing.T, clone string) {
			write(t, clone, "cmd/mcvd/bad.go", "package main\n\nvar x int = \"\"\n")
			commitAll(t, clone)
		}, "bad.go:3"},
	} {
		t.Run(c.name, func(t *testing.T) {
			clone := smallClone(t)
			c.change(t, clone)
			if err := release(clone, []target{here}); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
			if _, err := os.Stat(filepath.Join(clone, "dist", "SHA256SUMS")); err == nil {
				t.Error("it has SHA256SUMS")
			}
		})
	}
}
