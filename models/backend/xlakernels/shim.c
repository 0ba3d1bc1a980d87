//go:build cgo && linux && amd64 && !noxla

// The copy of the plugin's table of functions, in which one function is replaced: the one that compiles.
#define _GNU_SOURCE
#include "shim.h"
#include "handlers.h"
#include "layouts.h"
#include "load.h"
#include "memory.h"
#include "_cgo_export.h"

#include <dlfcn.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(offsetof(pjrt_api, compile) == 5 * 8 + 20 * 8, "PJRT_Client_Compile is the 21st function");

static pjrt_api *original, *copy;

// refused tells Go what XLA said, and frees it.
static void refused(void *error) {
  message_args m = {sizeof m, NULL, error, NULL, 0};
  original->error_message(&m);
  mcvdRefused((char *)m.message, m.size);
  destroy_args d = {sizeof d, NULL, error};
  original->error_destroy(&d);
}

// compile compiles the rewritten program. If XLA refuses it, the plain one is compiled.
static void *compile(compile_args *a) {
  const program *p = a->program;
  if (p->format_size != 4 || memcmp(p->format, "mlir", 4)) return compile_or_load(original, a);
  size_t size = 0;
  char *code = mcvdRewrite(p->code, p->code_size, &size);
  if (!code) return compile_or_load(original, a);
  program rewritten = *p;
  rewritten.code = code;
  rewritten.code_size = size;
  compile_args b = *a;
  b.program = &rewritten;
  void *error = compile_or_load(original, &b);
  free(code);
  if (error) {
    refused(error);
    return compile_or_load(original, a);
  }
  a->executable = b.executable;
  return NULL;
}

static int register_handlers(pjrt_api *p, char *problem, size_t size) {
  extension *e = p->ext;
  while (e && e->type != ffi_type) e = e->next;
  if (!e) return snprintf(problem, size, "the plugin has no FFI extension"), -1;
  for (const handler *h = handlers; h->name; h++) {
    register_args a = {sizeof a, h->name, strlen(h->name), h->handler, "Host", 4, 0};
    void *error = ((ffi_extension *)e)->register_handler(&a);
    if (!error) continue;
    message_args m = {sizeof m, NULL, error, NULL, 0};
    p->error_message(&m);
    snprintf(problem, size, "the plugin refuses %s: %.*s", h->name, (int)m.size, m.message);
    destroy_args d = {sizeof d, NULL, error};
    p->error_destroy(&d);
    return -1;
  }
  return 0;
}

void *mcvd_shim(const char *plugin, int lanes, char *problem, size_t size) {
  if (lanes && use_vectors(lanes)) return snprintf(problem, size, "the processor has no vectors of %d floats", lanes), NULL;
  void *library = dlopen(plugin, RTLD_NOW | RTLD_LOCAL);
  if (!library) return snprintf(problem, size, "%s", dlerror()), NULL;
  pjrt_api *(*get)(void) = (pjrt_api * (*)(void)) dlsym(library, "GetPjrtApi");
  if (!get) return snprintf(problem, size, "the plugin has no GetPjrtApi"), NULL;
  pjrt_api *p = get();
  if (original == p) return copy; // by another path
  if (original) return snprintf(problem, size, "another plugin of this process has them"), NULL;
  if (p->struct_size < sizeof *p || p->version.major != 0 || p->version.minor != 81)
    return snprintf(problem, size, "the plugin has PJRT %d.%d, want 0.81", p->version.major, p->version.minor), NULL;
  cpu_set_t set;
  use_threads(sched_getaffinity(0, sizeof set, &set) ? 1 : CPU_COUNT(&set));
  if (lanes && register_handlers(p, problem, size)) return NULL;
  if (lanes && keep_memory(library)) return snprintf(problem, size, "the plugin doesn't allocate memory as was expected"), NULL;
  // go-xla's header is newer than the plugin's: what it reads beyond the plugin's table is NULL.
  pjrt_api *table = calloc(1, p->struct_size + 4096);
  if (!table) return snprintf(problem, size, "out of memory"), NULL;
  memcpy(table, p, p->struct_size);
  table->compile = compile;
  original = p;
  return copy = table;
}
