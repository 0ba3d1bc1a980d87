// The gradient of a convolution's weights. Transformed, it is for each of the 36 elements the product
// of the inputs [C,tiles] with the adjoints [tiles,O].

enum {
  width = 128,     // output channels of a part
  depth = 48,      // tiles that are transformed at a time, so that they stay in the cache
  most_groups = 8, // of tiles
  most_sums = 1 << 23 // floats of all groups' sums
};

typedef struct {
  shape s;
  const float *x, *v;
  float *u, *dw; // u: a sum [36,c,o] for each group
  int tiles, groups, columns;
} gradient_job;

// groups_of divides the tiles for several threads. It depends on the shape alone: the sums are rounded
// in the same way on any number of threads, and a run that is resumed gets the same bits.
static int groups_of(shape s) {
  size_t groups = tiles_of(s) / 16, most = most_sums / ((size_t)36 * s.c * s.o);
  if (groups > most_groups) groups = most_groups;
  if (groups > most) groups = most;
  return groups ? (int)groups : 1;
}

// gradient_part adds up a group's tiles, for some of the output channels.
TARGET static void gradient_part(const void *data, int number, float *scratch) {
  const gradient_job *j = data;
  shape s = j->s;
  int group = number / j->columns, from = number % j->columns * width, n = s.o - from < width ? s.o - from : width;
  int first = (int)((long long)j->tiles * group / j->groups), last = (int)((long long)j->tiles * (group + 1) / j->groups);
  size_t in = (size_t)depth * s.c, out = (size_t)depth * n, size = (size_t)s.c * s.o;
  float *v = scratch, *m = scratch + 36 * in, *u = j->u + 36 * size * group + from;
  for (int at = first; at < last; at += depth) {
    int some = last - at < depth ? last - at : depth;
    for (int t = 0; t < some; t++) {
      tile_input(j->x, s, at + t, v + (size_t)t * s.c, in);
      tile_adjoint(j->v, s, at + t, from, n, m + (size_t)t * n, out);
    }
    for (int i = 0; i < 36; i++) product(s.c, n, some, v + i * in, 1, s.c, m + i * out, panel, n, u + i * size, s.o, at > first);
  }
}

// gradient_sums_part transforms the groups' sums back, for LANES input channels.
TARGET static void gradient_sums_part(const void *data, int number, float *scratch) {
  const gradient_job *j = data;
  size_t some = (size_t)LANES * j->s.o;
  kernel_backward(j->u, j->groups, (size_t)j->s.c * j->s.o, number * some, (number + 1) * some, j->dw);
}

static int conv_weights(const pool *p, shape s, const float *x, const float *v, float *dw) {
  gradient_job j = {s, x, v, NULL, dw, tiles_of(s), groups_of(s), (s.o + width - 1) / width};
  j.u = take((size_t)36 * s.c * s.o * j.groups);
  if (!j.u) return -1;
  int wide = s.o < width ? s.o : width;
  int failed = parallel(p, j.groups * j.columns, 36 * (size_t)depth * (s.c + wide), gradient_part, &j);
  if (!failed) failed = parallel(p, s.c / LANES, 0, gradient_sums_part, &j);
  give(j.u);
  return failed;
}
