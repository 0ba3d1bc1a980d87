//go:build cgo && linux && amd64 && !noxla

// The kernels with vectors of 8 floats.
#define LANES 8
#include "winograd.h"
#include "norm.h"
#include "attention.h"
#include "random.h"
#include "adamw.h"

const kernels avx2_kernels = {conv, conv_weights, sums, affine, spatial, attend, attend_gradient, draw, adamw};
