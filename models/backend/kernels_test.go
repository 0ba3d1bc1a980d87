package backend

import (
	"strings"
	"testing"
)

// Kernels are for the CPU plugin on a processor with AVX-512, unless they are switched off. Where a
// plugin gets none, there is a reason.
func TestWhichPluginsGetKernels(t *testing.T) {
	const avx512 = "flags : fpu avx2 avx512f avx512dq avx512bw avx512vl"
	for _, tt := range []struct{ name, flags, variable, backend, want string }{
		{"the CPU plugin", avx512, "", "xla-cpu", ""},
		{"switched on", avx512, "on", "xla-cpu", ""},
		{"switched off", avx512, "off", "xla-cpu", "MCVD_KERNELS=off"},
		{"no AVX-512", "flags : fpu avx2", "", "xla-cpu", "no AVX-512"},
		{"nothing known of the processor", "", "", "xla-cpu", "no AVX-512"},
		{"the CUDA plugin", avx512, "", "xla-cuda", "they are for the CPU"},
	} {
		r := newTree(t)
		r.plugin(ownCPU)
		r.plugin(ownCUDA)
		r.write("dev/nvidia0", "")
		if tt.flags != "" {
			r.write("proc/cpuinfo", tt.flags+"\n")
		}
		m := r.look("MCVD_KERNELS=" + tt.variable)
		c, err := m.choose(tt.backend)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if (c.plain == "") != (tt.want == "") || !strings.Contains(c.plain, tt.want) {
			t.Errorf("%s: no kernels because of %q, want %q", tt.name, c.plain, tt.want)
		}
		// The plugin of this test is only a file, so with no reason against it Register finds one.
		if err := c.kernels(); err == nil || tt.want != "" && err.Error() != c.plain {
			t.Errorf("%s: error %v, want %q", tt.name, err, c.plain)
		}
	}
	r := newTree(t)
	r.plugin(ownCPU)
	if _, err := r.look("MCVD_KERNELS=no").choose("xla-cpu"); err == nil || !strings.Contains(err.Error(), "MCVD_KERNELS=no: want on or off") {
		t.Errorf("MCVD_KERNELS=no: error %v", err)
	}
}

// A plugin that is not known runs as it is, and is described so.
func TestUnknownPluginsGetNoKernels(t *testing.T) {
	if unlinked != "" {
		t.Skip(unlinked)
	}
	r := newTree(t)
	r.plugin(ownCPU)
	r.write("proc/cpuinfo", "flags : avx512f\n")
	c, err := r.look().choose("xla-cpu")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.kernels(); err == nil || !strings.Contains(err.Error(), "another plugin") && !strings.Contains(err.Error(), "built without them") {
		t.Errorf("error %v, want that the plugin is another", err)
	}
	if v := c.Versions()["kernels"]; !strings.HasPrefix(v, "none: ") {
		t.Errorf("versions say %q, want none and why", v)
	}
}
