//go:build cgo && linux && amd64 && !noxla

// The kernels with vectors of 16 floats.
#define LANES 16
#include "winograd.h"
#include "norm.h"
#include "attention.h"
#include "random.h"
#include "adamw.h"

const kernels avx512_kernels = {conv, conv_weights, sums, affine, spatial, attend, attend_gradient, draw, adamw};
