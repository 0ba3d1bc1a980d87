// The convolution forward, and its gradient by the input, which is one of the adjoint with the
// transposed kernel.

typedef struct {
  shape s;
  const float *x, *w, *bias, *to;
  float *u, *y; // u: the transformed kernel, [36,panels,c,panel]
  int transposed, tiles, block;
} conv_job;

// kernel_part transforms the kernel for LANES input channels.
TARGET static void kernel_part(const void *data, int number, float *scratch) {
  const conv_job *j = data;
  size_t c = j->s.c, o = j->s.o, from = (size_t)number * LANES, n = j->transposed ? LANES * o : c * o;
  const float *w = j->transposed ? scratch : j->w + from * o;
  if (j->transposed) // [9,o,c] to [9,LANES,o]
    for (size_t k = 0; k < 9; k++)
      for (size_t i = 0; i < o; i += LANES) transpose_block(j->w + (k * o + i) * c + from, c, scratch + k * n + i, o);
  for (size_t k = 0; k < LANES; k++) kernel_forward(w + k * o, n, c, o, from + k, j->u);
}

// conv_part computes a block of tiles from their pixels to their pixels, so what lies between stays
// in the cache.
TARGET static void conv_part(const void *data, int number, float *scratch) {
  const conv_job *j = data;
  shape s = j->s;
  int first = number * j->block, n = j->tiles - first < j->block ? j->tiles - first : j->block;
  size_t in = apart((size_t)j->block * s.c), out = apart((size_t)j->block * s.o);
  float *v = scratch, *m = scratch + 36 * in;
  for (int t = 0; t < n; t++) tile_input(j->x, s, first + t, v + t * s.c, in);
  for (int i = 0; i < 36; i++)
    product(n, s.o, s.c, v + i * in, s.c, 1, j->u + i * apart(s.c * padded(s.o)), (size_t)s.c * panel, panel, m + i * out, s.o, 0);
  for (int t = 0; t < n; t++) tile_output(j->y, j->bias, j->to, s, first + t, m + t * s.o, out);
}

// block_of is how many tiles a part has: a multiple of the rows of a product's block, and few enough
// that each thread has two parts.
static int block_of(int tiles, int threads) {
  int block = 48;
  while (block > 12 && (tiles + block - 1) / block < 2 * threads) block -= 12;
  return block;
}

static int conv(const pool *p, shape s, const float *x, const float *w, int transposed, const float *bias, const float *to, float *y) {
  if (s.side == 1) return pointwise(p, s, x, w, transposed, bias, to, y);
  if (tiles_of(s) < few_tiles) return direct(p, s, x, w, transposed, bias, to, y);
  float *u = take(sizeof(float) * 36 * apart(s.c * padded(s.o)));
  if (!u) return -1;
  conv_job j = {s, x, w, bias, to, u, y, transposed, tiles_of(s), block_of(tiles_of(s), p->threads)};
  pool alone = {0};
  int failed = parallel((size_t)s.c * s.o < 4096 ? &alone : p, s.c / LANES, transposed ? 9 * LANES * (size_t)s.o : 0, kernel_part, &j);
  if (!failed) failed = parallel(p, (j.tiles + j.block - 1) / j.block, 36 * (apart((size_t)j.block * s.c) + apart((size_t)j.block * s.o)), conv_part, &j);
  if (u) give(u);
  return failed;
}
