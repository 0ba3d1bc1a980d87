// The kernels. Arrays are row-major float32. Each returns 0, or -1 if memory was not to be had.
#include "parallel.h"
#include "winograd.h"

// kernel_conv is y = x convolved with w [3,3,c,o]; transposed, w is [3,3,o,c], which for the flipped
// kernel of a backward pass is the gradient of the input.
int kernel_conv(const pool *, shape, const float *x, const float *w, int transposed, float *y);

// kernel_conv_weights is the gradient dw [3,3,c,o] of the weights, from x and the adjoint v [b,h,w,o].
int kernel_conv_weights(const pool *, shape, const float *x, const float *v, float *dw);

// With x and v [b,h,w,c], c a multiple of 16, and coefficients k [b,n,c]. v' is v, or with silu v times
// the slope of SiLU at x k0 + k1; shape.o is not used.
//
// kernel_sums is y [b,2,c], the sums over pixels: of v' x and of v'; without v, of x and of its square.
// kernel_affine is y like x: v' k0 + k2 + x k3; without v, x k0 + k1, and with silu SiLU of that.
int kernel_sums(const pool *, shape, int silu, const float *x, const float *v, const float *k, float *y);
int kernel_affine(const pool *, shape, int silu, const float *x, const float *v, const float *k, float *y);
