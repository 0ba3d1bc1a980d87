#include "kernels.h"
#include "vector.h"
#include "exponential.h"

// What a group norm with SiLU does to each pixel, and its gradient: see kernels.h.

enum { chunk = 128, small = 65536 }; // pixels of a part; values below which one thread is faster

typedef struct {
  size_t pixels, c, chunks; // of an image
  int silu;
  const float *x, *v, *k, *gain, *bias;
  float *y;
} norm_job;

INLINE vec sigmoid(vec x) { return 1.f / (1.f + exponential(-x)); }

INLINE vec silu_slope(vec z) { // of SiLU
  vec s = sigmoid(z);
  return s * (1.f + z * (1.f - s));
}

// line is the channels of a part of the sums: a line of the cache, in so many vectors.
enum { line = 16, line_vectors = line / LANES };

typedef struct { vec first[line_vectors], second[line_vectors]; } partial;

INLINE void add_pixel(partial *to, const norm_job *j, const float *x, const float *v, const float *k) {
  UNROLL for (int i = 0; i < line_vectors; i++) {
    vec e = load(x + i * LANES), g = e;
    if (j->v) {
      g = load(v + i * LANES);
      if (j->silu) g *= silu_slope(e * load(k + i * LANES) + load(k + j->c + i * LANES));
    }
    to->first[i] += j->v ? g * e : e;
    to->second[i] += j->v ? g : e * e;
  }
}

// sums_part adds up a line of channels of an image, in four sums each, which don't wait for one another.
TARGET static void sums_part(const void *data, int number, float *scratch) {
  const norm_job *j = data;
  size_t c = j->c, image = number / (c / line), at = number % (c / line) * line, first = image * j->pixels * c + at;
  const float *x = j->x + first, *v = j->v ? j->v + first : NULL, *k = j->k ? j->k + image * 2 * c + at : NULL;
  partial sum[4] = {0};
  size_t p = 0;
  for (; p + 4 <= j->pixels; p += 4)
    UNROLL for (size_t q = 0; q < 4; q++) add_pixel(&sum[q], j, x + (p + q) * c, v ? v + (p + q) * c : NULL, k);
  for (; p < j->pixels; p++) add_pixel(&sum[p & 3], j, x + p * c, v ? v + p * c : NULL, k);
  float *y = j->y + image * 2 * c + at;
  UNROLL for (int i = 0; i < line_vectors; i++) {
    store(y + i * LANES, (sum[0].first[i] + sum[1].first[i]) + (sum[2].first[i] + sum[3].first[i]));
    store(y + c + i * LANES, (sum[0].second[i] + sum[1].second[i]) + (sum[2].second[i] + sum[3].second[i]));
  }
}

TARGET static void forward_pixel(const norm_job *j, const float *x, const float *k, float *y) {
  for (size_t i = 0; i < j->c; i += LANES) {
    vec z = load(x + i) * load(k + i) + load(k + j->c + i);
    store(y + i, j->silu ? z * sigmoid(z) : z);
  }
}

TARGET static void backward_pixel(const norm_job *j, const float *x, const float *v, const float *k, float *y) {
  size_t c = j->c;
  for (size_t i = 0; i < c; i += LANES) {
    vec e = load(x + i), k0 = load(k + i), g = load(v + i);
    if (j->silu) g *= silu_slope(e * k0 + load(k + c + i));
    store(y + i, g * k0 + load(k + 2 * c + i) + e * load(k + 3 * c + i));
  }
}

TARGET static void spatial_pixel(const norm_job *j, const float *x, const float *gain, const float *bias, const float *k, float *y) {
  size_t c = j->c;
  for (size_t i = 0; i < c; i += LANES) {
    vec z = (load(x + i) * load(k + i) + load(k + c + i)) * load(gain + i) + load(bias + i);
    z = z * load(k + 2 * c + i) + load(k + 3 * c + i);
    store(y + i, j->silu ? z * sigmoid(z) : z);
  }
}

static void affine_part(const void *data, int number, float *scratch) {
  const norm_job *j = data;
  size_t image = number / j->chunks, from = number % j->chunks * chunk;
  size_t to = from + chunk < j->pixels ? from + chunk : j->pixels;
  const float *k = j->k + image * (j->v || j->gain ? 4 : 2) * j->c;
  for (size_t p = image * j->pixels + from; p < image * j->pixels + to; p++) {
    size_t at = p * j->c;
    if (j->gain) spatial_pixel(j, j->x + at, j->gain + at, j->bias + at, k, j->y + at);
    else if (j->v) backward_pixel(j, j->x + at, j->v + at, k, j->y + at);
    else forward_pixel(j, j->x + at, k, j->y + at);
  }
}

static int each(const pool *p, shape s, int parts, void (*part)(const void *, int, float *), const norm_job *j) {
  pool alone = {0};
  return parallel((size_t)s.b * j->pixels * j->c < small ? &alone : p, parts, 0, part, j);
}

static norm_job norm_job_of(shape s, int silu, const float *x, const float *v, const float *k, float *y) {
  size_t pixels = (size_t)s.h * s.w;
  return (norm_job){.pixels = pixels, .c = s.c, .chunks = (pixels + chunk - 1) / chunk, .silu = silu, .x = x, .v = v, .k = k, .y = y};
}

static int sums(const pool *p, shape s, int silu, const float *x, const float *v, const float *k, float *y) {
  norm_job j = norm_job_of(s, silu, x, v, k, y);
  return each(p, s, s.b * (s.c / line), sums_part, &j);
}

static int affine(const pool *p, shape s, int silu, const float *x, const float *v, const float *k, float *y) {
  norm_job j = norm_job_of(s, silu, x, v, k, y);
  return each(p, s, s.b * (int)j.chunks, affine_part, &j);
}

static int spatial(const pool *p, shape s, int silu, const float *x, const float *gain, const float *bias, const float *k, float *y) {
  norm_job j = norm_job_of(s, silu, x, NULL, k, y);
  j.gain = gain;
  j.bias = bias;
  return each(p, s, s.b * (int)j.chunks, affine_part, &j);
}
