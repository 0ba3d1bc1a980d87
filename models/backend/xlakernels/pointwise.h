// The 1x1 convolution, a product for each pixel, and its gradients.
#pragma once
#include "kernels.h"
#include "vector.h"
#include "product.h"

enum {
  pixels_of_part = 48,  // of a product: a multiple of the rows of a product's block
  channels_of_part = 12, // of the gradient of the weights: as many rows
  pixels_at_once = 64,  // of that gradient: of each, a line of the cache is in use
  small_weights = 65536 // floats below which one thread packs them faster
};

typedef struct {
  size_t pixels, c, o;
  const float *x, *w, *bias, *to;
  float *panels, *y;
  int transposed;
} pointwise_job;

// pointwise_panel packs a panel of the weights, as [c,panel].
TARGET static void pointwise_panel(const void *data, int number, float *scratch) {
  const pointwise_job *j = data;
  size_t from = (size_t)number * panel, n = j->o - from < panel ? j->o - from : panel;
  float *to = j->panels + from * j->c;
  if (j->transposed) pack_transposed(n, j->c, j->w + from * j->c, j->c, to);
  else pack(j->c, n, j->w + from, j->o, to);
}

// add_to adds to n channels of a pixel a bias, and halves the sum with to: see kernels.h.
INLINE void add_to(size_t n, const float *bias, const float *to, float *y) {
  for (size_t c = 0; c < n; c += LANES) {
    vec sum = load(y + c) + load(bias + c);
    store(y + c, to ? (sum + load(to + c)) * root_half : sum);
  }
}

TARGET static void pointwise_part(const void *data, int number, float *scratch) {
  const pointwise_job *j = data;
  size_t from = (size_t)number * pixels_of_part, n = j->pixels - from < pixels_of_part ? j->pixels - from : pixels_of_part;
  product(n, j->o, j->c, j->x + from * j->c, j->c, 1, j->panels, j->c * panel, panel, j->y + from * j->o, j->o, 0);
  if (!j->bias) return;
  for (size_t p = from * j->o; p < (from + n) * j->o; p += j->o) add_to(j->o, j->bias, j->to ? j->to + p : NULL, j->y + p);
}

static int pointwise(const pool *p, shape s, const float *x, const float *w, int transposed, const float *bias, const float *to, float *y) {
  float *panels = take(sizeof(float) * s.c * padded(s.o));
  if (!panels) return -1;
  pointwise_job j = {(size_t)s.b * s.h * s.w, s.c, s.o, x, w, bias, to, panels, y, transposed};
  pool alone = {0};
  int failed = parallel((size_t)s.c * s.o < small_weights ? &alone : p, (s.o + panel - 1) / panel, 0, pointwise_panel, &j);
  if (!failed) failed = parallel(p, (j.pixels + pixels_of_part - 1) / pixels_of_part, 0, pointwise_part, &j);
  give(panels);
  return failed;
}

// pointwise_weights_part is the gradient of the weights of some input channels. As in that of 3x3
// convolutions, the order of the sum depends on the shape alone.
TARGET static void pointwise_weights_part(const void *data, int number, float *scratch) {
  const pointwise_job *j = data; // w is the adjoint
  size_t from = (size_t)number * channels_of_part, n = j->c - from < channels_of_part ? j->c - from : channels_of_part;
  for (size_t p = 0; p < j->pixels; p += pixels_at_once) {
    size_t some = j->pixels - p < pixels_at_once ? j->pixels - p : pixels_at_once;
    product(n, j->o, some, j->x + p * j->c + from, 1, j->c, j->w + p * j->o, panel, j->o, j->y + from * j->o, j->o, p > 0);
  }
}

static int pointwise_weights(const pool *p, shape s, const float *x, const float *v, float *dw) {
  pointwise_job j = {.pixels = (size_t)s.b * s.h * s.w, .c = s.c, .o = s.o, .x = x, .w = v, .y = dw};
  return parallel(p, (s.c + channels_of_part - 1) / channels_of_part, 0, pointwise_weights_part, &j);
}
