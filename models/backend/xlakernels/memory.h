#include <stddef.h>

// take is memory of at least so many bytes, at a multiple of 4096 bytes, or NULL. give keeps it for the
// next that takes as much, because new memory is pages that the system clears first. What is held
// exceeds the most that was taken at one time by at most a quarter and 16 MiB, and by what blocks in use
// have more than was asked for: at most a quarter and 256 KiB each.
void *take(size_t bytes);

// give takes back what take gave. It returns -1 if take did not give it.
int give(void *);

// keep_memory of a library, a handle of dlopen, makes its large arrays come from take: it changes where
// the library's own calls of aligned_alloc, posix_memalign and free lead. It returns -1 if they can't be
// found.
int keep_memory(void *library);

// memory_counts are how often take was called, how often it asked the system for memory, and the bytes
// that are held, that are taken, and the most that were taken at one time.
typedef struct { size_t takes, maps, held, taken, most; } memory_counts;
memory_counts count_memory(void);

// limit_memory lets take fail for more than so many bytes; 0 is no limit. It is for tests.
void limit_memory(size_t bytes);
