package xlakernels

import (
	"math"
	"slices"
	"strings"
)

// plainAttributes are those of a convolution with stride 1, besides the order of its axes and its padding.
// A convolution with any other attribute, or without one of these, has no kernel.
var plainAttributes = map[string]bool{
	"batch_group_count = 1 : i64":     true,
	"feature_group_count = 1 : i64":   true,
	"lhs_dilation = array<i64: 1, 1>": true,
	"precision_config = [#stablehlo<precision DEFAULT>, #stablehlo<precision DEFAULT>]": true,
	"rhs_dilation = array<i64: 1, 1>":           true,
	"window_reversal = array<i1: false, false>": true,
	"window_strides = array<i64: 1, 1>":         true,
}

// sides has the side of the kernel for the padding that keeps the size of the images.
var sides = map[string]int{
	"padding = dense<[[0, 0], [0, 0]]> : tensor<2x2xi64>": 1,
	"padding = dense<[[1, 1], [1, 1]]> : tensor<2x2xi64>": 3,
}

// axes has the kernel for each order of axes that GoMLX gives an NHWC convolution and its gradients by
// the input and by the weights.
var axes = map[string]string{
	"dimension_numbers = #stablehlo.conv<[b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f]>": "conv",
	"dimension_numbers = #stablehlo.conv<[b, 0, 1, f]x[0, 1, o, i]->[b, 0, 1, f]>": "conv_transposed",
	"dimension_numbers = #stablehlo.conv<[f, 0, 1, b]x[i, 0, 1, o]->[0, 1, b, f]>": "conv_weights",
}

// maxPixels keeps the kernels' ints from overflowing.
const maxPixels = math.MaxInt32 / 64

// convolutionKernel is the kernel that serves a convolution, or nothing.
func convolutionKernel(attributes []string, in []tensor, out tensor) string {
	kernel, side, plain := "", 0, 0
	for _, a := range attributes {
		a = strings.TrimSuffix(strings.TrimSpace(a), ",")
		switch {
		case axes[a] != "":
			kernel = axes[a]
		case sides[a] > 0:
			side = sides[a]
		case plainAttributes[a]:
			plain++
		default:
			return ""
		}
	}
	if kernel == "" || plain != len(plainAttributes) || len(in) != 2 {
		return ""
	}
	weights := in[1].dims
	if kernel == "conv_weights" {
		weights = out.dims
	}
	if len(out.dims) != 4 || len(in[1].dims) != 4 || !convolves(in[0].dims, weights) || weights[0] != side {
		return ""
	}
	return kernel
}

// convolves says whether kernels take images and weights of these dimensions.
func convolves(x, w []int) bool {
	if !fits(x) || len(w) != 4 || w[0] != w[1] || w[2]%Channels != 0 || w[3]%Channels != 0 {
		return false
	}
	return w[0] == 1 || w[0] == 3
}

// callKernel is the kernel that a function of this name stands for, or nothing.
func callKernel(function string, in []tensor) string {
	name, ours := strings.CutPrefix(function, Prefix)
	kernel, _, _ := strings.Cut(name, "__")
	if !ours || !Calls[kernel] {
		return ""
	}
	if kernel == "adamw" {
		if len(in) != 6 || !slices.Equal(in[1].dims, []int{updateNumbers}) || !smallEnough(in[0]) {
			return ""
		}
		return kernel
	}
	if !fits(in[0].dims) {
		return ""
	}
	switch kernel {
	case "attention", "attention_gradient":
		if in[0].dims[1]%Channels != 0 {
			return ""
		}
	case "conv_bias":
		if len(in) < 2 || !convolves(in[0].dims, in[1].dims) {
			return ""
		}
	}
	return kernel
}

// randomKernel is the kernel that draws random numbers of 32 bits, or nothing.
func randomKernel(generator string, in, out []tensor) string {
	if generator != "#stablehlo<rng_algorithm PHILOX>" || len(in) != 1 || len(out) != 2 || in[0].dtype != "ui64" || !slices.Equal(in[0].dims, []int{3}) || out[1].dtype != "ui32" || !smallEnough(out[1]) {
		return ""
	}
	return "random"
}

// updateNumbers is how many numbers k the kernel adamw takes.
const updateNumbers = 10

// smallEnough says whether the kernels' handlers take an array of so many values.
func smallEnough(t tensor) bool {
	n := 1
	for _, d := range t.dims {
		if d > 1<<30/n {
			return false
		}
		n *= d
	}
	return true
}

// fits says whether images are of a size that kernels take.
func fits(images []int) bool {
	if len(images) != 4 || images[3]%Channels != 0 || images[3] > maxPixels {
		return false
	}
	pixels := 1
	for _, n := range images[:3] {
		if n > maxPixels/pixels {
			return false
		}
		pixels *= n
	}
	return true
}
