// The kernels. Arrays are row-major float32. Each returns 0, or -1 if memory was not to be had.
#pragma once
#include "memory.h"
#include "parallel.h"

#include <stdint.h>

// shape is that of a convolution with stride 1 that keeps the size: x [b,h,w,c], y [b,h,w,o], a kernel of
// side x side weights, 3 or 1. c and o are multiples of 16.
typedef struct { int b, h, w, c, o, side; } shape;

// largest is the most values of an array that random and adamw take, as smallEnough in serve.go. An update by
// adamw takes so many numbers k.
enum { largest = 1u << 30, adamw_numbers = 10 };

// heads is the shape [b,pixels,heads,d] of attention. pixels and d are multiples of 16.
typedef struct { int b, pixels, heads, d; } heads;

// kernels are those that were compiled for one kind of vectors.
typedef struct {
  // conv is y = x convolved with w [side,side,c,o]; transposed, w is [side,side,o,c], which for the flipped kernel
  // of a backward pass is the gradient of the input. If they are not NULL, bias [o] is added, and then
  // (y + to) / sqrt(2) is the result, where to is like y.
  int (*conv)(const pool *, shape, const float *x, const float *w, int transposed, const float *bias, const float *to, float *y);

  // conv_weights is the gradient dw [side,side,c,o] of the weights, from x and the adjoint v [b,h,w,o].
  int (*conv_weights)(const pool *, shape, const float *x, const float *v, float *dw);

  // With x and v [b,h,w,c] and coefficients k [b,n,c]. v' is v, or with silu v times the slope of SiLU
  // at x k0 + k1; shape.o is not used.
  //
  // sums is y [b,2,c], the sums over pixels: of v' x and of v'; without v, of x and of its square.
  // affine is y like x: v' k0 + k2 + x k3; without v, x k0 + k1, and with silu SiLU of that.
  int (*sums)(const pool *, shape, int silu, const float *x, const float *v, const float *k, float *y);
  int (*affine)(const pool *, shape, int silu, const float *x, const float *v, const float *k, float *y);

  // spatial is y like x: (x k0 + k1) gain + bias, times k2, plus k3, and with silu SiLU of that. gain and
  // bias are like x, k is [b,4,c].
  int (*spatial)(const pool *, shape, int silu, const float *x, const float *gain, const float *bias, const float *k, float *y);

  // attend is, for each pixel and head, the sum of v weighed by softmax(q k / sqrt(d)), not finite if a
  // product isn't; attend_gradient is [3,...], the gradients by q, k and v, from the adjoint dy.
  int (*attend)(const pool *, heads, const float *q, const float *k, const float *v, float *y);
  int (*attend_gradient)(const pool *, heads, const float *q, const float *k, const float *v, const float *dy, float *to);

  // random draws n numbers of 32 bits by Philox4x32-10, four of each count from counter on.
  int (*random)(const pool *, uint64_t key, unsigned __int128 counter, size_t n, uint32_t *y);

  // adamw is an update of n weights, of Adam's mean and square, and of the average of the weights, in that
  // order, by their gradients g. k are an update's numbers: see adamw.h.
  int (*adamw)(const pool *, size_t n, const float *g, const float *k, const float *const from[4], float *const to[4]);
} kernels;

extern const kernels avx2_kernels, avx512_kernels;
