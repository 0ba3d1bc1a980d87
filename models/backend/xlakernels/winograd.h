// Winograd's F(4x4,3x3) (Lavin and Gray 2016, arXiv 1509.09308): a tile of 4x4 pixels of a 3x3
// convolution is made of 6x6 pixels with 36 multiplications for each pair of channels instead of 144.
//
//   Y = A^T [ (G w G^T) . (B^T x B) ] A
//
// "." multiplies each of the 36 elements on its own; summed over the input channels that is 36
// products of matrices [tiles,C] [C,O]. The interpolation points are 0, 1, -1, 2, -2 and infinity.
#include <stddef.h>

// shape is that of a convolution with stride 1 that keeps the size: x [b,h,w,c], y [b,h,w,o], both
// row-major. c and o are multiples of 32.
typedef struct { int b, h, w, c, o; } shape;

// tiles is the number of tiles of all images. Those at the right and at the bottom may stand out.
static inline int tiles_of(shape s) { return s.b * ((s.h + 3) / 4) * ((s.w + 3) / 4); }

// Element k of a transformed tile has its channels at v[k*stride].
void tile_input(const float *x, shape s, int tile, float *v, size_t stride);                                     // B^T x B
void tile_output(float *y, shape s, int tile, const float *v, size_t stride);                                    // A^T v A
void tile_adjoint(const float *y, shape s, int tile, int from, int channels, float *v, size_t stride);           // A y A^T
// Of the kernel, w [3,3,n] to u [36,n] and back, the elements from..to of n, multiples of 16.
void kernel_forward(const float *w, size_t n, size_t from, size_t to, float *u);                                 // G w G^T
// G^T u G, of the sum of so many u, added up in their order.
void kernel_backward(const float *u, int sums, size_t n, size_t from, size_t to, float *w);

// product is y [m,n] = a b, or with add y += a b. Element (r,k) of a is a[r*rows + k*columns], b is
// [k, stride], y is [m, stride]. n is a multiple of 32.
void product(int m, int n, int k, const float *a, size_t rows, size_t columns, const float *b, size_t b_stride, float *y, size_t y_stride, int add);
