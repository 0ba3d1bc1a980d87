package backend

import (
	"errors"
	"fmt"
)

// kernelsVariable switches the kernels of xlakernels off.
const kernelsVariable = "MCVD_KERNELS"

// whyNoKernels says why a plugin gets no kernels on this machine, or nothing.
func (m machine) whyNoKernels(k kind) (string, error) {
	switch value := m.env[kernelsVariable]; {
	case value != "" && value != "on" && value != "off":
		return "", fmt.Errorf("%s=%s: want on or off", kernelsVariable, value)
	case value == "off":
		return kernelsVariable + "=off", nil
	case k != cpu:
		return "they are for the CPU", nil
	case !m.avx512:
		return "the processor has no AVX-512", nil
	}
	return "", nil
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
