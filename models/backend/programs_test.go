package backend

import (
	"strings"
	"testing"
)

func TestWhereCompiledProgramsAreKept(t *testing.T) {
	for _, tt := range []struct{ backend, variable, xdg, want, err string }{
		{"xla-cpu", "", "", "/home/.cache/mcvd/xla-programs", ""},
		{"xla-cpu", "", "/caches", "/caches/mcvd/xla-programs", ""},
		{"xla-cpu", "/elsewhere", "/caches", "/elsewhere", ""},
		{"xla-cpu", "off", "/caches", "", ""},
		{"xla-cpu", "here", "", "", "MCVD_XLA_CACHE=here: want an absolute path of a folder, or off"},
		{"xla-cuda", "", "", "", ""},
	} {
		r := newTree(t)
		r.plugin(ownCPU)
		r.plugin(ownCUDA)
		r.write("dev/nvidia0", "")
		m := r.look("MCVD_XLA_CACHE="+tt.variable, "XDG_CACHE_HOME="+tt.xdg)
		home := m.env["HOME"]
		c, err := m.choose(tt.backend)
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%+v: error %v", tt, err)
			}
			continue
		}
		if want := strings.Replace(tt.want, "/home", home, 1); err != nil || c.programs != want {
			t.Errorf("%+v: %q, %v, want %q", tt, c.programs, err, want)
		}
		if says := c.keeps(); tt.want == "" && says != "compiled programs are not kept" || tt.want != "" && !strings.Contains(says, "not kept (") {
			t.Errorf("%+v: says %q, but the plugin of this test is no plugin", tt, says)
		}
	}
}

// Without a home there is no folder for them, and none is made where the program happens to run.
func TestWithoutAHomeNothingIsKept(t *testing.T) {
	if folder, err := look("/", nil, "").programsFolder(cpu); folder != "" || err != nil {
		t.Errorf("%q, %v", folder, err)
	}
}

// Code of one processor, or that was made with one flag, is not run on or with another; the speed at
// which the clock happens to be makes no difference.
func TestWhatCompiledProgramsDependOn(t *testing.T) {
	const cpu = "processor : 0\nmodel name : Some CPU\ncpu MHz : 2000\nflags : fpu avx2\n\nprocessor : 1\n"
	identity := func(cpuinfo, flags string) string {
		r := newTree(t)
		r.write("proc/cpuinfo", cpuinfo)
		return r.look("XLA_FLAGS=" + flags).identity()
	}
	same := identity(cpu, "--a=1")
	if other := identity(strings.Replace(cpu, "2000", "3000", 1), "--a=1"); other != same {
		t.Errorf("%q and %q differ", same, other)
	}
	for _, other := range []string{
		identity(strings.Replace(cpu, "avx2", "avx2 avx512f", 1), "--a=1"),
		identity(strings.Replace(cpu, "Some", "Other", 1), "--a=1"),
		identity(cpu, "--a=2"),
	} {
		if other == same {
			t.Errorf("%q is not another", other)
		}
	}
	r := newTree(t)
	m := r.look("XLA_FLAGS=" + r.write("flags", "--a=1"))
	before := m.identity()
	r.write("flags", "--a=2")
	if m.identity() == before {
		t.Error("other flags in a file are the same")
	}
}
