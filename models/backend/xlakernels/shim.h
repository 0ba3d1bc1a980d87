#include <stddef.h>
#include <stdint.h>

// mcvd_shim registers the kernels for vectors of so many floats, or with 0 none, with the plugin, a path, and returns a copy of its table of functions,
// a PJRT_Api, with compile replaced. If it can't, it returns NULL and says why in problem, so many bytes.
// It must not be called by two threads at once.
void *mcvd_shim(const char *plugin, int lanes, char *problem, size_t size);
