//go:build cgo && linux && amd64 && !noxla

// The convolution forward, and its gradient by the input, which is one of the adjoint with the
// transposed kernel.
#include "kernels.h"
#include "vector.h"

typedef struct {
  shape s;
  const float *x, *w;
  float *u, *y; // u: the transformed kernel, [36,c,o]
  int tiles, block;
} job;

// transpose_block is 16x16 values of a matrix, transposed by three rounds of shuffles.
AVX512 static void transpose_block(const float *from, size_t from_row, float *to, size_t to_row) {
  __m512 r[16], t[16];
#define LOW(x, y) _mm512_castpd_ps(_mm512_unpacklo_pd(_mm512_castps_pd(x), _mm512_castps_pd(y)))
#define HIGH(x, y) _mm512_castpd_ps(_mm512_unpackhi_pd(_mm512_castps_pd(x), _mm512_castps_pd(y)))
  UNROLL for (int i = 0; i < 16; i++) r[i] = _mm512_loadu_ps(from + i * from_row);
  UNROLL for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
    t[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
  }
  UNROLL for (int i = 0; i < 16; i += 4) {
    r[i] = LOW(t[i], t[i + 2]);
    r[i + 1] = HIGH(t[i], t[i + 2]);
    r[i + 2] = LOW(t[i + 1], t[i + 3]);
    r[i + 3] = HIGH(t[i + 1], t[i + 3]);
  }
  UNROLL for (int i = 0; i < 4; i++) {
    t[i] = _mm512_shuffle_f32x4(r[i], r[i + 4], 0x88);
    t[i + 4] = _mm512_shuffle_f32x4(r[i], r[i + 4], 0xdd);
    t[i + 8] = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], 0x88);
    t[i + 12] = _mm512_shuffle_f32x4(r[i + 8], r[i + 12], 0xdd);
  }
  UNROLL for (int i = 0; i < 4; i++) {
    r[i] = _mm512_shuffle_f32x4(t[i], t[i + 8], 0x88);
    r[i + 8] = _mm512_shuffle_f32x4(t[i], t[i + 8], 0xdd);
    r[i + 4] = _mm512_shuffle_f32x4(t[i + 4], t[i + 12], 0x88);
    r[i + 12] = _mm512_shuffle_f32x4(t[i + 4], t[i + 12], 0xdd);
  }
  UNROLL for (int i = 0; i < 16; i++) _mm512_storeu_ps(to + i * to_row, r[i]);
#undef LOW
#undef HIGH
}

// transpose is w [9,o,c] as t [9,c,o].
AVX512 static void transpose(const float *w, size_t c, size_t o, float *t) {
  for (size_t k = 0; k < 9; k++)
    for (size_t j = 0; j < o; j += 16)
      for (size_t i = 0; i < c; i += 16) transpose_block(w + (k * o + j) * c + i, c, t + (k * c + i) * o + j, o);
}

// kernel_part transforms the kernel for 16 input channels.
static void kernel_part(const void *data, int number, float *scratch) {
  const job *j = data;
  size_t some = (size_t)16 * j->s.o;
  kernel_forward(j->w, (size_t)j->s.c * j->s.o, number * some, (number + 1) * some, j->u);
}

// tiles_part computes a block of tiles from their pixels to their pixels, so what lies between stays
// in the cache.
static void tiles_part(const void *data, int number, float *scratch) {
  const job *j = data;
  shape s = j->s;
  int first = number * j->block, n = j->tiles - first < j->block ? j->tiles - first : j->block;
  size_t in = (size_t)j->block * s.c, out = (size_t)j->block * s.o;
  float *v = scratch, *m = scratch + 36 * in;
  for (int t = 0; t < n; t++) tile_input(j->x, s, first + t, v + t * s.c, in);
  for (int i = 0; i < 36; i++)
    product(n, s.o, s.c, v + i * in, s.c, 1, j->u + (size_t)i * s.c * s.o, s.o, m + i * out, s.o, 0);
  for (int t = 0; t < n; t++) tile_output(j->y, s, first + t, m + t * s.o, out);
}

// block_of is how many tiles a part has: a multiple of the rows of a product's block, and few enough
// that each thread has two parts.
static int block_of(int tiles, int threads) {
  int block = 48;
  while (block > 12 && (tiles + block - 1) / block < 2 * threads) block -= 12;
  return block;
}

int kernel_conv(const pool *p, shape s, const float *x, const float *w, int transposed, float *y) {
  size_t size = (size_t)s.c * s.o;
  float *u = take(36 * size), *t = transposed ? take(9 * size) : NULL;
  int failed = -1;
  if (u && (t || !transposed)) {
    if (transposed) transpose(w, s.c, s.o, t);
    job j = {s, x, transposed ? t : w, u, y, tiles_of(s), block_of(tiles_of(s), p->threads)};
    pool alone = {0};
    failed = parallel(size < 4096 ? &alone : p, s.c / 16, 0, kernel_part, &j);
    if (!failed) failed = parallel(p, (j.tiles + j.block - 1) / j.block, 36 * (size_t)j.block * (s.c + s.o), tiles_part, &j);
  }
  give(u);
  give(t);
  return failed;
}
