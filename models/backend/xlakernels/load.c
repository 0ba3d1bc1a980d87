//go:build cgo && linux && amd64 && !noxla

// Compiling a program, unless Go has its executable from an earlier time.
#include "load.h"
#include "_cgo_export.h"

#include <stdlib.h>
#include <time.h>

_Static_assert(offsetof(pjrt_api, serialize) == 5 * 8 + 49 * 8, "PJRT_Executable_Serialize is the 50th function");
_Static_assert(offsetof(pjrt_api, load) == 5 * 8 + 56 * 8, "PJRT_Executable_DeserializeAndLoad is the 57th function");

// lost tells Go that an executable can't be kept or loaded, and frees the error that says why.
static void lost(pjrt_api *p, void *error) {
  message_args m = {sizeof m, NULL, error, NULL, 0};
  p->error_message(&m);
  mcvdLost((char *)m.message, m.size);
  destroy_args d = {sizeof d, NULL, error};
  p->error_destroy(&d);
}

// keep hands Go the executable of a program that was compiled. Its bytes are the plugin's, and are given
// back here.
static void keep(pjrt_api *p, compile_args *a) {
  get_executable_args g = {sizeof g, NULL, a->executable, NULL};
  void *error = p->get_executable(&g);
  if (error) return lost(p, error);
  serialize_args s = {sizeof s, NULL, g.executable, NULL, 0, NULL, NULL};
  error = p->serialize(&s);
  if (error) {
    lost(p, error);
  } else {
    mcvdKeep(a->program->code, a->program->code_size, (char *)a->options, a->options_size, (char *)s.bytes, s.size);
    s.delete(s.backing);
  }
  executable_destroy_args d = {sizeof d, NULL, g.executable};
  error = p->executable_destroy(&d);
  if (error) lost(p, error);
}

static double seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + 1e-9 * t.tv_nsec;
}

void *compile_or_load(pjrt_api *p, compile_args *a) {
  size_t size = 0;
  char *bytes = mcvdLoad(a->program->code, a->program->code_size, (char *)a->options, a->options_size, &size);
  if (bytes) {
    load_args l = {sizeof l, NULL, a->client, bytes, size, NULL, NULL, 0};
    void *error = p->load(&l);
    free(bytes);
    if (!error) {
      a->executable = l.executable;
      mcvdLoaded();
      return NULL;
    }
    lost(p, error);
  }
  double before = seconds();
  void *error = p->compile(a);
  if (!error && seconds() - before >= mcvdWorthKeeping()) keep(p, a);
  return error;
}
