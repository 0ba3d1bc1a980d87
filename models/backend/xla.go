//go:build cgo && linux && !noxla

package backend

import (
	"fmt"

	_ "github.com/gomlx/go-xla/compute/xla" // links the XLA backend
	"github.com/gomlx/go-xla/pjrt"
)

// unlinked says why this program has no XLA, or is empty.
const unlinked = ""

// pluginVersion is the version of the interface, PJRT, that an opened plugin has.
func pluginVersion(path string) (string, error) {
	p, err := pjrt.GetPlugin(path)
	if err != nil {
		return "", err
	}
	major, minor := p.Version()
	return fmt.Sprintf("%d.%d", major, minor), nil
}
