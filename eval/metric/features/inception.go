package features

import (
	"fmt"
	"slices"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

const (
	inceptionSide     = 299  // pixels
	inceptionFeatures = 2048 // numbers of each frame
)

// fidClasses and torchvisionClasses are how many classes the two Inception networks tell apart.
// FID's (Heusel et al., 2017) is TensorFlow's of 2015-12-05, whose average pools leave zeros at the
// border out, and whose last module has a max pool where the paper has an average.
const (
	fidClasses         = 1008
	torchvisionClasses = 1000
)

// pooling is what a branch of a module does before its convolutions.
type pooling int

const (
	noPool      pooling = iota
	averagePool         // of 3x3, which keeps the size
	lastPool            // as averagePool, in the module where FID's network takes the maximum
	halvingPool         // the maximum of 3x3 with stride 2
)

// branch is a part of an Inception module: a pooling, then units one after the other, then several
// side by side.
type branch struct {
	pool        pooling
	units, fork []unit
}

// inceptionModule is branches side by side.
type inceptionModule []branch

// frameUnit keeps the size with stride 1. With stride 2 it has no zeros at the border.
func frameUnit(name string, out, height, width, stride int) unit {
	u := unit{name: name, out: out, kernel: [3]int{1, height, width}, stride: [3]int{1, stride, stride}, pad: keepSize}
	if stride > 1 {
		u.pad = 0
	}
	return u
}

// chain are units of a module, each with what the one before it makes as its input.
func chain(module string, in int, units ...unit) []unit {
	for i := range units {
		units[i].name, units[i].in = module+"."+units[i].name, in
		in = units[i].out
	}
	return units
}

// inceptionStem are the convolutions before the first module; the third and the last are followed
// by a halvingPool.
var inceptionStem = func() []unit {
	units := []unit{frameUnit("Conv2d_1a_3x3", 32, 3, 3, 2), frameUnit("Conv2d_2a_3x3", 32, 3, 3, 1), frameUnit("Conv2d_2b_3x3", 64, 3, 3, 1),
		frameUnit("Conv2d_3b_1x1", 80, 1, 1, 1), frameUnit("Conv2d_4a_3x3", 192, 3, 3, 1)}
	in := 3
	for i := range units {
		units[i].in, in = in, units[i].out
	}
	units[1].pad, units[4].pad = 0, 0
	return units
}()

// inceptionModules are those of Inception-v3 (Szegedy et al., 2016, figures 5 to 7 and 10), with
// torchvision's names.
var inceptionModules = []inceptionModule{
	smallKernels("Mixed_5b", 192, 32), smallKernels("Mixed_5c", 256, 64), smallKernels("Mixed_5d", 288, 64),
	firstReduction("Mixed_6a", 288),
	longKernels("Mixed_6b", 128), longKernels("Mixed_6c", 160), longKernels("Mixed_6d", 160), longKernels("Mixed_6e", 192),
	secondReduction("Mixed_7a", 768),
	forks("Mixed_7b", 1280, averagePool), forks("Mixed_7c", 2048, lastPool),
}

func smallKernels(name string, in, pooled int) inceptionModule {
	return inceptionModule{
		{units: chain(name, in, frameUnit("branch1x1", 64, 1, 1, 1))},
		{units: chain(name, in, frameUnit("branch5x5_1", 48, 1, 1, 1), frameUnit("branch5x5_2", 64, 5, 5, 1))},
		{units: chain(name, in, frameUnit("branch3x3dbl_1", 64, 1, 1, 1), frameUnit("branch3x3dbl_2", 96, 3, 3, 1), frameUnit("branch3x3dbl_3", 96, 3, 3, 1))},
		{pool: averagePool, units: chain(name, in, frameUnit("branch_pool", pooled, 1, 1, 1))},
	}
}

func firstReduction(name string, in int) inceptionModule {
	return inceptionModule{
		{units: chain(name, in, frameUnit("branch3x3", 384, 3, 3, 2))},
		{units: chain(name, in, frameUnit("branch3x3dbl_1", 64, 1, 1, 1), frameUnit("branch3x3dbl_2", 96, 3, 3, 1), frameUnit("branch3x3dbl_3", 96, 3, 3, 2))},
		{pool: halvingPool},
	}
}

func longKernels(name string, c int) inceptionModule {
	const in = 768
	return inceptionModule{
		{units: chain(name, in, frameUnit("branch1x1", 192, 1, 1, 1))},
		{units: chain(name, in, frameUnit("branch7x7_1", c, 1, 1, 1), frameUnit("branch7x7_2", c, 1, 7, 1), frameUnit("branch7x7_3", 192, 7, 1, 1))},
		{units: chain(name, in, frameUnit("branch7x7dbl_1", c, 1, 1, 1), frameUnit("branch7x7dbl_2", c, 7, 1, 1), frameUnit("branch7x7dbl_3", c, 1, 7, 1),
			frameUnit("branch7x7dbl_4", c, 7, 1, 1), frameUnit("branch7x7dbl_5", 192, 1, 7, 1))},
		{pool: averagePool, units: chain(name, in, frameUnit("branch_pool", 192, 1, 1, 1))},
	}
}

func secondReduction(name string, in int) inceptionModule {
	return inceptionModule{
		{units: chain(name, in, frameUnit("branch3x3_1", 192, 1, 1, 1), frameUnit("branch3x3_2", 320, 3, 3, 2))},
		{units: chain(name, in, frameUnit("branch7x7x3_1", 192, 1, 1, 1), frameUnit("branch7x7x3_2", 192, 1, 7, 1),
			frameUnit("branch7x7x3_3", 192, 7, 1, 1), frameUnit("branch7x7x3_4", 192, 3, 3, 2))},
		{pool: halvingPool},
	}
}

func forks(name string, in int, pool pooling) inceptionModule {
	fork := func(before string) []unit {
		return slices.Concat(chain(name, 384, frameUnit(before+"a", 384, 1, 3, 1)), chain(name, 384, frameUnit(before+"b", 384, 3, 1, 1)))
	}
	return inceptionModule{
		{units: chain(name, in, frameUnit("branch1x1", 320, 1, 1, 1))},
		{units: chain(name, in, frameUnit("branch3x3_1", 384, 1, 1, 1)), fork: fork("branch3x3_2")},
		{units: chain(name, in, frameUnit("branch3x3dbl_1", 448, 1, 1, 1), frameUnit("branch3x3dbl_2", 384, 3, 3, 1)), fork: fork("branch3x3dbl_3")},
		{pool: pool, units: chain(name, in, frameUnit("branch_pool", 192, 1, 1, 1))},
	}
}

func inceptionUnits() []unit {
	list := slices.Clone(inceptionStem)
	for _, m := range inceptionModules {
		for _, b := range m {
			list = slices.Concat(list, b.units, b.fork)
		}
	}
	return list
}

// Inception is Inception-v3 (Szegedy et al., 2016) up to the average over pixels, in the variant
// that its weights belong to: FID's or torchvision's.
type Inception struct{ *program }

// OpenInception opens the network with weights on a backend. Close it after use.
func OpenInception(backend compute.Backend, p Params) (*Inception, error) {
	n, err := Find("inception")
	if err != nil {
		return nil, err
	}
	if err := n.check(p); err != nil {
		return nil, err
	}
	variant := inceptionGraph{fid: p[classesName][0] == fidClasses}
	program, err := newProgram(backend, n, p, variant.build)
	return &Inception{program}, err
}

// Features are the 2048 of each of n frames, one frame after the other. values is [n, height,
// width, channels] in [-1, 1]. Frames are resized to 299x299, bilinear between the centres of
// pixels and without smoothing before, which changes their shape if they are not square; so do the
// implementations of FID in PyTorch. The program is compiled anew for each shape.
func (net *Inception) Features(values []float32, n, height, width, channels int) ([]float32, error) {
	if size := n * height * width * channels; len(values) != size || size == 0 || channels != 1 && channels != 3 {
		return nil, fmt.Errorf("inception: %d values, want %dx%dx%dx%d and 1 or 3 channels", len(values), n, height, width, channels)
	}
	return net.run(tensors.FromFlatDataAndDimensions(values, n, 1, height, width, channels))
}

// inceptionGraph builds the network.
type inceptionGraph struct{ fid bool }

// build is [N,1,H,W,C] -> [N,2048].
func (v inceptionGraph) build(b *builder, inputs []*Node) *Node {
	x := inputs[0]
	for axis := 2; axis <= 3; axis++ {
		x = alongAxis(x, axis, interpolation(x.Shape().Dimensions[axis], inceptionSide, 0, inceptionSide))
	}
	x = rgb(x)
	for i, u := range inceptionStem {
		x = b.conv(x, u)[0]
		if i == 2 || i == 4 {
			x = v.pool(x, halvingPool)
		}
	}
	for _, m := range inceptionModules {
		x = v.module(b, x, m)
	}
	return ReduceMean(x, 1, 2, 3)
}

func (v inceptionGraph) module(b *builder, x *Node, m inceptionModule) *Node {
	var outputs []*Node
	for _, branch := range m {
		y := v.pool(x, branch.pool)
		for _, u := range branch.units {
			y = b.conv(y, u)[0]
		}
		for _, u := range branch.fork {
			outputs = append(outputs, b.conv(y, u)[0])
		}
		if len(branch.fork) == 0 {
			outputs = append(outputs, y)
		}
	}
	return Concatenate(outputs, -1)
}

// pool pools images that have no negative values, so that zeros at the border change no maximum.
func (v inceptionGraph) pool(x *Node, p pooling) *Node {
	switch {
	case p == noPool:
		return x
	case p == halvingPool:
		return maxPool(x, [3]int{1, 3, 3}, [3]int{1, 2, 2}, false)
	case p == lastPool && v.fid:
		return maxPool(x, [3]int{1, 3, 3}, [3]int{1, 1, 1}, true)
	}
	for axis := 2; axis <= 3; axis++ {
		x = alongAxis(x, axis, neighbours(x.Shape().Dimensions[axis], !v.fid))
	}
	return x
}

// neighbours is the matrix that makes each number of a line the average of itself and its two
// neighbours. Beyond the ends there are zeros, which count or are left out.
func neighbours(size int, zerosCount bool) [][]float32 {
	m := make([][]float32, size)
	for from := range m {
		m[from] = make([]float32, size)
		for to := max(0, from-1); to <= min(size-1, from+1); to++ {
			count := 3
			if !zerosCount {
				count = min(size-1, to+1) - max(0, to-1) + 1
			}
			m[from][to] = 1 / float32(count)
		}
	}
	return m
}
