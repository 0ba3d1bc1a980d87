package backend

import (
	"strings"
	"testing"

	"mcvd/models/backend/xlakernels"
)

// Kernels are for the CPU plugin, for the longest vectors of the processor, unless they are switched off
// or others are chosen. Where a plugin gets none, there is a reason.
func TestWhichPluginsGetKernels(t *testing.T) {
	const avx2, avx512 = "flags : fpu fma avx2", "flags : fpu fma avx2 avx512f avx512dq avx512bw avx512vl"
	for _, tt := range []struct{ name, flags, variable, backend, want string }{
		{"the CPU plugin", avx512, "", "xla-cpu", ""},
		{"switched on", avx512, "on", "xla-cpu", ""},
		{"switched off", avx512, "off", "xla-cpu", "MCVD_KERNELS=off"},
		{"AVX2 alone", avx2, "", "xla-cpu", ""},
		{"AVX2 wanted", avx512, "avx2", "xla-cpu", ""},
		{"AVX-512 wanted", avx512, "avx512", "xla-cpu", ""},
		{"no FMA", "flags : fpu avx2", "", "xla-cpu", "no AVX2"},
		{"nothing known of the processor", "", "", "xla-cpu", "no AVX2"},
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
		want := xlakernels.None
		switch {
		case tt.want == "" && (tt.flags == avx2 || tt.variable == "avx2"):
			want = xlakernels.AVX2
		case tt.want == "":
			want = xlakernels.AVX512
		}
		if c.vectors != want {
			t.Errorf("%s: kernels with %s, want %s", tt.name, c.vectors, want)
		}
		// The plugin of this test is only a file, so with no reason against it Register finds one.
		if err := c.kernels(); err == nil || tt.want != "" && err.Error() != c.plain {
			t.Errorf("%s: error %v, want %q", tt.name, err, c.plain)
		}
	}
	r := newTree(t)
	r.plugin(ownCPU)
	r.write("proc/cpuinfo", "flags : fma avx2\n")
	for _, tt := range [][2]string{
		{"MCVD_KERNELS=no", "MCVD_KERNELS=no: want on, off, avx2 or avx512"},
		{"MCVD_KERNELS=avx512", "MCVD_KERNELS=avx512: the processor doesn't have it"},
		{"MCVD_KERNELS=avx2", "MCVD_KERNELS=avx2: the processor doesn't have it"},
	} {
		variable, want := tt[0], tt[1]
		if variable == "MCVD_KERNELS=avx2" {
			r.write("proc/cpuinfo", "flags : avx2\n")
		}
		if _, err := r.look(variable).choose("xla-cpu"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v", variable, err)
		}
	}
}

// A plugin that is not known runs as it is, and is described so.
func TestUnknownPluginsGetNoKernels(t *testing.T) {
	if unlinked != "" {
		t.Skip(unlinked)
	}
	r := newTree(t)
	r.plugin(ownCPU)
	r.write("proc/cpuinfo", "flags : fma avx2\n")
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
