package backend

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// Plugins are looked for in this order, and the first that is there counts:
//
//  1. cpu/ and cuda13/ of $MCVD_XLA_DIR, or without it of mcvd/xla in the user's data folder ($XDG_DATA_HOME, ~/.local/share):
//     there scripts/install-xla.sh puts them
//  2. go-xla's folders: those of $PJRT_PLUGIN_LIBRARY_PATH, or without it ~/.local/lib/go-xla and /usr/local/lib/go-xla
//  3. Python's packages, in which JAX brings them: of $VIRTUAL_ENV, $CONDA_PREFIX, ~/.local, /usr/local, /usr/lib/python3
//
// GoMLX is always given an absolute path: a name would start a search of its own.

// machine holds what the choice of a backend depends on.
type machine struct {
	root      string // "/", but in tests
	env       map[string]string
	unlinked  string // why this program has no XLA, or empty
	noDevice  string // why there is no NVIDIA device to use, or empty
	cpu, cuda plugin
}

// plugin is the result of looking for a plugin.
type plugin struct {
	title  string
	path   string // an absolute path; empty if there is none
	folder string // where it was installed
	broken error  // why it can't be loaded
}

// look describes the machine whose file system begins at root. environ has NAME=VALUE. If the
// program has no XLA, plugins are not looked for.
func look(root string, environ []string, unlinked string) machine {
	m := machine{root: root, env: make(map[string]string), unlinked: unlinked}
	for _, variable := range environ {
		name, value, _ := strings.Cut(variable, "=")
		m.env[name] = value
	}
	m.cpu, m.cuda = plugin{title: "CPU"}, plugin{title: "CUDA"}
	if m.unlinked != "" {
		return m
	}
	m.noDevice = m.whyNoDevice()
	m.cpu.find(m.folders("cpu"), "xla_plugins/xla_cpu_pjrt/xla_cpu_pjrt.so", "pjrt_c_api_cpu*_plugin.so", "pjrt?plugin?cpu*.so")
	m.cuda.find(m.folders("cuda13"), "jax_plugins/xla_cuda*/xla_cuda_plugin.so", "pjrt_c_api_cuda*_plugin.so", "pjrt?plugin?cuda*.so",
		"nvidia/pjrt_c_api_cuda*_plugin.so")
	return m
}

// folders are where plugins are looked for; own is the name of the folder of install-xla.sh.
func (m machine) folders(own string) []string {
	folders := []string{filepath.Join(m.installed(), own)}
	if paths, home := m.env["PJRT_PLUGIN_LIBRARY_PATH"], m.env["HOME"]; paths != "" {
		folders = append(folders, filepath.SplitList(paths)...)
	} else {
		folders = append(folders, filepath.Join(home, ".local/lib/go-xla"), filepath.Join(m.root, "usr/local/lib/go-xla"))
	}
	for _, prefix := range []string{m.env["VIRTUAL_ENV"], m.env["CONDA_PREFIX"], filepath.Join(m.env["HOME"], ".local"), filepath.Join(m.root, "usr/local")} {
		if !filepath.IsAbs(prefix) {
			continue
		}
		folders = append(folders, glob(prefix, "lib/python3.*/site-packages", "lib/python3.*/dist-packages")...)
	}
	return append(folders, filepath.Join(m.root, "usr/lib/python3/dist-packages"))
}

// installed is the folder of install-xla.sh, which finds it in the same way.
func (m machine) installed() string {
	if dir := m.env["MCVD_XLA_DIR"]; dir != "" {
		if abs, err := filepath.Abs(dir); err == nil {
			return abs
		}
	}
	data := m.env["XDG_DATA_HOME"]
	if !filepath.IsAbs(data) {
		data = filepath.Join(m.env["HOME"], ".local/share")
	}
	return filepath.Join(data, "mcvd/xla")
}

// find looks for the first file in the folders that matches one of the patterns.
func (p *plugin) find(folders []string, patterns ...string) {
	for _, folder := range folders {
		if !filepath.IsAbs(folder) {
			continue
		}
		found := glob(folder, patterns...)
		if len(found) == 0 {
			continue
		}
		p.path, p.folder = found[0], folder
		// Its libraries are found relative to the file itself, not to a link to it.
		if real, err := filepath.EvalSymlinks(p.path); err == nil {
			p.path = real
		}
		if p.broken = check(p.path); strings.Contains(p.path, ",") {
			p.broken = fmt.Errorf("%s: a path with a comma, which GoMLX can't be told", p.path)
		}
		return
	}
}

// glob lists the files below a folder that match one of the patterns. For each pattern the last
// name comes first, which is the newest version.
func glob(folder string, patterns ...string) []string {
	var all []string
	for _, pattern := range patterns {
		// The folder's own name may contain characters that mean something in a pattern.
		found, err := filepath.Glob(filepath.Join(quoted(folder), pattern))
		if err != nil {
			continue
		}
		slices.Reverse(found)
		all = append(all, found...)
	}
	return all
}

// quoted makes a pattern that matches only the path.
func quoted(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

// whyNoDevice says why there is no NVIDIA device, or nothing.
func (m machine) whyNoDevice() string {
	if len(glob(m.root, "dev/nvidia[0-9]*")) == 0 && len(glob(m.root, "dev/dxg")) == 0 { // dxg: Windows' subsystem for Linux
		return "no NVIDIA device"
	}
	if visible, set := m.env["CUDA_VISIBLE_DEVICES"]; set && (visible == "" || visible == "-1") {
		return fmt.Sprintf("no NVIDIA device visible (CUDA_VISIBLE_DEVICES=%s)", visible)
	}
	return ""
}

// short is a path as people write it.
func (m machine) short(path string) string {
	if below, ok := strings.CutPrefix(path, m.env["HOME"]+"/"); ok && m.env["HOME"] != "" {
		return "~/" + below
	}
	return path
}
