//go:build cgo && linux && amd64 && !noxla

// A handler gets the arrays of a call. It checks every shape, because a kernel that is given others
// would read and write anywhere.
#include "handlers.h"
#include "kernels.h"
#include "layouts.h"

#include <limits.h>

static int threads = 1;
void use_threads(int n) { threads = n; }

static const kernels *chosen = &avx2_kernels;

// The builtins ask the processor, and whether the system saves these registers.
int use_vectors(int lanes) {
  __builtin_cpu_init();
  int avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  int avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
  if (lanes == 16 ? !avx512 : !avx2) return -1;
  chosen = lanes == 16 ? &avx512_kernels : &avx2_kernels;
  return 0;
}

static int schedule(void *ctx, void (*task)(void *), void *data) {
  frame *f = ctx;
  schedule_args a = {sizeof a, NULL, f->ctx, task, data};
  void *error = f->api->schedule(&a);
  if (!error) return 0;
  error_destroy_args e = {sizeof e, NULL, error};
  f->api->error_destroy(&e);
  return 1;
}

static pool pool_of(frame *f) { return (pool){schedule, f, threads}; }

// asks_version answers XLA, which calls each handler once without arrays, for the version of the FFI.
static int asks_version(frame *f) {
  extension *e = f->ext;
  while (e && e->type != metadata_type) e = e->next;
  if (!e) return 0;
  metadata_extension *m = (metadata_extension *)e;
  m->metadata->version.major = f->api ? f->api->version.major : 0;
  m->metadata->version.minor = f->api ? f->api->version.minor : 1;
  m->metadata->traits = 0;
  return 1;
}

static void *failure(frame *f, int code, const char *message) {
  error_create_args a = {sizeof a, NULL, message, code};
  return f->api->error_create(&a);
}

static void *wrong(frame *f) { return failure(f, invalid_argument, "mcvd's kernels: these arrays are not for this kernel"); }

static void *result(frame *f, int failed) {
  return failed ? failure(f, resource_exhausted, "mcvd's kernels: out of memory; MCVD_KERNELS=off needs less of it") : NULL;
}

static int is(const buffer *b, int dtype, int rank, const int64_t *dims) {
  if (b->dtype != dtype || b->rank != rank) return 0;
  for (int i = 0; i < rank; i++)
    if (b->dims[i] != dims[i]) return 0;
  return 1;
}
#define IS(b, rank, ...) is(b, float32, rank, (const int64_t[]){__VA_ARGS__})

// size reads how many values an array has, of which there is at least one.
static int size(const buffer *b, size_t *n) {
  *n = 1;
  for (int i = 0; i < b->rank; i++)
    if (b->dims[i] < 1 || __builtin_mul_overflow(*n, (size_t)b->dims[i], n)) return 0;
  return *n <= largest;
}

// images reads the shape of [b,h,w,c], whose channels and pixels must fit.
static int images(const buffer *b, shape *s) {
  if (b->dtype != float32 || b->rank != 4) return 0;
  int64_t *d = b->dims, most = INT_MAX / 64;
  for (int i = 0; i < 4; i++)
    if (d[i] < 1 || d[i] > most) return 0;
  *s = (shape){.b = d[0], .h = d[1], .w = d[2], .c = d[3], .o = d[3]};
  return d[3] % 16 == 0 && d[1] * d[2] <= most && d[0] * (d[1] * d[2]) <= most;
}

enum form { plain, biased, transposed, weights };

// convolve's operands are images and weights, for the gradient of these images and adjoint; with a bias
// the third is that, and the fourth, if there is one, what the result is added to.
static void *convolve(frame *f, enum form form) {
  if (asks_version(f)) return NULL;
  int64_t n = f->args.size;
  if ((form == biased ? n != 3 && n != 4 : n != 2) || f->rets.size != 1) return wrong(f);
  buffer *x = f->args.list[0], *w = f->args.list[1], *y = f->rets.list[0], *out = form == weights ? w : y;
  shape s, t;
  if (!images(x, &s) || !images(out, &t)) return wrong(f);
  int fits = t.b == s.b && t.h == s.h && t.w == s.w;
  s.o = t.c;
  buffer *kernel = form == weights ? y : w;
  int k = s.side = kernel->rank == 4 && kernel->dims[0] == 1 ? 1 : 3;
  fits = fits && (form == transposed ? IS(kernel, 4, k, k, s.o, s.c) : IS(kernel, 4, k, k, s.c, s.o));
  buffer *bias = n > 2 ? f->args.list[2] : NULL, *to = n > 3 ? f->args.list[3] : NULL;
  fits = fits && (!bias || IS(bias, 1, s.o)) && (!to || IS(to, 4, s.b, s.h, s.w, s.o));
  if (!fits) return wrong(f);
  pool p = pool_of(f);
  if (form == weights) return result(f, chosen->conv_weights(&p, s, x->data, w->data, y->data));
  return result(f, chosen->conv(&p, s, x->data, w->data, form == transposed, bias ? bias->data : NULL, to ? to->data : NULL, y->data));
}
static void *conv(frame *f) { return convolve(f, plain); }
static void *conv_bias(frame *f) { return convolve(f, biased); }
static void *conv_transposed(frame *f) { return convolve(f, transposed); }
static void *conv_weights(frame *f) { return convolve(f, weights); }

// norm's operands are x, for gradients the adjoint, and coefficients, which sums(x) has none of.
static void *norm(frame *f, int sums, int silu) {
  if (asks_version(f)) return NULL;
  int64_t n = f->args.size;
  if (f->rets.size != 1 || (n != 3 && n != (sums ? 1 : 2))) return wrong(f);
  buffer *x = f->args.list[0], *v = n == 3 ? f->args.list[1] : NULL, *k = n > 1 ? f->args.list[n - 1] : NULL, *y = f->rets.list[0];
  shape s;
  if (!images(x, &s)) return wrong(f);
  int fits = sums ? IS(y, 3, s.b, 2, s.c) : IS(y, 4, s.b, s.h, s.w, s.c);
  fits = fits && (!v || IS(v, 4, s.b, s.h, s.w, s.c)) && (!k || IS(k, 3, s.b, v && !sums ? 4 : 2, s.c));
  if (!fits) return wrong(f);
  pool p = pool_of(f);
  const float *with = v ? v->data : NULL, *by = k ? k->data : NULL;
  return result(f, (sums ? chosen->sums : chosen->affine)(&p, s, silu, x->data, with, by, y->data));
}
static void *norm_sums(frame *f) { return norm(f, 1, 0); }
static void *norm_sums_silu(frame *f) { return norm(f, 1, 1); }
static void *norm_affine(frame *f) { return norm(f, 0, 0); }
static void *norm_affine_silu(frame *f) { return norm(f, 0, 1); }

// spatial's operands are x, gain, bias and coefficients.
static void *spatial(frame *f, int silu) {
  if (asks_version(f)) return NULL;
  if (f->rets.size != 1 || f->args.size != 4) return wrong(f);
  buffer **in = f->args.list, *y = f->rets.list[0];
  shape s;
  if (!images(in[0], &s) || !IS(in[3], 3, s.b, 4, s.c) || !IS(y, 4, s.b, s.h, s.w, s.c)) return wrong(f);
  for (int i = 1; i < 3; i++)
    if (!IS(in[i], 4, s.b, s.h, s.w, s.c)) return wrong(f);
  pool p = pool_of(f);
  return result(f, chosen->spatial(&p, s, silu, in[0]->data, in[1]->data, in[2]->data, in[3]->data, y->data));
}
static void *norm_spatial(frame *f) { return spatial(f, 0); }
static void *norm_spatial_silu(frame *f) { return spatial(f, 1); }

// attention's operands are q, k, v, and for the gradient the adjoint.
static void *attention(frame *f, int gradient) {
  if (asks_version(f)) return NULL;
  if (f->rets.size != 1 || f->args.size != 3 + gradient) return wrong(f);
  buffer **in = f->args.list, *y = f->rets.list[0];
  shape s;
  if (!images(in[0], &s) || s.h % 16) return wrong(f);
  for (int i = 1; i < 3 + gradient; i++)
    if (!IS(in[i], 4, s.b, s.h, s.w, s.c)) return wrong(f);
  if (!(gradient ? IS(y, 5, 3, s.b, s.h, s.w, s.c) : IS(y, 4, s.b, s.h, s.w, s.c))) return wrong(f);
  heads h = {s.b, s.h, s.w, s.c};
  pool p = pool_of(f);
  if (!gradient) return result(f, chosen->attend(&p, h, in[0]->data, in[1]->data, in[2]->data, y->data));
  return result(f, chosen->attend_gradient(&p, h, in[0]->data, in[1]->data, in[2]->data, in[3]->data, y->data));
}
static void *attention_forward(frame *f) { return attention(f, 0); }
static void *attention_gradient(frame *f) { return attention(f, 1); }

// draw's operand is the state of a generator: a key, and a number of 128 bits that counts, its lower word
// first. The results are the next state and the numbers.
static void *draw(frame *f) {
  if (asks_version(f)) return NULL;
  if (f->args.size != 1 || f->rets.size != 2) return wrong(f);
  buffer *from = f->args.list[0], *to = f->rets.list[0], *y = f->rets.list[1];
  size_t n;
  if (!is(from, uint64, 1, (const int64_t[]){3}) || !is(to, uint64, 1, (const int64_t[]){3}) || y->dtype != uint32 || !size(y, &n)) return wrong(f);
  const uint64_t *state = from->data;
  uint64_t key = state[0], *next = to->data;
  unsigned __int128 counter = (unsigned __int128)state[2] << 64 | state[1], after = counter + (n + 3) / 4;
  next[0] = key;
  next[1] = after;
  next[2] = after >> 64;
  pool p = pool_of(f);
  return result(f, chosen->random(&p, key, counter, n, y->data));
}

// adamw's operands are gradients, the numbers of an update, and weights, mean, square and average, all like the
// gradients. The results are those four.
static void *adamw(frame *f) {
  if (asks_version(f)) return NULL;
  if (f->args.size != 6 || f->rets.size != 4) return wrong(f);
  buffer **in = f->args.list, **out = f->rets.list, *g = in[0], *k = in[1];
  size_t n;
  if (g->dtype != float32 || !size(g, &n) || !IS(k, 1, adamw_numbers)) return wrong(f);
  const float *from[4];
  float *to[4];
  for (int i = 0; i < 4; i++) {
    if (!is(in[2 + i], float32, g->rank, g->dims) || !is(out[i], float32, g->rank, g->dims)) return wrong(f);
    from[i] = in[2 + i]->data;
    to[i] = out[i]->data;
  }
  pool p = pool_of(f);
  return result(f, chosen->adamw(&p, n, g->data, k->data, from, to));
}

const handler handlers[] = {
    {"mcvd_conv", conv}, {"mcvd_conv_bias", conv_bias}, {"mcvd_conv_transposed", conv_transposed}, {"mcvd_conv_weights", conv_weights},
    {"mcvd_sums", norm_sums}, {"mcvd_sums_silu", norm_sums_silu},
    {"mcvd_affine", norm_affine}, {"mcvd_affine_silu", norm_affine_silu},
    {"mcvd_spatial", norm_spatial}, {"mcvd_spatial_silu", norm_spatial_silu},
    {"mcvd_attention", attention_forward}, {"mcvd_attention_gradient", attention_gradient},
    {"mcvd_random", draw}, {"mcvd_adamw", adamw},
    {NULL, NULL},
};
