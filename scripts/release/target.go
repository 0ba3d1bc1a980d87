package main

import (
	"bytes"
	"debug/buildinfo"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// A target is a kind of machine that a release has a binary for.
type target struct {
	os, arch string
	xla      bool // with XLA's backend and mcvd's kernels, through cgo; else Go alone, which is static on Linux
}

// targets are the binaries of a release. XLA's need the C compiler and the C library of the machine
// that they are built on, so there is one for that kind of machine only.
var targets = []target{
	{"linux", "amd64", true},
	{"linux", "amd64", false},
	{"linux", "arm64", false},
	{"darwin", "arm64", false},
}

// String is the part of a file's name that says which target it is.
func (t target) String() string {
	if t.xla {
		return t.os + "-" + t.arch + "-xla"
	}
	return t.os + "-" + t.arch + "-go"
}

// environment is that of Go's commands for a target. What is set here would change the bytes.
func (t target) environment() []string {
	cgo := "0"
	if t.xla {
		cgo = "1"
	}
	return append(os.Environ(), "GOOS="+t.os, "GOARCH="+t.arch, "CGO_ENABLED="+cgo, "GOEXPERIMENT=simd", "GOFLAGS=", "GOWORK=off",
		"GOAMD64=v1", "GOARM64=v8.0", "CC=gcc", "CGO_CFLAGS=-O2", "CGO_LDFLAGS=", "CGO_CPPFLAGS=")
}

// build builds mcvd into a file, an absolute path, and returns the version that Go stamped it with: the tag of the
// commit, or one that Go makes of the last tag and the commit.
func build(clone string, t target, file string) (version string, err error) {
	// Each flag is given, because GOFLAGS and `go env -w` may say otherwise. Without -s and -w a file
	// is half as large again: symbols and DWARF, which stack traces don't need.
	_, err = command(clone, t.environment(), "go", "build", "-trimpath", "-buildvcs=true", "-mod=readonly", "-tags=", "-ldflags=-s -w", "-o", file, "./cmd/mcvd")
	if err != nil {
		return "", err
	}
	info, err := buildinfo.ReadFile(file)
	if err != nil {
		return "", err
	}
	if version = info.Main.Version; !strings.HasPrefix(version, "v") || strings.Contains(version, "+dirty") {
		return "", fmt.Errorf("%s: Go stamped it with the version %q, want that of a commit: is there git, and all of its history?", t, version)
	}
	return version, nil
}

func git(clone string, args ...string) (string, error) {
	return command(clone, os.Environ(), "git", args...)
}

// command returns what a program writes to stdout. What it writes to stderr is part of the error.
func command(folder string, environment []string, name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = folder, environment
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, bytes.TrimSpace(stderr.Bytes()))
	}
	return string(out), nil
}
