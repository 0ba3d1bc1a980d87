//go:build cgo && (linux || darwin)

#define _GNU_SOURCE
#include "mpi.h"

#include <dlfcn.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

// handle is what the library calls MPI_Comm, MPI_Datatype, MPI_Op or MPI_Errhandler. Open MPI's are
// pointers, MPICH's are ints. An int that is passed as a handle arrives as the same int on amd64 and
// arm64.
typedef intptr_t handle;

static struct {
  int (*Init_thread)(int *, char ***, int, int *);
  int (*Comm_rank)(handle, int *);
  int (*Comm_size)(handle, int *);
  int (*Comm_set_errhandler)(handle, handle);
  int (*Type_size)(handle, int *);
  int (*Get_library_version)(char *, int *);
  int (*Error_string)(int, char *, int *);
  int (*Iallgather)(const void *, int, handle, void *, int, handle, handle, handle *);
  int (*Ialltoall)(const void *, int, handle, void *, int, handle, handle, handle *);
  int (*Iallreduce)(const void *, void *, int, handle, handle, handle, handle *);
  int (*Ibcast)(void *, int, handle, int, handle, handle *);
  int (*Test)(handle *, int *, void *);
  int (*Isend)(const void *, int, handle, int, int, handle, handle *);
  int (*Iprobe)(int, int, handle, int *, void *);
  int (*Recv)(void *, int, handle, int, int, handle, void *);
  int (*Finalize)(void);
  int (*Abort)(handle, int);
} mpi;

static handle world, bytes_of, floats_of, sum, errors_return;
static void *in_place, *no_status;

static handle pending; // the operation that was begun last

// A rank tells each other one its notes. What is under way may not change.
enum { note_tag = 1 };
static int ranks;
static handle *telling; // by rank
static char (*told)[note_size];
static char *under_way; // 1 where telling is

static char *problem(const char *what, const char *why) {
  char *text = NULL;
  if (asprintf(&text, "%s: %s", what, why) < 0) return strdup("no memory");
  return text;
}

static char *check(const char *what, int code) {
  if (code == 0) return NULL; // MPI_SUCCESS
  char why[1024] = "unknown error"; // MPI_MAX_ERROR_STRING is 256 or 512
  int length = 0;
  if (mpi.Error_string != NULL) mpi.Error_string(code, why, &length);
  return problem(what, why);
}

char *mpi_load(const char *path) {
  void *library = dlopen(path, RTLD_NOW | RTLD_GLOBAL); // Open MPI's parts look for its symbols
  if (library == NULL) return problem("loading", dlerror());
  static const struct { const char *name; void **to; } functions[] = {
    {"MPI_Init_thread", (void **)&mpi.Init_thread}, {"MPI_Comm_rank", (void **)&mpi.Comm_rank},
    {"MPI_Comm_size", (void **)&mpi.Comm_size}, {"MPI_Comm_set_errhandler", (void **)&mpi.Comm_set_errhandler},
    {"MPI_Type_size", (void **)&mpi.Type_size}, {"MPI_Get_library_version", (void **)&mpi.Get_library_version},
    {"MPI_Error_string", (void **)&mpi.Error_string}, {"MPI_Iallgather", (void **)&mpi.Iallgather},
    {"MPI_Ialltoall", (void **)&mpi.Ialltoall}, {"MPI_Iallreduce", (void **)&mpi.Iallreduce},
    {"MPI_Ibcast", (void **)&mpi.Ibcast}, {"MPI_Test", (void **)&mpi.Test}, {"MPI_Isend", (void **)&mpi.Isend},
    {"MPI_Iprobe", (void **)&mpi.Iprobe}, {"MPI_Recv", (void **)&mpi.Recv}, {"MPI_Finalize", (void **)&mpi.Finalize},
    {"MPI_Abort", (void **)&mpi.Abort},
  };
  for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
    *functions[i].to = dlsym(library, functions[i].name);
    if (*functions[i].to == NULL) return problem("no such function", functions[i].name);
  }
  handle open_mpi = (handle)dlsym(library, "ompi_mpi_comm_world");
  if (open_mpi != 0) {
    world = open_mpi;
    bytes_of = (handle)dlsym(library, "ompi_mpi_byte");
    floats_of = (handle)dlsym(library, "ompi_mpi_float");
    sum = (handle)dlsym(library, "ompi_mpi_op_sum");
    errors_return = (handle)dlsym(library, "ompi_mpi_errors_return");
    in_place = (void *)1, no_status = NULL;
    // Its handlers of signals would run on the stacks of goroutines, which Go does not allow.
    setenv("OMPI_MCA_opal_signal", "", 1);
    setenv("PMIX_MCA_pmix_signal", "", 1);
  } else { // the binary interface that MPICH and its relatives share
    world = 0x44000000, bytes_of = 0x4c00010d, floats_of = 0x4c00040a, sum = 0x58000003, errors_return = 0x54000001;
    in_place = (void *)-1, no_status = (void *)1;
  }
  return NULL;
}

char *mpi_start(int *rank, int *size, char *name, size_t name_size) {
  enum { funneled = 1 }; // MPI_THREAD_FUNNELED: one thread makes all calls
  int provided = 0, byte = 0, number = 0, length = 0;
  char *wrong = check("MPI_Init_thread", mpi.Init_thread(NULL, NULL, funneled, &provided));
  if (wrong != NULL) return wrong;
  if (provided < funneled) return problem("MPI_Init_thread", "this library was built without threads");
  if ((wrong = check("MPI_Comm_set_errhandler", mpi.Comm_set_errhandler(world, errors_return))) != NULL) return wrong;
  // Of another library the handles could be others.
  if (mpi.Type_size(bytes_of, &byte) != 0 || mpi.Type_size(floats_of, &number) != 0 || byte != 1 || number != sizeof(float))
    return problem("this library", "its types are not those of Open MPI or MPICH");
  if ((wrong = check("MPI_Comm_rank", mpi.Comm_rank(world, rank))) != NULL) return wrong;
  if ((wrong = check("MPI_Comm_size", mpi.Comm_size(world, size))) != NULL) return wrong;
  char *version = calloc(1, 1 << 14); // MPI_MAX_LIBRARY_VERSION_STRING is 256 or 8192
  ranks = *size, telling = calloc(ranks, sizeof *telling), told = calloc(ranks, sizeof *told), under_way = calloc(ranks, 1);
  if (version == NULL || telling == NULL || told == NULL || under_way == NULL) return strdup("no memory");
  mpi.Get_library_version(version, &length);
  snprintf(name, name_size, "%s", version);
  free(version);
  return NULL;
}

char *mpi_gather(const void *send, void *recv, int bytes) {
  return check("MPI_Iallgather", mpi.Iallgather(send, bytes, bytes_of, recv, bytes, bytes_of, world, &pending));
}

char *mpi_exchange(const void *send, void *recv, int bytes) {
  return check("MPI_Ialltoall", mpi.Ialltoall(send, bytes, bytes_of, recv, bytes, bytes_of, world, &pending));
}

char *mpi_add(float *x, int values) {
  return check("MPI_Iallreduce", mpi.Iallreduce(in_place, x, values, floats_of, sum, world, &pending));
}

char *mpi_broadcast(void *x, int bytes) { return check("MPI_Ibcast", mpi.Ibcast(x, bytes, bytes_of, 0, world, &pending)); }

char *mpi_wait(int *done, int idle) {
  struct timespec began, now;
  clock_gettime(CLOCK_MONOTONIC, &began);
  do {
    char *wrong = check("MPI_Test", mpi.Test(&pending, done, no_status));
    if (wrong != NULL || *done) return wrong;
    if (idle)
      nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
    else
      sched_yield(); // ranks may share a core
    clock_gettime(CLOCK_MONOTONIC, &now);
  } while ((now.tv_sec - began.tv_sec) * 1000000000L + now.tv_nsec - began.tv_nsec < 1000000);
  return NULL;
}

char *mpi_tell(int rank, const char *note, int *sent) {
  int free = 1;
  if (under_way[rank]) {
    char *wrong = check("MPI_Test", mpi.Test(&telling[rank], &free, no_status));
    if (wrong != NULL) return wrong;
  }
  *sent = free;
  if (!free) return NULL;
  memcpy(told[rank], note, note_size);
  under_way[rank] = 1;
  return check("MPI_Isend", mpi.Isend(told[rank], note_size, bytes_of, rank, note_tag, world, &telling[rank]));
}

char *mpi_hear(int rank, char *note, int *heard) {
  char *wrong = check("MPI_Iprobe", mpi.Iprobe(rank, note_tag, world, heard, no_status));
  if (wrong != NULL || !*heard) return wrong;
  return check("MPI_Recv", mpi.Recv(note, note_size, bytes_of, rank, note_tag, world, no_status));
}

char *mpi_finish(void) { return check("MPI_Finalize", mpi.Finalize()); }

void mpi_abort(int status) { mpi.Abort(world, status); }
