#pragma once
// handlers are the kernels as XLA calls them, by the names that custom calls have. The list ends with a
// name that is NULL.
typedef struct { const char *name; void *handler; } handler;
extern const handler handlers[];

// use_threads says how many threads kernels may run on, before the first of them is called.
void use_threads(int);

// use_vectors chooses the kernels for vectors of 8 or 16 floats, AVX2 or AVX-512. It returns -1 if this
// processor has no such vectors.
int use_vectors(int lanes);
