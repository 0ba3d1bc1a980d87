package backend

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Each place counts before those after it.
func TestOrderOfTheSearch(t *testing.T) {
	const cpuPackage, cudaPackage = "xla_plugins/xla_cpu_pjrt/xla_cpu_pjrt.so", "jax_plugins/xla_cuda13/xla_cuda_plugin.so"
	r := newTree(t)
	environ := func(names ...string) (all []string) {
		for _, name := range names {
			all = append(all, name+"="+filepath.Join(r.root, name))
		}
		return all
	}
	all := environ("MCVD_XLA_DIR", "XDG_DATA_HOME", "PJRT_PLUGIN_LIBRARY_PATH", "VIRTUAL_ENV", "CONDA_PREFIX")
	places := []struct {
		cpu, cuda string
		environ   []string
	}{
		{"usr/lib/python3/dist-packages/" + cpuPackage, "usr/lib/python3/dist-packages/" + cudaPackage, nil},
		{"usr/local/lib/python3.11/dist-packages/" + cpuPackage, "usr/local/lib/python3.11/dist-packages/" + cudaPackage, nil},
		{"home/ann/.local/lib/python3.12/site-packages/" + cpuPackage, "home/ann/.local/lib/python3.12/site-packages/" + cudaPackage, nil},
		{"CONDA_PREFIX/lib/python3.9/site-packages/" + cpuPackage, "CONDA_PREFIX/lib/python3.9/site-packages/" + cudaPackage, environ("CONDA_PREFIX")},
		{"VIRTUAL_ENV/lib/python3.11/site-packages/" + cpuPackage, "VIRTUAL_ENV/lib/python3.11/site-packages/" + cudaPackage, environ("CONDA_PREFIX", "VIRTUAL_ENV")},
		{"usr/local/lib/go-xla/pjrt_c_api_cpu_v0.114.0_plugin.so", "usr/local/lib/go-xla/nvidia/pjrt_c_api_cuda_plugin.so", environ("VIRTUAL_ENV")},
		{"home/ann/.local/lib/go-xla/pjrt_c_api_cpu_plugin.so", "home/ann/.local/lib/go-xla/pjrt_c_api_cuda_plugin.so", environ("VIRTUAL_ENV")},
		{"PJRT_PLUGIN_LIBRARY_PATH/pjrt-plugin-cpu.so", "PJRT_PLUGIN_LIBRARY_PATH/pjrt_plugin_cuda.so", environ("VIRTUAL_ENV", "PJRT_PLUGIN_LIBRARY_PATH")},
		{ownCPU, ownCUDA, environ("VIRTUAL_ENV", "PJRT_PLUGIN_LIBRARY_PATH")},
		{"XDG_DATA_HOME/mcvd/xla/cpu/" + cpuPackage, "XDG_DATA_HOME/mcvd/xla/cuda13/" + cudaPackage, environ("VIRTUAL_ENV", "PJRT_PLUGIN_LIBRARY_PATH", "XDG_DATA_HOME")},
		{"MCVD_XLA_DIR/cpu/" + cpuPackage, "MCVD_XLA_DIR/cuda13/" + cudaPackage, all},
	}
	for _, place := range places { // each is better than all before it
		wantCPU, wantCUDA := r.plugin(place.cpu), r.plugin(place.cuda)
		m := r.look(place.environ...)
		if m.cpu.path != wantCPU || m.cpu.broken != nil {
			t.Errorf("CPU: %+v, want %s", m.cpu, wantCPU)
		}
		if m.cuda.path != wantCUDA || m.cuda.broken != nil {
			t.Errorf("CUDA: %+v, want %s", m.cuda, wantCUDA)
		}
	}
}

// Relative folders in variables are not searched: what is found would depend on where the program
// is started.
func TestRelativeFoldersAreNotSearched(t *testing.T) {
	r := newTree(t)
	r.plugin("here/pjrt_c_api_cpu_plugin.so")
	r.plugin("here/lib/python3.11/site-packages/xla_plugins/xla_cpu_pjrt/xla_cpu_pjrt.so")
	t.Chdir(r.root)
	if m := r.look("PJRT_PLUGIN_LIBRARY_PATH=here:", "VIRTUAL_ENV=here"); m.cpu.path != "" {
		t.Errorf("found %s", m.cpu.path)
	}
}

func TestFoldersWithMarksOfPatternsAreSearched(t *testing.T) {
	r := newTree(t)
	want := r.plugin("odd [1]*/cpu/xla_plugins/xla_cpu_pjrt/xla_cpu_pjrt.so")
	if m := r.look("MCVD_XLA_DIR=" + r.root + "/odd [1]*"); m.cpu.path != want {
		t.Errorf("found %q, want %s", m.cpu.path, want)
	}
}

// A link stands for the file itself, beside which its libraries are.
func TestLinksAreFollowed(t *testing.T) {
	r := newTree(t)
	want := r.plugin("opt/jax_plugins/xla_cuda13/xla_cuda_plugin.so")
	link := filepath.Join(r.root, ownCUDA)
	if err := os.MkdirAll(filepath.Dir(link), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(want, link); err != nil {
		t.Fatal(err)
	}
	if m := r.look(); m.cuda.path != want {
		t.Errorf("found %q, want %s", m.cuda.path, want)
	}
	if err := os.Remove(want); err != nil {
		t.Fatal(err)
	}
	if _, err := r.look().choose("xla:cuda"); err == nil || strings.Contains(err.Error(), "no CUDA plugin") {
		t.Errorf("a link to nothing: error %v, want one that names it", err)
	}
}

func TestNewestCUDAPluginOfAFolderCounts(t *testing.T) {
	r := newTree(t)
	r.plugin("venv/lib/python3.11/site-packages/jax_plugins/xla_cuda12/xla_cuda_plugin.so")
	want := r.plugin("venv/lib/python3.11/site-packages/jax_plugins/xla_cuda13/xla_cuda_plugin.so")
	if m := r.look("VIRTUAL_ENV=" + r.root + "/venv"); m.cuda.path != want {
		t.Errorf("found %q, want %s", m.cuda.path, want)
	}
}
