package backend

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// cudaLibraries are what the CUDA plugin loads by name when it starts or at first use. libcuda is
// the driver's.
var cudaLibraries = []string{
	"libcuda", "libcudart", "libcublas", "libcublasLt", "libcudnn", "libcufft", "libcusolver", "libcusparse", "libcupti", "libnvrtc",
	"libnvJitLink", "libnccl", "libnvshmem_host",
}

// nvidia lists the folders of NVIDIA's packages beside a plugin, where the plugin itself looks for
// them first.
func nvidia(path string) []string {
	dir := filepath.Dir(path)
	return append(glob(filepath.Join(dir, "../../nvidia"), "cu[0-9]*", "*"), glob(filepath.Join(dir, "../nvidia"), "cu[0-9]*", "*")...)
}

// librariesOf lists the folders of libraries that came with a plugin.
func librariesOf(path string) []string {
	var folders []string
	for _, pkg := range nvidia(path) {
		lib := filepath.Join(pkg, "lib")
		if info, err := os.Stat(lib); err == nil && info.IsDir() && !slices.Contains(folders, lib) {
			folders = append(folders, lib)
		}
	}
	return folders
}

// libraryPath is the user's LD_LIBRARY_PATH and after it the folders of a plugin's libraries.
func (m machine) libraryPath(path string) string {
	old := m.env["LD_LIBRARY_PATH"]
	folders := filepath.SplitList(old)
	var added []string
	if old != "" {
		added = append(added, old)
	}
	for _, lib := range librariesOf(path) {
		if !slices.Contains(folders, lib) {
			added = append(added, lib)
		}
	}
	return strings.Join(added, ":")
}

const (
	ptxas     = "bin/ptxas"
	libdevice = "nvvm/libdevice/libdevice.10.bc"
)

// cudaData is the folder that has what XLA compiles kernels with, or nothing.
func (m machine) cudaData(path string) string {
	folders := append(nvidia(path), m.env["CUDA_HOME"], m.env["CUDA_PATH"])
	folders = append(folders, glob(m.root, "usr/local/cuda", "usr/local/cuda-*", "opt/cuda")...)
	for _, dir := range folders {
		if filepath.IsAbs(dir) && len(glob(dir, ptxas)) > 0 && len(glob(dir, libdevice)) > 0 {
			return dir
		}
	}
	return ""
}

// missing lists what the CUDA plugin needs and the dynamic loader will not find.
func (m machine) missing(path string) []string {
	folders := slices.Concat(librariesOf(path), filepath.SplitList(m.env["LD_LIBRARY_PATH"]))
	folders = append(folders, glob(m.root, "usr/lib/*-linux-gnu", "lib/*-linux-gnu", "usr/lib64", "usr/lib", "usr/local/nvidia/lib*",
		"usr/lib/wsl/lib", "usr/local/cuda/lib64", "usr/local/cuda*/lib64", "usr/local/cuda/compat", "usr/local/lib")...)
	var missing []string
	for _, library := range cudaLibraries {
		if !slices.ContainsFunc(folders, func(dir string) bool { return len(glob(dir, library+".so*")) > 0 }) {
			missing = append(missing, library)
		}
	}
	if m.cudaData(path) == "" {
		missing = append(missing, "a folder with "+ptxas+" and "+libdevice)
	}
	return missing
}
