// Winograd's F(4x4,3x3) (Lavin and Gray 2016, arXiv 1509.09308): a tile of 4x4 pixels of a 3x3
// convolution is made of 6x6 pixels with 36 multiplications for each pair of channels instead of 144.
//
//   Y = A^T [ (G w G^T) . (B^T x B) ] A
//
// "." multiplies each of the 36 elements on its own; summed over the input channels that is 36
// products of matrices [tiles,C] [C,O].
#include "kernels.h"
#include "vector.h"
#include "product.h"

// tiles_of is the number of tiles of all images. Those at the right and at the bottom may stand out.
static inline int tiles_of(shape s) { return s.b * ((s.h + 3) / 4) * ((s.w + 3) / 4); }

// apart is by how much the 36 elements of so many floats lie apart: a line of the cache more, because
// at a distance of 4 KiB or its multiples all would fall into the same few lines.
static inline size_t apart(size_t floats) { return floats + 16; }

#include "direct.h"
#include "pointwise.h"
#include "transform.h"
#include "convolution.h"
#include "gradient.h"
