#include "kernels.h"
#include "vector.h"

#include <string.h>

// Random numbers of 32 bits by Philox4x32 with ten rounds (Salmon et al. 2011, "Parallel random numbers: as
// easy as 1, 2, 3"), bit for bit those of XLA. A vector holds LANES/4 counts of four words each, and a round
// multiplies the first and the third word of each:
//
//   (a, b, c, d) becomes (high(c m1) ^ b ^ k0, low(c m1), high(a m0) ^ d ^ k1, low(a m0))

enum { numbers_of_part = 16384, vectors_at_once = 4, numbers_at_once = vectors_at_once * LANES };

typedef struct {
  uint64_t key;
  unsigned __int128 counter;
  size_t n;
  uint32_t *y;
} random_job;

INLINE pairs all_pairs(uint64_t first, uint64_t second) {
  uint64_t v[LANES / 2] __attribute__((aligned(64)));
  UNROLL for (int i = 0; i < LANES / 2; i += 2) {
    v[i] = first;
    v[i + 1] = second;
  }
  return *(const pairs *)v;
}

INLINE words counts_from(unsigned __int128 first) {
  uint64_t v[LANES / 2] __attribute__((aligned(64)));
  UNROLL for (int i = 0; i < LANES / 2; i += 2) {
    unsigned __int128 count = first + i / 2;
    v[i] = count;
    v[i + 1] = count >> 64;
  }
  return (words) * (const pairs *)v;
}

INLINE void draw_at_once(uint64_t key, unsigned __int128 counter, uint32_t *y) {
  const words multipliers = (words)all_pairs(0xD2511F53, 0xCD9E8D57);
  uint32_t k0 = key, k1 = key >> 32;
  words x[vectors_at_once];
  UNROLL for (int i = 0; i < vectors_at_once; i++) x[i] = counts_from(counter + i * (LANES / 4));
  for (int round = 0; round < 10; round++, k0 += 0x9E3779B9, k1 += 0xBB67AE85) {
    words k = (words)all_pairs(k0, k1);
    UNROLL for (int i = 0; i < vectors_at_once; i++)
      x[i] = reverse_words(multiply_words(x[i], multipliers)) ^ (words)((pairs)x[i] >> 32) ^ k;
  }
  memcpy(y, x, sizeof x);
}

TARGET static void draw_part(const void *data, int number, float *scratch) {
  const random_job *j = data;
  size_t from = (size_t)number * numbers_of_part, to = j->n - from < numbers_of_part ? j->n : from + numbers_of_part;
  for (; from + numbers_at_once <= to; from += numbers_at_once) draw_at_once(j->key, j->counter + from / 4, j->y + from);
  if (from == to) return;
  uint32_t last[numbers_at_once];
  draw_at_once(j->key, j->counter + from / 4, last);
  memcpy(j->y + from, last, sizeof *last * (to - from));
}

static int draw(const pool *p, uint64_t key, unsigned __int128 counter, size_t n, uint32_t *y) {
  random_job j = {key, counter, n, y};
  return parallel(p, (n + numbers_of_part - 1) / numbers_of_part, 0, draw_part, &j);
}
