package backend

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/gomlx/compute"
)

// Missing lists what the backend needs and was not found. It may fail when it is opened, or later.
func (c Choice) Missing() []string { return c.missing }

// Describe says in one line what an opened backend is.
func (c Choice) Describe(b compute.Backend) (string, error) {
	if c.Plugin == "" {
		return b.Description(), nil
	}
	version, err := pluginVersion(c.Plugin)
	if err != nil {
		return "", err
	}
	devices := make([]string, b.NumDevices())
	for i := range devices {
		devices[i] = b.DeviceDescription(compute.DeviceNum(i))
	}
	what := "devices"
	if c.virtual() {
		what = "virtual devices, which share the machine's cores"
	}
	kernels, err := c.describeKernels()
	if err != nil {
		kernels = "no kernels of mcvd (" + err.Error() + ")"
	} else {
		kernels = "kernels of mcvd for " + kernels
	}
	plugin := c.Plugin
	if from := packageOf(c.Plugin); from != "" {
		plugin += " of " + from
	}
	return fmt.Sprintf("%s, PJRT %s, %s, %s, %d %s: %s", plugin, version, kernels, c.keeps(), len(devices), what, strings.Join(devices, ", ")), nil
}

// Versions describes an opened backend for the record of a result: its name, and for a plugin the
// file, the Python package from which it came, the version of its interface, and which kernels of mcvd
// it has.
func (c Choice) Versions() map[string]string {
	v := map[string]string{"backend": c.Name}
	if c.Plugin == "" {
		return v
	}
	v["plugin"] = c.Plugin
	if from := packageOf(c.Plugin); from != "" {
		v["plugin.package"] = from
	}
	version, err := pluginVersion(c.Plugin)
	if err != nil {
		version = "unknown: " + err.Error()
	}
	v["pjrt"] = version
	if v["kernels"], err = c.describeKernels(); err != nil {
		v["kernels"] = "none: " + err.Error()
	}
	return v
}

// virtual says whether all devices are the same cores. The CPU plugin always shows several devices,
// and one of them already uses every core.
func (c Choice) virtual() bool { return c.kind == cpu }

// packageOf is the Python package, with its version, that a plugin came in, if it did.
func packageOf(plugin string) string {
	for _, info := range glob(filepath.Join(filepath.Dir(plugin), "../.."), "xla_cpu_pjrt-*.dist-info", "jax_cuda*_pjrt-*.dist-info") {
		return strings.TrimSuffix(filepath.Base(info), ".dist-info")
	}
	return ""
}
