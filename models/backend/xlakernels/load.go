//go:build cgo && linux && amd64 && !noxla

package xlakernels

/*
#include <stdlib.h>
*/
import "C"

import (
	"errors"
	"io/fs"
	"log/slog"
	"time"
	"unsafe"

	"mcvd/models/backend/compiled"
)

// worthKeeping is how long XLA must have compiled a program, so that its executable is kept. What is
// faster is compiled again in the time that a file takes. Tests change it.
var worthKeeping = 200 * time.Millisecond

//export mcvdWorthKeeping
func mcvdWorthKeeping() C.double {
	if served().Cache == nil {
		return 1e300 // seconds
	}
	return C.double(worthKeeping.Seconds())
}

// keyOf is the key of a program with options of compiling: everything on which its executable depends.
func keyOf(o Options, code *C.char, size C.size_t, options *C.char, optionsSize C.size_t) compiled.Key {
	return compiled.KeyOf([]byte(o.Machine), view(code, size), view(options, optionsSize))
}

// view is C's memory as bytes, for as long as the call from C lasts.
func view(p *C.char, size C.size_t) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(p)), int(size))
}

//export mcvdLoad
func mcvdLoad(code *C.char, size C.size_t, options *C.char, optionsSize C.size_t, loaded *C.size_t) *C.char {
	o := served()
	if o.Cache == nil {
		return nil
	}
	executable, err := o.Cache.Get(keyOf(o, code, size, options, optionsSize))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		lose(err.Error())
		return nil
	}
	*loaded = C.size_t(len(executable))
	return (*C.char)(C.CBytes(executable))
}

//export mcvdLoaded
func mcvdLoaded() { count(func(r *Report) { r.Loaded++ }) }

//export mcvdKeep
func mcvdKeep(code *C.char, size C.size_t, options *C.char, optionsSize C.size_t, bytes *C.char, bytesSize C.size_t) {
	o := served()
	if err := o.Cache.Put(keyOf(o, code, size, options, optionsSize), view(bytes, bytesSize)); err != nil {
		lose(err.Error())
		return
	}
	count(func(r *Report) { r.Stored++ })
}

//export mcvdLost
func mcvdLost(message *C.char, size C.size_t) { lose(C.GoStringN(message, C.int(size))) }

// lose counts an executable that can't be kept or loaded, and warns of the first: starts take longer
// than they need.
func lose(why string) {
	count(func(r *Report) {
		if r.Lost == 0 {
			slog.Warn("what XLA compiled can't be kept, or loaded again, so it compiles once more; MCVD_XLA_CACHE is another folder for it, or off", "reason", why)
		}
		r.Lost++
	})
}

func count(f func(r *Report)) {
	totals.Lock()
	defer totals.Unlock()
	f(&totals.Report)
}
