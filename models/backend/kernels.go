package backend

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"mcvd/models/backend/xlakernels"
)

// kernelsVariable switches the kernels of xlakernels off, or chooses among them.
const kernelsVariable = "MCVD_KERNELS"

// chooseKernels are the kernels that a plugin gets on this machine; why says why there are none.
func (m machine) chooseKernels(k kind) (v xlakernels.Vectors, why string, err error) {
	value := m.env[kernelsVariable]
	if !slices.Contains([]string{"", "on", "off", "avx2", "avx512"}, value) {
		return v, "", fmt.Errorf("%s=%s: want on, off, avx2 or avx512", kernelsVariable, value)
	}
	avx512, avx2 := m.has("avx512f", "avx512dq", "avx512bw", "avx512vl"), m.has("avx2", "fma")
	switch {
	case value == "off":
		return v, kernelsVariable + "=off", nil
	case k != cpu:
		return v, "they are for the CPU", nil
	case value == "avx512" && !avx512, value == "avx2" && !avx2:
		return v, "", fmt.Errorf("%s=%s: the processor doesn't have it", kernelsVariable, value)
	case !avx2:
		return v, "the processor has no AVX2", nil
	case avx512 && value != "avx2":
		return xlakernels.AVX512, "", nil
	}
	return xlakernels.AVX2, "", nil
}

// has says whether the processor has these features, by the names of Linux.
func (m machine) has(features ...string) bool {
	info, err := os.ReadFile(filepath.Join(m.root, "proc/cpuinfo"))
	if err != nil {
		return false
	}
	fields := strings.Fields(string(info))
	return !slices.ContainsFunc(features, func(f string) bool { return !slices.Contains(fields, f) })
}

// kernels gives the plugin its kernels, or says why it has none.
func (c Choice) kernels() error {
	if c.Plugin == "" {
		return errors.New("no plugin")
	}
	if c.kind != cpu {
		return errors.New(c.plain)
	}
	if err := c.register(); c.plain == "" {
		return err
	}
	return errors.New(c.plain)
}

// describeKernels says which kernels the plugin has, or the error why it has none.
func (c Choice) describeKernels() (string, error) {
	return fmt.Sprintf("%s, with %s", xlakernels.What, c.vectors), c.kernels()
}
