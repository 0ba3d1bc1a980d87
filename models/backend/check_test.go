package backend

import (
	"debug/elf"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// What is no plugin is refused in one line before it is loaded, which could end the process.
func TestBrokenPlugins(t *testing.T) {
	r := newTree(t)
	whole := sharedLibrary{}.text()
	other := elf.EM_AARCH64
	if runtime.GOARCH == "arm64" {
		other = elf.EM_X86_64
	}
	cut := []byte(whole)
	cut[64+32+1] += 2 // its header speaks of 512 bytes more
	for name, tt := range map[string]struct{ text, want string }{
		"empty":           {"", "broken or not a shared library"},
		"text":            {"#!/bin/sh\necho a plugin\n", "broken or not a shared library"},
		"half a header":   {whole[:40], "broken or not a shared library"},
		"no sections":     {whole[:200], "broken or not a shared library"},
		"no end":          {string(cut), "cut off: "},
		"another library": {sharedLibrary{symbol: "sinf"}.text(), "a shared library, but no plugin of PJRT"},
		"another machine": {sharedLibrary{machine: other}.text(), "ET_DYN for " + other.String() + ", want a shared library for EM_"},
		"an object file":  {sharedLibrary{kind: elf.ET_REL}.text(), "ET_REL for "},
	} {
		path := r.write("x/"+strings.ReplaceAll(name, " ", "-")+".so", tt.text)
		begin := time.Now()
		b, err := Open("xla:" + path)
		if err == nil {
			b.Finalize()
			t.Fatalf("%s: no error", name)
		}
		if unlinked != "" {
			tt.want = unlinked
		}
		if !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error %q, want one line that says %s", name, err, tt.want)
		}
		if took := time.Since(begin); took > 2*time.Second {
			t.Errorf("%s: took %v", name, took)
		}
	}
	if err := check(r.root); err == nil || !strings.Contains(err.Error(), "not a file") {
		t.Errorf("a folder: error %v", err)
	}
	if err := check(r.root + "/none"); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("nothing: error %v", err)
	}
	if err := check(r.write("sound.so", whole)); err != nil {
		t.Errorf("a sound one: error %v", err)
	}
}

// A file that passes the check and can't be loaded all the same is an error in one line, too.
func TestPluginThatDoesNotLoad(t *testing.T) {
	r := newTree(t)
	b, err := Open("xla:" + r.plugin("x/cpu.so"))
	if err == nil {
		b.Finalize()
		t.Fatal("no error")
	}
	if strings.Contains(err.Error(), "\n") || !strings.HasPrefix(err.Error(), "--backend xla:") {
		t.Errorf("error %q, want one line", err)
	}
}

// The plugin that is installed opens, and says what it is.
func TestInstalledCPUPlugin(t *testing.T) {
	c, err := Choose("xla-cpu")
	if err != nil && os.Getenv("MCVD_TEST_BACKEND") != "xla-cpu" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	b, err := c.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer b.Finalize()
	if b.Name() != "xla" {
		t.Errorf("opened %s", b.Name())
	}
	if said, err := c.Describe(b); err != nil || !strings.Contains(said, "PJRT 0.") || !strings.Contains(said, " virtual devices, which share the machine's cores: ") || !strings.Contains(said, "kernels of mcvd") {
		t.Errorf("it is %q, error %v, want its version and devices", said, err)
	}
	if v := c.Versions(); v["backend"] != "xla-cpu" || v["plugin"] != c.Plugin || !strings.HasPrefix(v["pjrt"], "0.") {
		t.Errorf("versions %v, want the backend's name, the plugin's path and PJRT's version", v)
	}
	if unknown, err := unknownFlags(c.Plugin, append(ourFlags, "xla_nonsense")); err != nil || len(unknown) != 1 {
		t.Errorf("it doesn't know %q, error %v, want only xla_nonsense", unknown, err)
	}
}
