package backend

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// cudaPackages are files of a whole installation, but for the driver's.
var cudaPackages = []string{
	"cu13/lib/libcudart.so.13", "cu13/lib/libcublas.so.13", "cu13/lib/libcublasLt.so.13", "cu13/lib/libcufft.so.12", "cu13/lib/libcusolver.so.12",
	"cu13/lib/libcusparse.so.12", "cu13/lib/libcupti.so.13", "cu13/lib/libnvrtc.so.13", "cu13/lib/libnvJitLink.so.13", "cudnn/lib/libcudnn.so.9",
	"nccl/lib/libnccl.so.2", "nvshmem/lib/libnvshmem_host.so.3", "cu13/bin/ptxas", "cu13/nvvm/libdevice/libdevice.10.bc",
}

const site = "home/ann/.local/share/mcvd/xla/cuda13/"

func (r tree) cudaInstallation() {
	r.plugin(ownCUDA)
	for _, file := range cudaPackages {
		r.write(site+"nvidia/"+file, "")
	}
	r.write("dev/nvidia0", "")
	r.write("usr/lib/x86_64-linux-gnu/libcuda.so.1", "")
}

func TestEnvironmentOfTheCPUPlugin(t *testing.T) {
	const avx512, vectors, pages = "flags\t\t: fpu avx2 avx512f\n", "XLA_FLAGS=--xla_cpu_prefer_vector_width=512", "GLIBC_TUNABLES=glibc.malloc.hugetlb=1"
	for _, tt := range []struct {
		name, cpuinfo string
		environ, want []string
	}{
		{"no vectors of 512 bits", "flags\t\t: fpu avx2\n", nil, []string{pages}},
		{"no such file", "", nil, []string{pages}},
		{"AVX-512", avx512, nil, []string{pages, vectors}},
		{"as it is already", avx512, []string{pages, vectors}, nil},
		{"another tunable", "", []string{"GLIBC_TUNABLES=glibc.malloc.check=1"}, []string{"GLIBC_TUNABLES=glibc.malloc.check=1:glibc.malloc.hugetlb=1"}},
		{"the user's tunable", "", []string{"GLIBC_TUNABLES=glibc.malloc.hugetlb=0"}, nil},
		{"the user's width", avx512, []string{pages, "XLA_FLAGS=--xla_cpu_prefer_vector_width=256"}, nil},
		{"the user's other flag", avx512, []string{pages, "XLA_FLAGS= --xla_gpu_cuda_data_dir=/x "}, []string{vectors + " --xla_gpu_cuda_data_dir=/x"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newTree(t)
			r.plugin(ownCPU)
			if tt.cpuinfo != "" {
				r.write("proc/cpuinfo", tt.cpuinfo)
			}
			c, err := r.look(tt.environ...).choose("xla-cpu")
			if err != nil || !slices.Equal(c.Environ(), tt.want) {
				t.Errorf("wants %q, error %v, want %q", c.Environ(), err, tt.want)
			}
			if err := c.Prepare(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestEnvironmentOfTheCUDAPlugin(t *testing.T) {
	r := newTree(t)
	r.cudaInstallation()
	under := func(s string) string {
		return strings.NewReplacer("NVIDIA/", r.root+"/"+site+"nvidia/", "ROOT", r.root).Replace(s)
	}
	c, err := r.look().choose("xla-cuda")
	if err != nil {
		t.Fatal(err)
	}
	size := c.cache[strings.LastIndex(c.cache, "-")+1:]
	libraries := "NVIDIA/cu13/lib:NVIDIA/nvshmem/lib:NVIDIA/nccl/lib:NVIDIA/cudnn/lib"
	data, cache := "--xla_gpu_cuda_data_dir=NVIDIA/cu13", "--xla_gpu_per_fusion_autotune_cache_dir=ROOT/home/ann/.cache/mcvd/xla-kernels-"+size
	for _, tt := range []struct {
		name          string
		environ, want []string
	}{
		{"nothing set", nil, []string{"LD_LIBRARY_PATH=" + libraries, "XLA_FLAGS=" + data + " " + cache}},
		{"the user's libraries come first", []string{"LD_LIBRARY_PATH=/mine:NVIDIA/nccl/lib"},
			[]string{"LD_LIBRARY_PATH=/mine:NVIDIA/nccl/lib:NVIDIA/cu13/lib:NVIDIA/nvshmem/lib:NVIDIA/cudnn/lib", "XLA_FLAGS=" + data + " " + cache}},
		{"the user's folder of CUDA", []string{"LD_LIBRARY_PATH=" + libraries, "XLA_FLAGS=--xla_gpu_cuda_data_dir=/cuda"},
			[]string{"XLA_FLAGS=" + cache + " --xla_gpu_cuda_data_dir=/cuda"}},
		{"as it is already", []string{"LD_LIBRARY_PATH=" + libraries, "XLA_FLAGS=" + data + " " + cache}, nil},
		{"another cache", []string{"LD_LIBRARY_PATH=" + libraries, "XDG_CACHE_HOME=ROOT/a cache"},
			[]string{"XLA_FLAGS=" + data + " --xla_gpu_per_fusion_autotune_cache_dir='ROOT/a cache/mcvd/xla-kernels-" + size + "'"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for i := range tt.environ {
				tt.environ[i] = under(tt.environ[i])
			}
			for i := range tt.want {
				tt.want[i] = under(tt.want[i])
			}
			c, err := r.look(tt.environ...).choose("xla-cuda")
			if err != nil || !slices.Equal(c.Environ(), tt.want) {
				t.Errorf("wants %q, error %v\nwant  %q", c.Environ(), err, tt.want)
			}
			if err := c.Prepare(); err != nil {
				t.Error(err)
			}
			if info, err := os.Stat(c.cache); err != nil || !info.IsDir() {
				t.Errorf("no folder for kernels: %v", err)
			}
		})
	}
}

// Where the wheels lack ptxas or libdevice, a toolkit of the machine has them; a folder with half
// of them is of no use.
func TestToolkitOfTheMachine(t *testing.T) {
	r := newTree(t)
	r.plugin(ownCUDA)
	r.write("dev/nvidia0", "")
	dataOf := func(environ ...string) string {
		t.Helper()
		c, err := r.look(environ...).choose("xla-cuda")
		if err != nil {
			t.Fatal(err)
		}
		_, after, _ := strings.Cut(strings.Join(c.Environ(), " "), "--xla_gpu_cuda_data_dir=")
		dir, _, _ := strings.Cut(after, " ")
		return strings.TrimPrefix(dir, r.root)
	}
	r.write(site+"nvidia/cu13/bin/ptxas", "")
	if got := dataOf(); got != "" {
		t.Errorf("data folder %q, want none", got)
	}
	r.write("usr/local/cuda-13.0/bin/ptxas", "")
	r.write("usr/local/cuda-13.0/nvvm/libdevice/libdevice.10.bc", "")
	if got := dataOf(); got != "/usr/local/cuda-13.0" {
		t.Errorf("data folder %q, want the toolkit's", got)
	}
	r.write("mine/bin/ptxas", "")
	r.write("mine/nvvm/libdevice/libdevice.10.bc", "")
	if got := dataOf("CUDA_HOME=" + r.root + "/mine"); got != "/mine" {
		t.Errorf("data folder %q, want that of CUDA_HOME", got)
	}
}

// XLA ends the process for a flag that it doesn't know.
func TestUnknownFlags(t *testing.T) {
	r := newTree(t)
	path := r.write(ownCPU, sharedLibrary{flags: []string{"xla_dump_to"}}.text())
	r.write("proc/cpuinfo", "flags : avx512f")
	c, err := r.look("GLIBC_TUNABLES=glibc.malloc.hugetlb=1", "XLA_FLAGS=--xla_dump_to=/x").choose("xla-cpu")
	if err != nil || len(c.Environ()) > 0 {
		t.Errorf("a plugin that doesn't know our flag: wants %q, error %v, want nothing", c.Environ(), err)
	}
	for flags, want := range map[string]string{
		"--xla_dump_to=/x --xla_nonsense=1": "XLA_FLAGS: --xla_nonsense=1 is not a flag that " + path + " knows",
		"--xla_dump":                        "XLA_FLAGS: --xla_dump is not a flag",
		"/no/such/file":                     "XLA_FLAGS=/no/such/file: want flags that begin with --, or a file of them",
	} {
		for _, name := range []string{"xla-cpu", "xla:cpu", "xla:" + path} {
			if _, err := r.look("XLA_FLAGS=" + flags).choose(name); err == nil || !strings.HasPrefix(err.Error(), "--backend "+name+": "+want) {
				t.Errorf("%s, XLA_FLAGS=%s: error %v, want %s", name, flags, err, want)
			}
		}
	}
	file := r.write("flags", "--xla_dump_to=/x")
	if c, err := r.look("XLA_FLAGS=" + file).choose("xla-cpu"); err != nil || strings.Contains(strings.Join(c.Environ(), " "), "XLA_FLAGS") {
		t.Errorf("a file of flags: wants %q, error %v, want it to stay", c.Environ(), err)
	}
}

func TestMissingLibrariesAreListed(t *testing.T) {
	r := newTree(t)
	r.cudaInstallation()
	missing := func(environ ...string) string {
		t.Helper()
		c, err := r.look(environ...).choose("xla-cuda")
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(c.Missing(), ", ")
	}
	if got := missing(); got != "" {
		t.Errorf("missing of a whole installation: %s", got)
	}
	for file, want := range map[string]string{
		site + "nvidia/cudnn/lib/libcudnn.so.9":             "libcudnn",
		site + "nvidia/cu13/lib/libcublasLt.so.13":          "libcublasLt",
		site + "nvidia/cu13/nvvm/libdevice/libdevice.10.bc": "a folder with bin/ptxas and nvvm/libdevice/libdevice.10.bc",
		"usr/lib/x86_64-linux-gnu/libcuda.so.1":             "libcuda",
	} {
		if err := os.Remove(filepath.Join(r.root, file)); err != nil {
			t.Fatal(err)
		}
		if got := missing(); got != want {
			t.Errorf("without %s missing: %q, want %s", file, got, want)
		}
		r.write(file, "")
	}
	r.write("mine/libcudnn.so.9", "")
	if err := os.Remove(r.root + "/" + site + "nvidia/cudnn/lib/libcudnn.so.9"); err != nil {
		t.Fatal(err)
	}
	if got := missing("LD_LIBRARY_PATH=" + r.root + "/mine"); got != "" {
		t.Errorf("missing %q though LD_LIBRARY_PATH has it", got)
	}
	if c, err := r.look().choose("xla-cuda"); err != nil || !strings.Contains(c.hint(), "; not found: libcudnn (") {
		t.Errorf("hint %q, error %v, want it to name libcudnn", c.hint(), err)
	}
}
