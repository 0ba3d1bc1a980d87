#include "kernels.h"
#include "vector.h"

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

TARGET static void adamw_part(const void *data, int number, float *scratch) {
  const adamw_job *j = data;
  size_t from = (size_t)number * weights_of_part, to = j->n - from < weights_of_part ? j->n : from + weights_of_part, i = from;
  const float *w = j->from[0], *mean = j->from[1], *square = j->from[2], *average = j->from[3], *k = j->k;
  for (; i + LANES <= to; i += LANES) {
    vec g = load(j->g + i), m = k[7] * load(mean + i) + k[2] * g, s = k[8] * load(square + i) + k[3] * (g * g);
    vec new = k[6] * load(w + i) - k[4] * m / (k[5] * root(s) + k[9]);
    store(j->to[0] + i, new);
    store(j->to[1] + i, m);
    store(j->to[2] + i, s);
    store(j->to[3] + i, k[0] * load(average + i) + k[1] * new);
  }
  for (; i < to; i++) {
    float g = j->g[i], m = k[7] * mean[i] + k[2] * g, s = k[8] * square[i] + k[3] * (g * g);
    float new = k[6] * w[i] - k[4] * m / (k[5] * sqrtf(s) + k[9]);
    j->to[0][i] = new;
    j->to[1][i] = m;
    j->to[2][i] = s;
    j->to[3][i] = k[0] * average[i] + k[1] * new;
  }
}

static int adamw(const pool *p, size_t n, const float *g, const float *k, const float *const from[4], float *const to[4]) {
  adamw_job j = {n, g, k, from, to};
  return parallel(p, (n + weights_of_part - 1) / weights_of_part, 0, adamw_part, &j);
}
