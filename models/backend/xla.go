//go:build cgo && linux && !noxla

package backend

import _ "github.com/gomlx/go-xla/compute/xla" // links the XLA backend

// unlinked says why this program has no XLA, or is empty.
const unlinked = ""
