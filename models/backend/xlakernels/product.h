#pragma once
// Products of matrices, of which the 36 of Winograd's algorithm are made.

// panel is the columns of a product that are computed together; rows of them fill the registers, but for
// the two vectors of b and one of a.
enum { panel = 2 * LANES, rows = registers == 32 ? 12 : 6 };

// padded is so many columns, rounded up to whole panels.
static inline size_t padded(size_t columns) { return (columns + panel - 1) / panel * panel; }

// block is a product of m rows with so many vectors of columns. Each sum runs over k in its order,
// whatever m is, so results don't depend on how a matrix is cut into blocks.
INLINE void block(int m, int vectors, int k, const float *a, size_t a_row, size_t a_column, const float *b, size_t b_row, float *y, size_t y_row, int add) {
  vec sum[rows][2];
  UNROLL for (int r = 0; r < m; r++)
    UNROLL for (int j = 0; j < vectors; j++) sum[r][j] = add ? load(y + r * y_row + j * LANES) : (vec){0};
  for (int i = 0; i < k; i++, a += a_column, b += b_row) {
    vec of[2];
    UNROLL for (int j = 0; j < vectors; j++) of[j] = load(b + j * LANES);
    UNROLL for (int r = 0; r < m; r++) {
      vec v = splat(a[r * a_row]);
      UNROLL for (int j = 0; j < vectors; j++) sum[r][j] = fma_(v, of[j], sum[r][j]);
    }
  }
  UNROLL for (int r = 0; r < m; r++)
    UNROLL for (int j = 0; j < vectors; j++) store(y + r * y_row + j * LANES, sum[r][j]);
}

// column is a product whose y has so many vectors of columns, 1 or 2.
INLINE void column(int vectors, int m, int k, const float *a, size_t a_row, size_t a_column, const float *b, size_t b_row, float *y, size_t y_row, int add) {
  int i = 0;
  // With 6 rows at a time, the last 8 are 4 and 4, not 6 and 2: so few sums wait for one another.
#define BLOCKS(of) \
  for (; i + of <= m && !(of == 6 && m - i == 8); i += of) block(of, vectors, k, a + i * a_row, a_row, a_column, b, b_row, y + i * y_row, y_row, add)
  BLOCKS(rows);
  if (rows > 8) BLOCKS(8);
  BLOCKS(4);
  BLOCKS(2);
  BLOCKS(1);
#undef BLOCKS
}

// product is y [m,n] = a b, or with add y += a b. Element (r,k) of a is a[r*a_row + k*a_column], y has
// rows of y_row floats. b has its columns in panels, b_panel floats apart, with rows of b_row floats.
// n is a multiple of LANES.
TARGET static void product(int m, int n, int k, const float *a, size_t a_row, size_t a_column, const float *b, size_t b_panel, size_t b_row, float *y, size_t y_row, int add) {
  for (; n >= panel; n -= panel, b += b_panel, y += panel) column(2, m, k, a, a_row, a_column, b, b_row, y, y_row, add);
  if (n) column(1, m, k, a, a_row, a_column, b, b_row, y, y_row, add);
}

// pack is x [m,n], whose rows are so many floats apart, as panels [m,panel] of its columns;
// pack_transposed is its transpose, as panels [n,panel] of its rows. m and n are multiples of LANES.
INLINE void pack(size_t m, size_t n, const float *x, size_t row, float *to) {
  for (size_t i = 0; i < m; i++)
    for (size_t c = 0; c < n; c += LANES) store(to + (c / panel * m + i) * panel + c % panel, load(x + i * row + c));
}

INLINE void pack_transposed(size_t m, size_t n, const float *x, size_t row, float *to) {
  for (size_t i = 0; i < m; i += LANES)
    for (size_t c = 0; c < n; c += LANES) transpose_block(x + i * row + c, row, to + (i / panel * n + c) * panel + i % panel, panel);
}
