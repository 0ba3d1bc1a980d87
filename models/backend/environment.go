package backend

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// XLA, its libraries and the C library read their environment when a process starts. So the program
// starts itself again, once, in the environment below (see cmd/mcvd/restart.go; MCVD_REEXEC=off
// prevents it). What the user set stays: folders of theirs come first, and a flag of theirs is not
// set again.
//
//	GLIBC_TUNABLES   glibc.malloc.hugetlb=1 for the CPU plugin: buffers in huge pages, of which there are fewer to fault in
//	XLA_FLAGS        for the CPU plugin vectors of 512 bits where there are such; for CUDA where ptxas and libdevice are, and a
//	                 folder in the user's cache in which it keeps what it found out about the speed of kernels
//	LD_LIBRARY_PATH  for CUDA the folders of the libraries that came with the plugin

// environment holds the variables that a backend needs and the process lacks.
type environment struct {
	variables []string // NAME=VALUE
	cache     string   // a folder that must be made, or empty
}

// Environ lists, as NAME=VALUE, the variables that the process should have been started with.
func (e environment) Environ() []string { return e.variables }

// Prepare makes the folders that the variables name.
func (e environment) Prepare() error {
	if e.cache == "" {
		return nil
	}
	return os.MkdirAll(e.cache, 0o755)
}

// wants are the variables that a plugin needs and the environment lacks.
func (m machine) wants(k kind, path string) (environment, error) {
	var e environment
	add := func(name, value string) {
		if value != m.env[name] {
			e.variables = append(e.variables, name+"="+value)
		}
	}
	var flags []string
	switch k {
	case cpu:
		add("GLIBC_TUNABLES", m.tunables())
		if m.has("avx512f") {
			flags = append(flags, "--xla_cpu_prefer_vector_width=512")
		}
	case cuda:
		add("LD_LIBRARY_PATH", m.libraryPath(path))
		if dir := m.cudaData(path); dir != "" {
			flags = append(flags, "--xla_gpu_cuda_data_dir="+quotedFlag(dir))
		}
		e.cache = m.cacheFolder(path)
		flags = append(flags, "--xla_gpu_per_fusion_autotune_cache_dir="+quotedFlag(e.cache))
	}
	value, err := m.xlaFlags(path, flags)
	add("XLA_FLAGS", value)
	return e, err
}

const hugePages = "glibc.malloc.hugetlb="

func (m machine) tunables() string {
	old := m.env["GLIBC_TUNABLES"]
	switch {
	case strings.Contains(old, hugePages):
		return old
	case old == "":
		return hugePages + "1"
	}
	return old + ":" + hugePages + "1"
}

// xlaFlags adds flags to the user's. XLA ends the process at a flag that it doesn't know. So an
// unknown flag of the user's is an error here, and an unknown flag of ours is left out, because the
// plugin is of another version.
func (m machine) xlaFlags(path string, flags []string) (string, error) {
	old := strings.TrimSpace(m.env["XLA_FLAGS"])
	if old != "" && !strings.HasPrefix(old, "--") {
		if _, err := os.Stat(old); err != nil {
			return old, fmt.Errorf("XLA_FLAGS=%s: want flags that begin with --, or a file of them: %w", old, err)
		}
		return old, nil
	}
	users := strings.Fields(old)
	unknown, err := unknownFlags(path, slices.Concat(users, flags))
	if err != nil {
		return old, fmt.Errorf("%s: %w", path, err)
	}
	var added []string
	for _, flag := range flags {
		name, _, _ := strings.Cut(flag, "=")
		if !slices.Contains(unknown, flag) && !slices.ContainsFunc(users, func(u string) bool { return u == name || strings.HasPrefix(u, name+"=") }) {
			added = append(added, flag)
		}
	}
	for _, flag := range users {
		if slices.Contains(unknown, flag) {
			return old, fmt.Errorf("XLA_FLAGS: %s is not a flag that %s knows: unset it", flag, path)
		}
	}
	if old != "" {
		added = append(added, old)
	}
	return strings.Join(added, " "), nil
}

// quotedFlag is a path as a flag's value in XLA_FLAGS.
func quotedFlag(path string) string {
	if strings.ContainsAny(path, " \t") {
		return "'" + path + "'"
	}
	return path
}

// cacheFolder is where a plugin keeps what it found out about kernels. Kernels of one version need
// not exist in another, so each version has its own folder, by the plugin's size.
func (m machine) cacheFolder(path string) string {
	var size int64
	if info, err := os.Stat(path); err == nil {
		size = info.Size()
	}
	return filepath.Join(m.userCache(), fmt.Sprintf("xla-kernels-%d", size))
}

// userCache is the program's folder in the user's cache.
func (m machine) userCache() string {
	base := m.env["XDG_CACHE_HOME"]
	if !filepath.IsAbs(base) {
		base = filepath.Join(m.env["HOME"], ".cache")
	}
	return filepath.Join(base, "mcvd")
}
