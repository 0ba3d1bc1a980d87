//go:build cgo && linux && amd64 && !noxla

// The transforms of Winograd's algorithm, 16 channels at a time. Each is made of one that works along
// one axis.
#include "winograd.h"
#include "vector.h"

INLINE void input6(v16 o[6], const v16 i[6]) { // B^T
  v16 p = i[4] - 4 * i[2], q = i[3] - 4 * i[1], r = i[4] - i[2], s = 2 * (i[3] - i[1]);
  v16 first = 4 * i[0] - 5 * i[2] + i[4], last = 4 * i[1] - 5 * i[3] + i[5];
  o[0] = first; o[1] = p + q; o[2] = p - q; o[3] = r + s; o[4] = r - s; o[5] = last;
}

INLINE void output4(v16 o[4], const v16 i[6]) { // A^T
  v16 a = i[1] + i[2], b = i[1] - i[2], c = i[3] + i[4], d = i[3] - i[4];
  o[0] = i[0] + a + c; o[1] = b + 2 * d; o[2] = a + 4 * c; o[3] = b + 8 * d + i[5];
}

INLINE void adjoint6(v16 o[6], const v16 i[4]) { // A
  v16 a = i[0] + i[2], b = i[1] + i[3], c = i[0] + 4 * i[2], d = 2 * i[1] + 8 * i[3];
  o[0] = i[0]; o[1] = a + b; o[2] = a - b; o[3] = c + d; o[4] = c - d; o[5] = i[3];
}

INLINE void kernel6(v16 o[6], const v16 i[3]) { // G
  v16 a = (i[0] + i[2]) * (-1.f / 6), b = i[1] * (1.f / 6);
  v16 c = i[0] * (1.f / 24) + i[2] * (1.f / 6), d = i[1] * (1.f / 12);
  o[0] = i[0] * 0.25f; o[1] = a - b; o[2] = a + b; o[3] = c + d; o[4] = c - d; o[5] = i[2];
}

INLINE void kernel3(v16 o[3], const v16 i[6]) { // G^T
  v16 a = (i[1] + i[2]) * (-1.f / 6), b = (i[2] - i[1]) * (1.f / 6), c = i[3] + i[4], d = i[3] - i[4];
  o[0] = i[0] * 0.25f + a + c * (1.f / 24);
  o[1] = b + d * (1.f / 12);
  o[2] = a + c * (1.f / 6) + i[5];
}

// place says where a tile lies: its image, and its first row and column of pixels.
typedef struct { size_t image; int row, column; } place;

static place place_of(shape s, int tile) {
  int across = (s.w + 3) / 4, down = (s.h + 3) / 4;
  return (place){tile / (across * down), 4 * (tile / across % down), 4 * (tile % across)};
}

AVX512 void tile_input(const float *x, shape s, int tile, float *v, size_t stride) {
  place at = place_of(s, tile);
  const float *base = x + ((at.image * s.h + at.row) * s.w + at.column) * s.c;
  ptrdiff_t row = (ptrdiff_t)s.w * s.c;
  int inside = at.column > 0 && at.column + 5 <= s.w;
  for (int c = 0; c < s.c; c += 16) {
    v16 m[6][6];
    for (int i = 0; i < 6; i++) {
      v16 q[6] = {{0}};
      int y = at.row - 1 + i;
      const float *p = base + (i - 1) * row + c;
      if (y >= 0 && y < s.h) {
        if (inside) {
          UNROLL for (int j = 0; j < 6; j++) q[j] = load(p + (j - 1) * (ptrdiff_t)s.c);
        } else {
          UNROLL for (int j = 0; j < 6; j++)
            if (at.column - 1 + j >= 0 && at.column - 1 + j < s.w) q[j] = load(p + (j - 1) * (ptrdiff_t)s.c);
        }
      }
      input6(m[i], q);
    }
    UNROLL for (int j = 0; j < 6; j++) {
      v16 q[6] = {m[0][j], m[1][j], m[2][j], m[3][j], m[4][j], m[5][j]}, z[6];
      input6(z, q);
      UNROLL for (int i = 0; i < 6; i++) *(v16 *)(v + (i * 6 + j) * stride + c) = z[i];
    }
  }
}

AVX512 void tile_adjoint(const float *y, shape s, int tile, int from, int channels, float *v, size_t stride) {
  place at = place_of(s, tile);
  const float *base = y + ((at.image * s.h + at.row) * s.w + at.column) * s.o + from;
  for (int c = 0; c < channels; c += 16) {
    v16 m[4][6];
    for (int i = 0; i < 4; i++) {
      v16 q[4] = {{0}};
      UNROLL for (int j = 0; j < 4; j++)
        if (at.row + i < s.h && at.column + j < s.w) q[j] = load(base + ((size_t)i * s.w + j) * s.o + c);
      adjoint6(m[i], q);
    }
    UNROLL for (int j = 0; j < 6; j++) {
      v16 q[4] = {m[0][j], m[1][j], m[2][j], m[3][j]}, z[6];
      adjoint6(z, q);
      UNROLL for (int i = 0; i < 6; i++) *(v16 *)(v + (i * 6 + j) * stride + c) = z[i];
    }
  }
}

AVX512 void tile_output(float *y, shape s, int tile, const float *v, size_t stride) {
  place at = place_of(s, tile);
  float *base = y + ((at.image * s.h + at.row) * s.w + at.column) * s.o;
  for (int c = 0; c < s.o; c += 16) {
    v16 m[4][6];
    UNROLL for (int j = 0; j < 6; j++) {
      v16 q[6], z[4];
      UNROLL for (int i = 0; i < 6; i++) q[i] = *(const v16 *)(v + (i * 6 + j) * stride + c);
      output4(z, q);
      UNROLL for (int i = 0; i < 4; i++) m[i][j] = z[i];
    }
    for (int i = 0; i < 4 && at.row + i < s.h; i++) {
      v16 z[4];
      output4(z, m[i]);
      UNROLL for (int j = 0; j < 4; j++)
        if (at.column + j < s.w) store(base + ((size_t)i * s.w + j) * s.o + c, z[j]);
    }
  }
}

AVX512 void kernel_forward(const float *w, size_t n, size_t from, size_t to, float *u) {
  for (size_t e = from; e < to; e += 16) {
    v16 m[3][6];
    UNROLL for (int i = 0; i < 3; i++) {
      v16 q[3] = {load(w + (3 * i) * n + e), load(w + (3 * i + 1) * n + e), load(w + (3 * i + 2) * n + e)};
      kernel6(m[i], q);
    }
    UNROLL for (int j = 0; j < 6; j++) {
      v16 q[3] = {m[0][j], m[1][j], m[2][j]}, z[6];
      kernel6(z, q);
      UNROLL for (int i = 0; i < 6; i++) *(v16 *)(u + (i * 6 + j) * n + e) = z[i];
    }
  }
}

AVX512 void kernel_backward(const float *u, int sums, size_t n, size_t from, size_t to, float *w) {
  for (size_t e = from; e < to; e += 16) {
    v16 m[3][6];
    UNROLL for (int j = 0; j < 6; j++) {
      v16 q[6], z[3];
      UNROLL for (int i = 0; i < 6; i++) {
        q[i] = *(const v16 *)(u + (i * 6 + j) * n + e);
        for (int k = 1; k < sums; k++) q[i] += *(const v16 *)(u + (k * 36 + i * 6 + j) * n + e);
      }
      kernel3(z, q);
      UNROLL for (int i = 0; i < 3; i++) m[i][j] = z[i];
    }
    UNROLL for (int i = 0; i < 3; i++) {
      v16 z[3];
      kernel3(z, m[i]);
      UNROLL for (int j = 0; j < 3; j++) store(w + (3 * i + j) * n + e, z[j]);
    }
  }
}
