//go:build !cgo || !linux || !amd64 || noxla

package xlakernels

import (
	"errors"

	"github.com/gomlx/compute"
)

// Register says that this program has none.
func Register(string, Options) error {
	return errors.New("this program was built without them: they need cgo (a C compiler) on Linux and x86-64")
}

// Serve says whether kernels serve the programs of a backend: never.
func Serve(compute.Backend) bool { return false }
