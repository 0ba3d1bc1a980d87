//go:build cgo && linux

package devices

/*
#include <malloc.h>

static void give_back(void) {
#ifdef __GLIBC__
	malloc_trim(0);
#endif
}
*/
import "C"

// giveBack gives memory that C's allocator holds, and nobody uses, back to the system. XLA compiles in
// many threads, each of which takes memory from a heap of its own; the allocator keeps what is freed in
// the middle of them. A training whose samples compile their programs again and again would grow by 20 MB
// each time.
func giveBack() { C.give_back() }
