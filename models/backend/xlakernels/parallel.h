#include <stddef.h>

// pool is XLA's pool of threads, as a call of a kernel sees it.
typedef struct {
  int (*schedule)(void *ctx, void (*task)(void *), void *data); // not 0: it can't; NULL: there is none
  void *ctx;
  int threads; // with the caller's
} pool;

// parallel calls part(job, number, scratch) once for each number below parts, on the caller's thread
// and those of the pool, and returns when all are done. Each thread has scratch memory of its own, of
// so many floats. What a part computes must not depend on the thread that it runs on. Returns 0, or
// -1 if memory was not to be had: then some parts did not run.
int parallel(const pool *, int parts, size_t scratch, void (*part)(const void *job, int number, float *scratch), const void *job);
