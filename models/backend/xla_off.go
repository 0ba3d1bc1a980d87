//go:build !cgo || !linux || noxla

package backend

// unlinked says why this program has no XLA, or is empty.
const unlinked = "this program was built without XLA, which needs Linux, cgo (CGO_ENABLED=1 and a C compiler) and no build tag noxla"

func pluginVersion(string) (string, error) { return "", Absent{unlinked} }
