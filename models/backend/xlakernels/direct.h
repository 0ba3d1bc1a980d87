// The 3x3 convolution of few pixels, and its gradient by the input, as the sum of nine products, one for
// each weight of the kernel. Winograd's algorithm would have four times as many weights to read.
#include "kernels.h"
#include "pointwise.h"
#include "vector.h"
#include "product.h"

#include <string.h>

enum { few_tiles = 32 }; // of 4x4 pixels: below that this is faster

// x is images in a frame of zeros, [b,h+2,w+2,c], so every weight meets as many pixels.
typedef struct {
  shape s;
  const float *x, *w, *bias, *to;
  float *y;
  int transposed;
} direct_job;

// in_frame is a new array for the images in their frame, or NULL.
static float *in_frame(shape s, const float *x) {
  size_t line = (size_t)s.w * s.c, framed = line + 2 * s.c, bytes = (size_t)s.b * (s.h + 2) * framed * sizeof(float);
  float *to = take(bytes);
  if (!to) return NULL;
  memset(to, 0, bytes);
  for (int i = 0; i < s.b * s.h; i++) memcpy(to + ((size_t)(i / s.h) * (s.h + 2) + i % s.h + 1) * framed + s.c, x + i * line, line * sizeof(float));
  return to;
}

// met is the first pixel that a weight of the kernel meets in row i of all images.
static const float *met(const direct_job *j, int i, int weight) {
  size_t row = (size_t)(i / j->s.h) * (j->s.h + 2) + i % j->s.h + weight / 3;
  return j->x + (row * (j->s.w + 2) + weight % 3) * j->s.c;
}

// direct_part is a panel of output channels, of all pixels.
TARGET static void direct_part(const void *data, int number, float *w) {
  const direct_job *j = data;
  shape s = j->s;
  size_t c = s.c, o = s.o, from = (size_t)number * panel, n = o - from < panel ? o - from : panel;
  for (int k = 0; k < 9; k++) {
    if (j->transposed) pack_transposed(n, c, j->w + (k * o + from) * c, c, w);
    else pack(c, n, j->w + k * c * o + from, o, w);
    for (int i = 0; i < s.b * s.h; i++) product(s.w, n, c, met(j, i, k), c, 1, w, c * panel, panel, j->y + (size_t)i * s.w * o + from, o, k > 0);
  }
  if (!j->bias) return;
  for (size_t p = 0; p < (size_t)s.b * s.h * s.w; p++) add_to(n, j->bias + from, j->to ? j->to + p * o + from : NULL, j->y + p * o + from);
}

static int direct(const pool *p, shape s, const float *x, const float *w, int transposed, const float *bias, const float *to, float *y) {
  float *frame = in_frame(s, x);
  if (!frame) return -1;
  direct_job j = {s, frame, w, bias, to, y, transposed};
  int failed = parallel(p, (s.o + panel - 1) / panel, (size_t)s.c * panel, direct_part, &j);
  give(frame);
  return failed;
}
