#pragma once
#include "vector.h"

// exponential is e^x by x = n ln 2 + r and a polynomial in r (Cephes), to 2 units in the last place. It is kept
// between e^-87 and e^88. Beyond these, the sigmoid is 1 in float32, or less than 1e-38.
INLINE vec exponential(vec x) {
  vec v = between(-87.f, x, 88.f), n = nearest(v * 1.44269504088896341f);
  vec r = fma_(n, splat(-0.693359375f), v); // ln 2 in two parts
  r = fma_(n, splat(2.12194440e-4f), r);
  vec e = splat(1.9875691500e-4f);
  e = fma_(e, r, splat(1.3981999507e-3f));
  e = fma_(e, r, splat(8.3334519073e-3f));
  e = fma_(e, r, splat(4.1665795894e-2f));
  e = fma_(e, r, splat(1.6666665459e-1f));
  e = fma_(e, r, splat(5.0000001201e-1f));
  return scale(fma_(e, r * r, r) + 1.f, n);
}
