package backend

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// Of every machine: auto takes CUDA, the CPU plugin or Go, in this order, and it takes what its own
// name would have given.
func TestAutoTakesTheBestThatIsThere(t *testing.T) {
	for _, device := range []bool{false, true} {
		for _, cudaState := range []string{"none", "broken", "sound"} {
			for _, cpuState := range []string{"none", "broken", "sound"} {
				for _, unlinked := range []string{"", "no XLA in here"} {
					t.Run(fmt.Sprintf("device %v CUDA %s CPU %s %s", device, cudaState, cpuState, unlinked), func(t *testing.T) {
						r := newTree(t)
						if device {
							r.write("dev/nvidia0", "")
						}
						for path, state := range map[string]string{ownCPU: cpuState, ownCUDA: cudaState} {
							switch state {
							case "broken":
								r.write(path, "not a library")
							case "sound":
								r.plugin(path)
							}
						}
						m := look(r.root, []string{"HOME=" + r.home()}, unlinked)
						checkAuto(t, m, device && cudaState == "sound" && unlinked == "", cpuState == "sound" && unlinked == "")
					})
				}
			}
		}
	}
}

func checkAuto(t *testing.T, m machine, cudaUsable, cpuUsable bool) {
	t.Helper()
	want := "go"
	if cudaUsable {
		want = "xla-cuda"
	} else if cpuUsable {
		want = "xla-cpu"
	}
	got, err := m.choose("auto")
	if err != nil || got.Name != want || got.Why == "" || strings.Contains(got.Why, "\n") {
		t.Fatalf("auto takes %q (%q), error %v, want %s", got.Name, got.Why, err, want)
	}
	named, err := m.choose(want)
	if err != nil || named.config != got.config || !slices.Equal(named.Environ(), got.Environ()) {
		t.Errorf("%s is %+v, error %v, and auto took %+v", want, named, err, got)
	}
	for name, usable := range map[string]bool{"go": true, "xla-cpu": cpuUsable, "xla-cuda": cudaUsable} {
		if _, err := m.choose(name); (err == nil) != usable {
			t.Errorf("%s: error %v, want one: %v", name, err, !usable)
		} else if err != nil && (!strings.HasPrefix(err.Error(), "--backend "+name+": ") || strings.Contains(err.Error(), "\n")) {
			t.Errorf("error %q, want one line about --backend %s", err, name)
		}
	}
}

func TestWhyAutoChose(t *testing.T) {
	const share = "~/.local/share/mcvd/xla/"
	for _, tt := range []struct {
		name    string
		files   []string // of plugins, or else of nothing
		environ []string
		want    string
	}{
		{"nothing", nil, nil, "go: no CPU plugin: run scripts/install-xla.sh cpu for a faster one, no NVIDIA device"},
		{"CPU plugin", []string{ownCPU}, nil, "xla-cpu: CPU plugin in " + share + "cpu, no NVIDIA device"},
		{"CPU plugin and device", []string{ownCPU, "dev/nvidia0"}, nil,
			"xla-cpu: CPU plugin in " + share + "cpu, NVIDIA device, but no CUDA plugin: run scripts/install-xla.sh cuda13"},
		{"all", []string{ownCPU, ownCUDA, "dev/nvidia3"}, nil, "xla-cuda: NVIDIA device, CUDA plugin in " + share + "cuda13"},
		{"CUDA in Windows' Linux", []string{ownCUDA, "dev/dxg"}, nil, "xla-cuda: NVIDIA device, CUDA plugin in " + share + "cuda13"},
		{"only the driver's control files", []string{ownCPU, ownCUDA, "dev/nvidiactl"}, nil, "xla-cpu: CPU plugin in " + share + "cpu, no NVIDIA device"},
		{"hidden device", []string{ownCPU, ownCUDA, "dev/nvidia0"}, []string{"CUDA_VISIBLE_DEVICES="},
			"xla-cpu: CPU plugin in " + share + "cpu, no NVIDIA device visible (CUDA_VISIBLE_DEVICES=)"},
		{"one device chosen", []string{ownCUDA, "dev/nvidia0"}, []string{"CUDA_VISIBLE_DEVICES=0"}, "xla-cuda: NVIDIA device, CUDA plugin in " + share + "cuda13"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newTree(t)
			for _, file := range tt.files {
				r.plugin(file)
			}
			c, err := r.look(tt.environ...).choose("auto")
			if got := c.Name + ": " + c.Why; err != nil || got != tt.want {
				t.Errorf("got  %s, error %v\nwant %s", got, err, tt.want)
			}
		})
	}
}

// What GoMLX is given: always an absolute path, and for CUDA its memory.
func TestStringsForGoMLX(t *testing.T) {
	r := newTree(t)
	cpuPath, cudaPath := r.plugin(ownCPU), r.plugin(ownCUDA)
	r.write("dev/nvidia0", "")
	rooted := func(s string) string { return strings.NewReplacer("CPU", cpuPath, "CUDA", cudaPath).Replace(s) }
	for name, want := range map[string]string{
		"go":                       "go:parallelism=-1",
		"go:parallelism=3":         "go:parallelism=3",
		"xla-cpu":                  "xla:CPU",
		"xla-cuda":                 "xla:CUDA,preallocate=true,memory_fraction=0.85",
		"xla:cpu":                  "xla:CPU",
		"xla:cuda,tf32=false":      "xla:CUDA,tf32=false",
		"xla:CPU,noshared_buffers": "xla:CPU,noshared_buffers",
		"stablehlo:CPU":            "xla:CPU",
	} {
		if c, err := r.look().choose(rooted(name)); err != nil || c.config != rooted(want) {
			t.Errorf("%s: GoMLX gets %q, error %v, want %q", name, c.config, err, rooted(want))
		}
	}
}

// go-xla takes a plugin with "cpu" in its path for one of the CPU, with which it shares memory.
func TestCUDAPluginInAFolderNamedAfterTheCPU(t *testing.T) {
	r := newTree(t)
	path := r.plugin("cpu-cluster/cuda13/jax_plugins/xla_cuda13/xla_cuda_plugin.so")
	r.write("dev/nvidia0", "")
	c, err := r.look("MCVD_XLA_DIR=" + r.root + "/cpu-cluster").choose("xla-cuda")
	if want := "xla:" + path + ",preallocate=true,memory_fraction=0.85,noshared_buffers"; err != nil || c.config != want {
		t.Errorf("GoMLX gets %q, error %v, want %q", c.config, err, want)
	}
}

func TestMistakesAreOneLineThatSaysWhatToDo(t *testing.T) {
	r := newTree(t)
	broken := r.write(ownCPU, "text")
	for name, want := range map[string]string{
		"xla-cud":     `--backend xla-cud: want one of auto, go, xla-cpu, xla-cuda, or a string of GoMLX such as xla:/path/of/plugin.so`,
		"":            `--backend : want one of`,
		"abacus:1":    `--backend abacus:1: kind "abacus", want one of go`,
		"xla-cpu":     "remove ~/.local/share/mcvd/xla/cpu and run scripts/install-xla.sh cpu",
		"xla-cuda":    "--backend xla-cuda: no CUDA plugin: run scripts/install-xla.sh cuda13",
		"xla:rocm":    `--backend xla:rocm: plugin "rocm", want an absolute path, cpu or cuda`,
		"xla:":        `plugin "", want an absolute path, cpu or cuda`,
		"xla:cuda":    "--backend xla:cuda: no CUDA plugin",
		"xla:cpu":     broken + ": broken or not a shared library",
		"xla:/no/.so": "--backend xla:/no/.so: /no/.so: no such file",
	} {
		if c, err := r.look().choose(name); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: got %+v, error %v, want %s", name, c, err, want)
		}
	}
	r.plugin("home/ann/a,b/cpu/xla_plugins/xla_cpu_pjrt/xla_cpu_pjrt.so")
	if _, err := r.look("MCVD_XLA_DIR=" + r.home() + "/a,b").choose("xla-cpu"); err == nil || !strings.Contains(err.Error(), "comma") {
		t.Errorf("error %v, want one about the comma", err)
	}
}

// A program without XLA says so for everything that needs it; what is merely not there is told
// apart from what is broken.
func TestAbsentIsNotBroken(t *testing.T) {
	r := newTree(t)
	r.plugin(ownCPU)
	without := look(r.root, []string{"HOME=" + r.home()}, "built without XLA")
	for _, name := range []string{"xla-cpu", "xla-cuda", "xla:cpu", "xla:/any/path.so"} {
		_, err := without.choose(name)
		if !errors.As(err, new(Absent)) || err.Error() != "--backend "+name+": built without XLA" {
			t.Errorf("%s: error %v, want an absent XLA and nothing to install", name, err)
		}
	}
	if _, err := r.look().choose("xla-cuda"); !errors.As(err, new(Absent)) {
		t.Errorf("no plugin: error %v, want an absent one", err)
	}
	r.plugin(ownCUDA)
	if _, err := r.look().choose("xla-cuda"); !errors.As(err, new(Absent)) || !strings.Contains(err.Error(), "no NVIDIA device") {
		t.Errorf("no device: error %v, want an absent one", err)
	}
	r.write(ownCPU, "text")
	if _, err := r.look().choose("xla-cpu"); err == nil || errors.As(err, new(Absent)) {
		t.Errorf("broken plugin: error %v, want one that is not about absence", err)
	}
}
