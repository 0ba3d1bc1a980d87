#include "kernels.h"
#include "vector.h"

#include <string.h>

// An update by AdamW and of the average of the weights, in one pass over them. With the numbers k of
// an update,
//
//   mean    = k7 mean + k2 g
//   square  = k8 square + k3 g g
//   w       = k6 w - k4 mean / (k5 sqrt(square) + k9)
//   average = k0 average + k1 w

enum { weights_of_part = 16384 };

typedef struct {
  size_t n;
  const float *g, *k, *const *from;
  float *const *to;
} adamw_job;

// rounded keeps the compiler from adding to a product before it is rounded. So updates have the bits of
// separate operations, whatever the vectors and the compiler. The average needs that to follow PyTorch's: in
// a step it moves by less than its rounding.
INLINE vec rounded(vec product) {
  __asm__("" : "+x"(product));
  return product;
}

INLINE void adamw_vector(const float *k, const float *g, const float *const from[4], float *const to[4]) {
  vec gradient = load(g), w = load(from[0]), average = load(from[3]);
  vec mean = rounded(k[7] * load(from[1])) + rounded(k[2] * gradient);
  vec square = rounded(k[8] * load(from[2])) + rounded(k[3] * rounded(gradient * gradient));
  w = rounded(k[6] * w) - rounded(k[4] * mean) / (rounded(k[5] * root(square)) + k[9]);
  store(to[0], w);
  store(to[1], mean);
  store(to[2], square);
  store(to[3], rounded(k[0] * average) + rounded(k[1] * w));
}

TARGET static void adamw_part(const void *data, int number, float *scratch) {
  const adamw_job *j = data;
  size_t i = (size_t)number * weights_of_part, to = j->n - i < weights_of_part ? j->n : i + weights_of_part;
  for (; i + LANES <= to; i += LANES) {
    const float *from[] = {j->from[0] + i, j->from[1] + i, j->from[2] + i, j->from[3] + i};
    float *results[] = {j->to[0] + i, j->to[1] + i, j->to[2] + i, j->to[3] + i};
    adamw_vector(j->k, j->g + i, from, results);
  }
  if (i == to) return;
  float last[5][LANES] = {0}, *results[] = {last[0], last[1], last[2], last[3]};
  for (int a = 0; a < 4; a++) memcpy(last[a], j->from[a] + i, sizeof(float) * (to - i));
  memcpy(last[4], j->g + i, sizeof(float) * (to - i));
  adamw_vector(j->k, last[4], (const float *const *)results, results);
  for (int a = 0; a < 4; a++) memcpy(j->to[a] + i, last[a], sizeof(float) * (to - i));
}

static int adamw(const pool *p, size_t n, const float *g, const float *k, const float *const from[4], float *const to[4]) {
  adamw_job j = {n, g, k, from, to};
  return parallel(p, (n + weights_of_part - 1) / weights_of_part, 0, adamw_part, &j);
}
