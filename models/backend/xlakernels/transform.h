// The transforms of Winograd's algorithm, LANES channels at a time. Each is made of one that works along
// one axis.
//
// The points are 0, P, -P, Q, -Q and infinity, because these round least: errors are a sixth of those
// with 0, 1, -1, 2, -2.
#define P root_half
#define Q 1.41421356f // its square is 2

INLINE void input6(vec o[6], const vec i[6]) { // B^T
  vec a = i[4] - 2 * i[2], b = i[3] - 2 * i[1], c = i[4] - 0.5f * i[2], d = i[3] - 0.5f * i[1];
  o[0] = i[0] - 2.5f * i[2] + i[4];
  o[1] = a + P * b; o[2] = a - P * b; o[3] = c + Q * d; o[4] = c - Q * d;
  o[5] = i[1] - 2.5f * i[3] + i[5];
}

INLINE void output4(vec o[4], const vec i[6]) { // A^T
  vec a = i[1] + i[2], b = i[1] - i[2], c = i[3] + i[4], d = i[3] - i[4];
  o[0] = i[0] + a + c;
  o[1] = P * b + Q * d;
  o[2] = 0.5f * a + 2 * c;
  o[3] = (P / 2) * b + (2 * Q) * d + i[5];
}

INLINE void adjoint6(vec o[6], const vec i[4]) { // A
  vec a = i[0] + 0.5f * i[2], b = i[1] + 0.5f * i[3], c = i[0] + 2 * i[2], d = i[1] + 2 * i[3];
  o[0] = i[0];
  o[1] = a + P * b; o[2] = a - P * b; o[3] = c + Q * d; o[4] = c - Q * d;
  o[5] = i[3];
}

INLINE void kernel6(vec o[6], const vec i[3]) { // G
  vec a = i[0] * (-2.f / 3) - i[2] * (1.f / 3), b = i[1] * (-2 * P / 3), c = i[0] * (1.f / 6) + i[2] * (1.f / 3), d = i[1] * (Q / 6);
  o[0] = i[0];
  o[1] = a + b; o[2] = a - b; o[3] = c + d; o[4] = c - d;
  o[5] = i[2];
}

INLINE void kernel3(vec o[3], const vec i[6]) { // G^T
  vec a = i[1] + i[2], b = i[1] - i[2], c = i[3] + i[4], d = i[3] - i[4];
  o[0] = i[0] - a * (2.f / 3) + c * (1.f / 6);
  o[1] = b * (-2 * P / 3) + d * (Q / 6);
  o[2] = (c - a) * (1.f / 3) + i[5];
}

// place says where a tile lies: its image, and its first row and column of pixels.
typedef struct { size_t image; int row, column; } place;

static place place_of(shape s, int tile) {
  int across = (s.w + 3) / 4, down = (s.h + 3) / 4;
  return (place){tile / (across * down), 4 * (tile / across % down), 4 * (tile % across)};
}

// tile_input is B^T x B of a tile. Element k of the 36 has its channels at v[k*stride], here and below.
TARGET static void tile_input(const float *x, shape s, int tile, float *v, size_t stride) {
  place at = place_of(s, tile);
  const float *base = x + ((at.image * s.h + at.row) * s.w + at.column) * s.c;
  ptrdiff_t row = (ptrdiff_t)s.w * s.c;
  int inside = at.column > 0 && at.column + 5 <= s.w;
  for (int c = 0; c < s.c; c += LANES) {
    vec m[6][6];
    for (int i = 0; i < 6; i++) {
      vec q[6] = {{0}};
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
      vec q[6] = {m[0][j], m[1][j], m[2][j], m[3][j], m[4][j], m[5][j]}, z[6];
      input6(z, q);
      UNROLL for (int i = 0; i < 6; i++) *(vec *)(v + (i * 6 + j) * stride + c) = z[i];
    }
  }
}

// tile_adjoint is A y A^T of a tile, whose panels are so many floats apart.
TARGET static void tile_adjoint(const float *y, shape s, int tile, float *v, size_t stride, size_t panels) {
  place at = place_of(s, tile);
  const float *base = y + ((at.image * s.h + at.row) * s.w + at.column) * s.o;
  for (int c = 0; c < s.o; c += LANES) {
    vec m[4][6];
    for (int i = 0; i < 4; i++) {
      vec q[4] = {{0}};
      UNROLL for (int j = 0; j < 4; j++)
        if (at.row + i < s.h && at.column + j < s.w) q[j] = load(base + ((size_t)i * s.w + j) * s.o + c);
      adjoint6(m[i], q);
    }
    float *to = v + c / panel * panels + c % panel;
    UNROLL for (int j = 0; j < 6; j++) {
      vec q[4] = {m[0][j], m[1][j], m[2][j], m[3][j]}, z[6];
      adjoint6(z, q);
      UNROLL for (int i = 0; i < 6; i++) *(vec *)(to + (i * 6 + j) * stride) = z[i];
    }
  }
}

// tile_output is A^T v A, of which only what lies inside of the image is written, with bias and to: see
// kernels.h.
TARGET static void tile_output(float *y, const float *bias, const float *to, shape s, int tile, const float *v, size_t stride) {
  place at = place_of(s, tile);
  size_t base = ((at.image * s.h + at.row) * s.w + at.column) * s.o;
  for (int c = 0; c < s.o; c += LANES) {
    vec m[4][6], more = bias ? load(bias + c) : (vec){0};
    UNROLL for (int j = 0; j < 6; j++) {
      vec q[6], z[4];
      UNROLL for (int i = 0; i < 6; i++) q[i] = *(const vec *)(v + (i * 6 + j) * stride + c);
      output4(z, q);
      UNROLL for (int i = 0; i < 4; i++) m[i][j] = z[i];
    }
    for (int i = 0; i < 4 && at.row + i < s.h; i++) {
      vec z[4];
      output4(z, m[i]);
      UNROLL for (int j = 0; j < 4; j++) {
        if (at.column + j >= s.w) continue;
        size_t p = base + ((size_t)i * s.w + j) * s.o + c;
        z[j] += more;
        store(y + p, to ? (z[j] + load(to + p)) * root_half : z[j]);
      }
    }
  }
}

// kernel_forward transforms channel k of a kernel w [3,3,n], whose o values are the first of each n, and
// puts it into u [36,panels,c,panel], whose elements are apart.
TARGET static void kernel_forward(const float *w, size_t n, size_t c, size_t o, size_t k, float *u) {
  size_t size = apart(c * padded(o));
  for (size_t e = 0; e < o; e += LANES) {
    vec m[3][6];
    UNROLL for (int i = 0; i < 3; i++) {
      vec q[3] = {load(w + (3 * i) * n + e), load(w + (3 * i + 1) * n + e), load(w + (3 * i + 2) * n + e)};
      kernel6(m[i], q);
    }
    float *to = u + (e / panel * c + k) * panel + e % panel;
    UNROLL for (int j = 0; j < 6; j++) {
      vec q[3] = {m[0][j], m[1][j], m[2][j]}, z[6];
      kernel6(z, q);
      UNROLL for (int i = 0; i < 6; i++) *(vec *)(to + (i * 6 + j) * size) = z[i];
    }
  }
}

// kernel_backward is w [3,3,n] = G^T u G of u [36,n], whose elements are apart, for the elements from..to of n.
TARGET static void kernel_backward(const float *u, size_t n, size_t from, size_t to, float *w) {
  for (size_t e = from; e < to; e += LANES) {
    vec m[3][6];
    UNROLL for (int j = 0; j < 6; j++) {
      vec q[6], z[3];
      UNROLL for (int i = 0; i < 6; i++) q[i] = *(const vec *)(u + (i * 6 + j) * apart(n) + e);
      kernel3(z, q);
      UNROLL for (int i = 0; i < 3; i++) m[i][j] = z[i];
    }
    UNROLL for (int i = 0; i < 3; i++) {
      vec z[3];
      kernel3(z, m[i]);
      UNROLL for (int j = 0; j < 3; j++) store(w + (3 * i + j) * n + e, z[j]);
    }
  }
}
#undef P
#undef Q
