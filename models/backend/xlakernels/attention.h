// Attention of every pixel to every other, and its gradient. A thread has all of a head, and of its
// queries some at a time, so that their weights stay in the cache.
#include "kernels.h"
#include "vector.h"
#include "product.h"
#include "exponential.h"

enum {
  queries = 24, // at a time: a multiple of the rows of a product's block
  keys = 256,   // that are multiplied at a time
};

// of_head is where each head of an array [b,pixels,heads,d] begins; its pixels are row floats apart.
typedef struct {
  heads s;
  size_t row;
  const float *q, *k, *v, *dy;
  float *y, *dq, *dk, *dv;
} attention_job;

static size_t of_head(heads s, int number) { return ((size_t)(number / s.heads) * s.pixels * s.heads + number % s.heads) * s.d; }

// packed is the floats of an array that is packed.
static size_t packed(heads s) { return padded(s.pixels) * padded(s.d); }

INLINE float sum_of(vec v) {
  float sum = 0;
  for (int i = 0; i < LANES; i++) sum += v[i];
  return sum;
}

// weigh makes of n products of queries with keys their weights, the softmax of each row times the scale.
INLINE void weigh(heads s, int n, float scale, float *w) {
  for (int i = 0; i < n; i++) {
    float *row = w + (size_t)i * s.pixels;
    vec most = load(row), sum = {0};
    for (int p = LANES; p < s.pixels; p += LANES) most = larger(most, load(row + p));
    float top = most[0];
    for (int l = 1; l < LANES; l++) top = most[l] > top ? most[l] : top;
    for (int p = 0; p < s.pixels; p += LANES) {
      vec z = load(row + p) * scale - top * scale, e = exponential(z) + (z - z); // what is not finite stays so
      store(row + p, e);
      sum += e;
    }
    float share = 1 / sum_of(sum);
    for (int p = 0; p < s.pixels; p += LANES) store(row + p, load(row + p) * share);
  }
}

// times_packed is y [n,d] = w [n,pixels] times what is packed as panels [pixels,panel].
INLINE void times_packed(heads s, int n, const float *w, const float *with, float *y, size_t row) {
  for (int p = 0; p < s.pixels; p += keys)
    product(n, s.d, s.pixels - p < keys ? s.pixels - p : keys, w + p, s.pixels, 1, with + (size_t)p * panel, (size_t)s.pixels * panel, panel, y, row, p > 0);
}

TARGET static void attend_part(const void *data, int number, float *scratch) {
  const attention_job *j = data;
  heads s = j->s;
  size_t at = of_head(s, number), row = j->row;
  float *k = scratch, *v = k + packed(s), *w = v + packed(s);
  pack_transposed(s.pixels, s.d, j->k + at, row, k);
  pack(s.pixels, s.d, j->v + at, row, v);
  for (int i = 0; i < s.pixels; i += queries) {
    int n = s.pixels - i < queries ? s.pixels - i : queries;
    product(n, s.pixels, s.d, j->q + at + i * row, row, 1, k, (size_t)s.d * panel, panel, w, s.pixels, 0);
    weigh(s, n, 1 / sqrtf(s.d), w);
    times_packed(s, n, w, v, j->y + at + i * row, row);
  }
}

// slope makes of the adjoints dw of weights w those of the products of queries with keys.
INLINE void slope(heads s, int n, float scale, const float *w, float *dw) {
  for (int i = 0; i < n; i++) {
    const float *row = w + (size_t)i * s.pixels;
    float *d = dw + (size_t)i * s.pixels;
    vec sum = {0};
    for (int p = 0; p < s.pixels; p += LANES) sum += load(row + p) * load(d + p);
    float mean = sum_of(sum);
    for (int p = 0; p < s.pixels; p += LANES) store(d + p, load(row + p) * (load(d + p) - mean) * scale);
  }
}

TARGET static void attend_gradient_part(const void *data, int number, float *scratch) {
  const attention_job *j = data;
  heads s = j->s;
  size_t at = of_head(s, number), row = j->row, size = (size_t)queries * s.pixels;
  float *k = scratch, *kt = k + packed(s), *vt = kt + packed(s), *w = vt + packed(s), *dw = w + size, scale = 1 / sqrtf(s.d);
  pack(s.pixels, s.d, j->k + at, row, k);
  pack_transposed(s.pixels, s.d, j->k + at, row, kt);
  pack_transposed(s.pixels, s.d, j->v + at, row, vt);
  for (int i = 0; i < s.pixels; i += queries) {
    int n = s.pixels - i < queries ? s.pixels - i : queries;
    const float *q = j->q + at + i * row, *dy = j->dy + at + i * row;
    product(n, s.pixels, s.d, q, row, 1, kt, (size_t)s.d * panel, panel, w, s.pixels, 0);
    weigh(s, n, scale, w);
    product(n, s.pixels, s.d, dy, row, 1, vt, (size_t)s.d * panel, panel, dw, s.pixels, 0);
    product(s.pixels, s.d, n, w, 1, s.pixels, dy, panel, row, j->dv + at, row, i > 0);
    slope(s, n, scale, w, dw);
    times_packed(s, n, dw, k, j->dq + at + i * row, row);
    product(s.pixels, s.d, n, dw, 1, s.pixels, q, panel, row, j->dk + at, row, i > 0);
  }
}

static int attend(const pool *p, heads s, const float *q, const float *k, const float *v, float *y) {
  attention_job j = {.s = s, .row = (size_t)s.heads * s.d, .q = q, .k = k, .v = v, .y = y};
  return parallel(p, s.b * s.heads, 2 * packed(s) + (size_t)queries * s.pixels, attend_part, &j);
}

static int attend_gradient(const pool *p, heads s, const float *q, const float *k, const float *v, const float *dy, float *to) {
  size_t size = (size_t)s.b * s.pixels * s.heads * s.d;
  attention_job j = {s, (size_t)s.heads * s.d, q, k, v, dy, NULL, to, to + size, to + 2 * size};
  return parallel(p, s.b * s.heads, 3 * packed(s) + 2 * (size_t)queries * s.pixels, attend_gradient_part, &j);
}
