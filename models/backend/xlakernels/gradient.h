// The gradient of a convolution's weights. Transformed, it is for each of the 36 elements the product
// of the inputs [C,tiles] with the adjoints [tiles,O].

enum {
  most_values = 1 << 19, // of transformed tiles at a time: they should stay in the cache
  least_tiles = 128,     // at a time nevertheless: each time, all sums are read and written
  tiles_of_part = 4,     // that are transformed together
  depth = 128,           // tiles that are multiplied together, which should stay in the nearest cache
  width = 128,           // output channels of a part of a product
};

// Of some tiles from the first on, in is [36,some,c] and out [36,panels,some,panel]; u is the sum
// [36,c,o] of the products. The 36 elements of each are apart.
typedef struct {
  shape s;
  const float *x, *v;
  float *in, *out, *u, *dw;
  int first, some;
} gradient_job;

TARGET static void gradient_tiles_part(const void *data, int number, float *scratch) {
  const gradient_job *j = data;
  shape s = j->s;
  int from = number * tiles_of_part, to = from + tiles_of_part < j->some ? from + tiles_of_part : j->some;
  for (int t = from; t < to; t++) {
    tile_input(j->x, s, j->first + t, j->in + (size_t)t * s.c, apart((size_t)j->some * s.c));
    tile_adjoint(j->v, s, j->first + t, j->out + (size_t)t * panel, apart(j->some * padded(s.o)), (size_t)j->some * panel);
  }
}

// gradient_product_part adds up the tiles of one element, for some of the output channels. The order of
// the sum depends on the shape alone: a run that is resumed with another number of threads gets the same
// bits.
TARGET static void gradient_product_part(const void *data, int number, float *scratch) {
  const gradient_job *j = data;
  size_t c = j->s.c, o = j->s.o, some = j->some, i = number % 36, from = number / 36 * width;
  size_t n = o - from < width ? o - from : width;
  for (size_t t = 0; t < some; t += depth)
    product(c, n, some - t < depth ? some - t : depth, j->in + i * apart(some * c) + t * c, 1, c, j->out + i * apart(some * padded(o)) + from * some + t * panel,
            some * panel, panel, j->u + i * apart(c * o) + from, o, j->first || t);
}

// gradient_weights_part transforms the sum back, for LANES input channels.
TARGET static void gradient_weights_part(const void *data, int number, float *scratch) {
  const gradient_job *j = data;
  size_t n = (size_t)LANES * j->s.o;
  kernel_backward(j->u, (size_t)j->s.c * j->s.o, number * n, (number + 1) * n, j->dw);
}

static int conv_weights(const pool *p, shape s, const float *x, const float *v, float *dw) {
  if (s.side == 1) return pointwise_weights(p, s, x, v, dw);
  size_t of_tile = 36 * (s.c + padded(s.o)), most = most_values / of_tile;
  if (most < least_tiles) most = least_tiles;
  int tiles = tiles_of(s), turns = (tiles + most - 1) / most, some = (tiles + turns - 1) / turns;
  size_t inputs = 36 * apart((size_t)some * s.c);
  float *in = take(sizeof(float) * (inputs + 36 * apart(some * padded(s.o)))), *u = take(sizeof(float) * 36 * apart((size_t)s.c * s.o));
  int failed = in && u ? 0 : -1;
  gradient_job j = {s, x, v, in, in + inputs, u, dw, 0, some};
  for (; !failed && j.first < tiles; j.first += some) {
    if (tiles - j.first < some) j.some = tiles - j.first;
    failed = parallel(p, (j.some + tiles_of_part - 1) / tiles_of_part, 0, gradient_tiles_part, &j);
    if (!failed) failed = parallel(p, 36 * ((s.o + width - 1) / width), 0, gradient_product_part, &j);
  }
  if (!failed) failed = parallel(p, s.c / LANES, 0, gradient_weights_part, &j);
  if (in) give(in);
  if (u) give(u);
  return failed;
}
