//go:build cgo && linux && amd64 && !noxla

#include "winograd.h"
#include "vector.h"

// block is a product of so many rows with 32 columns: with 12 rows, sums fill 24 of the 32 registers.
// Each sum runs over k in its order, whatever the number of rows, so results don't depend on how a
// matrix is cut into blocks.
INLINE void block(int rows, int k, const float *a, size_t a_row, size_t a_column, const float *b, size_t b_stride, float *y, size_t y_stride, int add) {
  v16 left[12], right[12];
  UNROLL for (int r = 0; r < rows; r++) {
    left[r] = add ? *(v16 *)(y + r * y_stride) : (v16){0};
    right[r] = add ? *(v16 *)(y + r * y_stride + 16) : (v16){0};
  }
  for (int i = 0; i < k; i++, a += a_column, b += b_stride) {
    v16 b0 = *(const v16 *)b, b1 = *(const v16 *)(b + 16);
    UNROLL for (int r = 0; r < rows; r++) {
      v16 v = (v16)_mm512_set1_ps(a[r * a_row]);
      left[r] = (v16)_mm512_fmadd_ps((__m512)v, (__m512)b0, (__m512)left[r]);
      right[r] = (v16)_mm512_fmadd_ps((__m512)v, (__m512)b1, (__m512)right[r]);
    }
  }
  UNROLL for (int r = 0; r < rows; r++) {
    *(v16 *)(y + r * y_stride) = left[r];
    *(v16 *)(y + r * y_stride + 16) = right[r];
  }
}

AVX512 void product(int m, int n, int k, const float *a, size_t rows, size_t columns, const float *b, size_t b_stride, float *y, size_t y_stride, int add) {
  for (int j = 0; j < n; j += 32) {
    int i = 0;
    for (; i + 12 <= m; i += 12) block(12, k, a + i * rows, rows, columns, b + j, b_stride, y + i * y_stride + j, y_stride, add);
    for (; i + 8 <= m; i += 8) block(8, k, a + i * rows, rows, columns, b + j, b_stride, y + i * y_stride + j, y_stride, add);
    for (; i + 4 <= m; i += 4) block(4, k, a + i * rows, rows, columns, b + j, b_stride, y + i * y_stride + j, y_stride, add);
    for (; i < m; i++) block(1, k, a + i * rows, rows, columns, b + j, b_stride, y + i * y_stride + j, y_stride, add);
  }
}
