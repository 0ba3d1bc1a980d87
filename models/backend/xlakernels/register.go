//go:build cgo && linux && amd64 && !noxla

package xlakernels

/*
#cgo CFLAGS: -O3 -Wall
#cgo LDFLAGS: -ldl -lm -lpthread
#include <stdlib.h>
#include "handlers.h"
#include "shim.h"
*/
import "C"

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"unsafe"

	"github.com/gomlx/compute"
	"github.com/gomlx/go-xla/pjrt"
)

// known has the plugins that kernels were made for, by size and by the SHA-256 of the first and the
// last mebibyte. These hold the tables of symbols and sections, so no other build has the same; to
// hash all of the 260 MB would take 0.2 s or more in every process.
var known = map[string]string{
	"259284552 9167ac5c535aa41b2fd5fbf6c82f9a3db98b45ea9f3632c19725e0b63eeaf191": "xla-cpu-pjrt 0.0.1",
}

// registered remembers what became of each path, because a process can hand in a plugin only once, and
// the options of the one that could be.
var registered = struct {
	sync.Mutex
	paths   map[string]error
	options Options
}{paths: map[string]error{}}

// Register makes go-xla use kernels and cache with the plugin at an absolute path, whenever it is opened
// by that path after this. An error says why it can't; then the plugin stays as it is. The first call
// for a path counts.
func Register(path string, o Options) error {
	registered.Lock()
	defer registered.Unlock()
	err, done := registered.paths[path]
	if !done {
		err = register(path, o)
		registered.paths[path] = err
	}
	return err
}

// served is the options of the plugin that was registered.
func served() Options {
	registered.Lock()
	defer registered.Unlock()
	return registered.options
}

// Serve says whether kernels serve the programs of a backend.
func Serve(b compute.Backend) bool {
	plugin, ok := b.(interface{ PluginName() string })
	if !ok {
		return false
	}
	registered.Lock()
	defer registered.Unlock()
	err, done := registered.paths[plugin.PluginName()]
	return done && err == nil && registered.options.Kernels != None
}

func register(path string, o Options) error {
	build, err := isKnown(path)
	if err != nil {
		return err
	}
	o.Machine += "\n" + build
	name := C.CString(path)
	defer C.free(unsafe.Pointer(name))
	var problem [512]C.char
	api := C.mcvd_shim(name, C.int(o.Kernels), &problem[0], C.size_t(len(problem)))
	if api == nil {
		return errors.New(C.GoString(&problem[0]))
	}
	registered.options = o
	// go-xla first looks among the plugins that it has, by the name that it is given: the path.
	return pjrt.RegisterPreloadedPlugin(path, uintptr(api))
}

// isKnown is the build of a plugin that is known, and an error for any other.
func isKnown(path string) (build string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	const end = 1 << 20
	h := sha256.New()
	for _, at := range []int64{0, max(0, info.Size()-end)} {
		if _, err := io.Copy(h, io.NewSectionReader(f, at, end)); err != nil {
			return "", err
		}
	}
	build = fmt.Sprintf("%d %x", info.Size(), h.Sum(nil))
	if known[build] == "" {
		return "", errors.New("another plugin than xla-cpu-pjrt 0.0.1, for which they were made")
	}
	return build, nil
}

// twist changes what XLA is given, in tests.
var twist func(program []byte) []byte

//export mcvdRewrite
func mcvdRewrite(code *C.char, size C.size_t, rewritten *C.size_t) (text *C.char) {
	defer func() {
		if r := recover(); r != nil { // a panic would end the process, because C code called this
			refuse(fmt.Sprint("rewriting it: ", r))
			text = nil
		}
	}()
	if served().Kernels == None {
		return nil
	}
	out := Rewrite(unsafe.Slice((*byte)(unsafe.Pointer(code)), int(size)))
	if out == nil {
		return nil
	}
	if twist != nil {
		out = twist(out)
	}
	*rewritten = C.size_t(len(out))
	return (*C.char)(C.CBytes(out))
}

//export mcvdRefused
func mcvdRefused(message *C.char, size C.size_t) { refuse(C.GoStringN(message, C.int(size))) }

// useVectors changes the kernels that run, in tests; it says if the processor can.
func useVectors(v Vectors) bool { return C.use_vectors(C.int(v)) == 0 }
