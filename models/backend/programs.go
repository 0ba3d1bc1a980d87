package backend

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"mcvd/models/backend/compiled"
	"mcvd/models/backend/xlakernels"
)

// cacheVariable says where what XLA compiled is kept: a folder, or "off".
const cacheVariable = "MCVD_XLA_CACHE"

// cacheBytes is the most that is kept. The programs of a training take 2 to 20 MB.
const cacheBytes = 2 << 30

// programsFolder is where a plugin's compiled programs are kept, or empty.
func (m machine) programsFolder(k kind) (string, error) {
	switch value := m.env[cacheVariable]; {
	case k != cpu || value == "off" || value == "" && !filepath.IsAbs(m.userCache()): // no home
		return "", nil
	case value == "":
		return filepath.Join(m.userCache(), "xla-programs"), nil
	case !filepath.IsAbs(value):
		return "", fmt.Errorf("%s=%s: want an absolute path of a folder, or off", cacheVariable, value)
	default:
		return value, nil
	}
}

// identity is what the code that XLA generates depends on, besides program and plugin: what the
// processor can do, how many cores there are to divide work among, and XLA's flags.
func (m machine) identity() string {
	var lines []string
	info, err := os.ReadFile(filepath.Join(m.root, "proc/cpuinfo"))
	if err == nil {
		first, _, _ := strings.Cut(string(info), "\n\n") // the first core
		for line := range strings.Lines(first) {
			switch name, _, _ := strings.Cut(line, ":"); strings.TrimSpace(name) {
			case "vendor_id", "cpu family", "model", "model name", "stepping", "flags":
				lines = append(lines, strings.TrimSpace(line))
			}
		}
	}
	lines = append(lines, fmt.Sprint(runtime.NumCPU(), " cores"))
	for _, name := range []string{"XLA_FLAGS", "XLA_DEBUG_OPTIONS"} {
		lines = append(lines, name+"="+m.env[name])
		if value := m.env[name]; name == "XLA_FLAGS" && value != "" && !strings.HasPrefix(value, "-") {
			flags, err := os.ReadFile(value) // a file of flags
			lines = append(lines, fmt.Sprintf("%s %v", flags, err))
		}
	}
	return strings.Join(lines, "\n")
}

// register hands the plugin to go-xla with kernels and with a cache of compiled programs, as far as it
// gets them. An error says why it gets neither. It is the same after the first time.
func (c Choice) register() error {
	o := xlakernels.Options{Kernels: c.vectors, Machine: c.identity}
	if c.programs != "" {
		o.Cache = compiled.New(c.programs, cacheBytes)
	}
	return xlakernels.Register(c.Plugin, o)
}

// keeps says where compiled programs are kept, or why they aren't.
func (c Choice) keeps() string {
	if c.programs == "" {
		return "compiled programs are not kept"
	}
	if err := c.register(); err != nil {
		return "compiled programs are not kept (" + err.Error() + ")"
	}
	return "compiled programs are kept in " + c.programs
}
