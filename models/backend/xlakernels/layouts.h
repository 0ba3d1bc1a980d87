// What is handed to a plugin and comes from it: the layouts of xla/pjrt/c/pjrt_c_api.h,
// xla/pjrt/c/pjrt_c_api_ffi_extension.h and xla/ffi/api/c_api.h at the version of the known plugin. They
// were checked against that plugin, and other versions of these headers have others. That is why only a
// known plugin gets kernels.
#pragma once
#include <stddef.h>
#include <stdint.h>

typedef struct extension { size_t struct_size; int type; struct extension *next; } extension;
typedef struct { size_t struct_size; extension *ext; int major, minor; } version;

// ---- XLA's typed FFI, by which a compiled program calls a kernel ----

enum { metadata_type = 1, uint32 = 8, uint64 = 9, float32 = 11, invalid_argument = 3, resource_exhausted = 8 };

typedef struct { size_t struct_size; extension *ext; void *ctx; void (*task)(void *); void *data; } schedule_args;
typedef struct { size_t struct_size; extension *ext; void *error; } error_destroy_args;
typedef struct { size_t struct_size; extension *ext; const char *message; int code; } error_create_args;
typedef struct {
  size_t struct_size; extension *ext; version version; void *internal;
  void *(*error_create)(error_create_args *); void *error_message; void (*error_destroy)(error_destroy_args *);
  void *handler_register, *stream_get, *type_register, *context_get, *state_set, *state_get, *allocate, *free;
  void *(*schedule)(schedule_args *);
} ffi_api;

typedef struct { size_t struct_size; extension *ext; int dtype; void *data; int64_t rank; int64_t *dims; } buffer;
typedef struct { size_t struct_size; extension *ext; int64_t size; int *types; buffer **list; } values;
typedef struct { size_t struct_size; extension *ext; int64_t size; int *types; void **names; void **list; } attributes;
typedef struct {
  size_t struct_size; extension *ext; const ffi_api *api; void *ctx; int stage;
  values args, rets; attributes attrs; void *future;
} frame;
typedef struct { extension base; struct { size_t struct_size; version version; uint32_t traits; } *metadata; } metadata_extension;

// ---- PJRT, the plugin's table of functions ----

enum { ffi_type = 5 };

typedef struct { size_t struct_size; extension *ext; void *error; const char *message; size_t size; } message_args;
typedef struct { size_t struct_size; extension *ext; void *error; } destroy_args;
typedef struct { size_t struct_size; extension *ext; char *code; size_t code_size; const char *format; size_t format_size; } program;
typedef struct {
  size_t struct_size; extension *ext; void *client; const program *program;
  const char *options; size_t options_size; void *executable;
} compile_args;
typedef struct { size_t struct_size; extension *ext; void *loaded, *executable; } get_executable_args;
typedef struct { size_t struct_size; extension *ext; void *executable; } executable_destroy_args;
typedef struct {
  size_t struct_size; extension *ext; void *executable;
  const char *bytes; size_t size; void *backing; void (*delete)(void *backing);
} serialize_args;
typedef struct {
  size_t struct_size; extension *ext; void *client; const char *bytes; size_t size; void *executable;
  const char *options; size_t options_size; // NULL: those of the executable
} load_args;
typedef struct {
  size_t struct_size; extension *ext; version version;
  void (*error_destroy)(destroy_args *); void (*error_message)(message_args *);
  void *others[18]; // PJRT_Error_GetCode to PJRT_Client_AddressableMemories
  void *(*compile)(compile_args *);
  void *others2[19]; // PJRT_Client_DefaultDeviceAssignment to PJRT_Memory_AddressableByDevices
  void *(*executable_destroy)(executable_destroy_args *);
  void *others3[8]; // PJRT_Executable_Name to PJRT_Executable_OptimizedProgram
  void *(*serialize)(serialize_args *);
  void *loaded_destroy;
  void *(*get_executable)(get_executable_args *);
  void *others4[4]; // PJRT_LoadedExecutable_AddressableDevices to PJRT_LoadedExecutable_Execute
  void *(*load)(load_args *);
} pjrt_api;

typedef struct {
  size_t struct_size; const char *name; size_t name_size; void *handler;
  const char *platform; size_t platform_size; int traits;
} register_args;
typedef struct { extension base; void *type_register, *user_data_add; void *(*register_handler)(register_args *); } ffi_extension;
