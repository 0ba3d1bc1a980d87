//go:build unix

package configs_test

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"mcvd/configs/experiment"
)

// A named pipe without a writer would make Load wait for ever.
func TestNamedPipesAreRefusedUnopened(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe.yml")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skip(err)
	}
	for name, path := range map[string]string{"itself": pipe, "as a base": write(t, "base: "+pipe+"\n"), "a device": "/dev/zero"} {
		if _, err := experiment.Load(path); err == nil || !strings.Contains(err.Error(), "not a regular file, want a configuration") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}
