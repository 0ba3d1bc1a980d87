//go:build cgo && linux && amd64 && !noxla

package xlakernels

// #include "memory.h"
import "C"

import "unsafe"

// What memory.c does, as tests see it.

// takeMemory is so many bytes of memory, or nil.
func takeMemory(bytes int) []byte {
	p := C.take(C.size_t(bytes))
	if p == nil {
		return nil
	}
	return unsafe.Slice((*byte)(p), bytes)
}

// giveMemory says whether the memory was taken, and gives it back.
func giveMemory(b []byte) bool { return C.give(unsafe.Pointer(&b[0])) == 0 }

// counts are those of memory.h.
type counts struct{ Takes, Maps, Held, Taken, Most int }

func memoryCounts() counts {
	c := C.count_memory()
	return counts{int(c.takes), int(c.maps), int(c.held), int(c.taken), int(c.most)}
}

// limitMemory lets kernels find no more memory at once than so many bytes; 0 is no limit.
func limitMemory(bytes int) { C.limit_memory(C.size_t(bytes)) }
