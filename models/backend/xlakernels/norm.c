//go:build cgo && linux && amd64 && !noxla

// What a group norm with SiLU does to each pixel, and its gradient: see kernels.h.
#include "kernels.h"
#include "vector.h"

enum { chunk = 128, small = 65536 }; // pixels of a part; values below which one thread is faster

typedef struct {
  size_t pixels, c, chunks; // of an image
  int silu;
  const float *x, *v, *k;
  float *y;
} job;

// exp16 is e^x by x = n ln 2 + r and a polynomial in r (Cephes), to 2 units in the last place. It is kept
// between e^-87 and e^88. Beyond these, the sigmoid is 1 in float32, or less than 1e-38.
INLINE v16 exp16(v16 x) {
  __m512 v = _mm512_max_ps(_mm512_min_ps((__m512)x, _mm512_set1_ps(88.f)), _mm512_set1_ps(-87.f));
  __m512 n = _mm512_roundscale_ps(_mm512_mul_ps(v, _mm512_set1_ps(1.44269504088896341f)), 8);
  __m512 r = _mm512_fnmadd_ps(n, _mm512_set1_ps(0.693359375f), v); // ln 2 in two parts
  r = _mm512_fnmadd_ps(n, _mm512_set1_ps(-2.12194440e-4f), r);
  __m512 p = _mm512_set1_ps(1.9875691500e-4f);
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.3981999507e-3f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(8.3334519073e-3f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(4.1665795894e-2f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.6666665459e-1f));
  p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(5.0000001201e-1f));
  p = _mm512_add_ps(_mm512_fmadd_ps(p, _mm512_mul_ps(r, r), r), _mm512_set1_ps(1.f));
  return (v16)_mm512_scalef_ps(p, n);
}

INLINE v16 sigmoid16(v16 x) { return 1.f / (1.f + exp16(-x)); }

INLINE v16 slope16(v16 z) { // of SiLU
  v16 s = sigmoid16(z);
  return s * (1.f + z * (1.f - s));
}

// sums_part adds up 16 channels of an image, in four sums each, which don't wait for one another.
AVX512 static void sums_part(const void *data, int number, float *scratch) {
  const job *j = data;
  size_t c = j->c, image = number / (c / 16), at = number % (c / 16) * 16;
  const float *x = j->x + image * j->pixels * c + at;
  v16 first[4] = {{0}}, second[4] = {{0}};
  if (!j->v) {
    for (size_t p = 0; p < j->pixels; p++) {
      v16 e = load(x + p * c);
      first[p & 3] += e;
      second[p & 3] += e * e;
    }
  } else {
    const float *v = j->v + image * j->pixels * c + at, *k = j->k + image * 2 * c + at;
    v16 k0 = load(k), k1 = load(k + c);
    for (size_t p = 0; p < j->pixels; p++) {
      v16 e = load(x + p * c), g = load(v + p * c);
      if (j->silu) g *= slope16(e * k0 + k1);
      first[p & 3] += g * e;
      second[p & 3] += g;
    }
  }
  store(j->y + image * 2 * c + at, (first[0] + first[1]) + (first[2] + first[3]));
  store(j->y + image * 2 * c + c + at, (second[0] + second[1]) + (second[2] + second[3]));
}

AVX512 static void forward_pixel(const job *j, const float *x, const float *k, float *y) {
  for (size_t i = 0; i < j->c; i += 16) {
    v16 z = load(x + i) * load(k + i) + load(k + j->c + i);
    store(y + i, j->silu ? z * sigmoid16(z) : z);
  }
}

AVX512 static void backward_pixel(const job *j, const float *x, const float *v, const float *k, float *y) {
  size_t c = j->c;
  for (size_t i = 0; i < c; i += 16) {
    v16 e = load(x + i), k0 = load(k + i), g = load(v + i);
    if (j->silu) g *= slope16(e * k0 + load(k + c + i));
    store(y + i, g * k0 + load(k + 2 * c + i) + e * load(k + 3 * c + i));
  }
}

static void affine_part(const void *data, int number, float *scratch) {
  const job *j = data;
  size_t image = number / j->chunks, from = number % j->chunks * chunk;
  size_t to = from + chunk < j->pixels ? from + chunk : j->pixels;
  const float *k = j->k + image * (j->v ? 4 : 2) * j->c;
  for (size_t p = image * j->pixels + from; p < image * j->pixels + to; p++) {
    size_t at = p * j->c;
    if (j->v) backward_pixel(j, j->x + at, j->v + at, k, j->y + at);
    else forward_pixel(j, j->x + at, k, j->y + at);
  }
}

static int each(const pool *p, shape s, int parts, void (*part)(const void *, int, float *), const job *j) {
  pool alone = {0};
  return parallel((size_t)s.b * j->pixels * j->c < small ? &alone : p, parts, 0, part, j);
}

static job job_of(shape s, int silu, const float *x, const float *v, const float *k, float *y) {
  size_t pixels = (size_t)s.h * s.w;
  return (job){pixels, s.c, (pixels + chunk - 1) / chunk, silu, x, v, k, y};
}

int kernel_sums(const pool *p, shape s, int silu, const float *x, const float *v, const float *k, float *y) {
  job j = job_of(s, silu, x, v, k, y);
  return each(p, s, s.b * (s.c / 16), sums_part, &j);
}

int kernel_affine(const pool *p, shape s, int silu, const float *x, const float *v, const float *k, float *y) {
  job j = job_of(s, silu, x, v, k, y);
  return each(p, s, s.b * (int)j.chunks, affine_part, &j);
}
