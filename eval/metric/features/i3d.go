package features

import (
	"fmt"
	"math"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

const (
	i3dSide   = 224 // pixels
	i3dLogits = 400
	// MinI3DFrames is the least number of frames that leaves two in the end, which are averaged.
	MinI3DFrames = 9
)

// videoUnit keeps size/stride of a size, rounded up.
func videoUnit(name string, in, out, kernel, stride int) unit {
	return unit{name: name, in: in, out: out, kernel: [3]int{kernel, kernel, kernel}, stride: [3]int{stride, stride, stride}, pad: keepSize}
}

var (
	i3dStem = videoUnit("Conv3d_1a_7x7", 3, 64, 7, 2)
	i3d2b   = videoUnit("Conv3d_2b_1x1", 64, 64, 1, 1)
	i3d2c   = videoUnit("Conv3d_2c_3x3", 64, 192, 3, 1)
	i3dTop  = func() unit {
		u := videoUnit("Logits", 1024, i3dLogits, 1, 1)
		u.affine = true
		return u
	}()
)

// mixed is an Inception module: four branches side by side.
type mixed struct {
	name string
	in   int
	out  [6]int // of the units b0, b1a, b1b, b2a, b2b, b3b
	pool int    // width of the max pooling before it, with stride 2; 0 for none
}

var i3dMixed = []mixed{
	{"Mixed_3b", 192, [6]int{64, 96, 128, 16, 32, 32}, 0},
	{"Mixed_3c", 256, [6]int{128, 128, 192, 32, 96, 64}, 0},
	{"Mixed_4b", 480, [6]int{192, 96, 208, 16, 48, 64}, 3},
	{"Mixed_4c", 512, [6]int{160, 112, 224, 24, 64, 64}, 0},
	{"Mixed_4d", 512, [6]int{128, 128, 256, 24, 64, 64}, 0},
	{"Mixed_4e", 512, [6]int{112, 144, 288, 32, 64, 64}, 0},
	{"Mixed_4f", 528, [6]int{256, 160, 320, 32, 128, 128}, 0},
	{"Mixed_5b", 832, [6]int{256, 160, 320, 32, 128, 128}, 2},
	{"Mixed_5c", 832, [6]int{384, 192, 384, 48, 128, 128}, 0},
}

// units are b0, b1a, b1b, b2a, b2b, b3b.
func (m mixed) units() [6]unit {
	branch := func(name string, in, i, kernel int) unit { return videoUnit(m.name+"."+name, in, m.out[i], kernel, 1) }
	return [6]unit{branch("b0", m.in, 0, 1), branch("b1a", m.in, 1, 1), branch("b1b", m.out[1], 2, 3),
		branch("b2a", m.in, 3, 1), branch("b2b", m.out[3], 4, 3), branch("b3b", m.in, 5, 1)}
}

func i3dUnits() []unit {
	list := []unit{i3dStem, i3d2b, i3d2c}
	for _, m := range i3dMixed {
		units := m.units()
		list = append(list, units[:]...)
	}
	return append(list, i3dTop)
}

// I3D is the inflated Inception network for videos (Carreira and Zisserman, 2017), trained on RGB
// frames of Kinetics-400.
type I3D struct{ *program }

// I3DOutput is what is taken from I3D as the features of a clip.
type I3DOutput int

const (
	// I3DLogits are the 400 logits, which FVD compares (Unterthiner et al., 2018).
	I3DLogits I3DOutput = iota
	// I3DPooled are the 1024 numbers that logits are a linear function of: the mean over pixels and
	// time.
	I3DPooled
)

// OpenI3D opens the network with weights on a backend. Close it after use.
func OpenI3D(backend compute.Backend, p Params, output I3DOutput) (*I3D, error) {
	n, err := Find("i3d")
	if err != nil {
		return nil, err
	}
	program, err := newProgram(backend, n, p, output.build)
	return &I3D{program}, err
}

// Features are those of each of n clips, one clip after the other. values is
// [n, frames, height, width, channels] in [-1, 1], with [MinI3DFrames] frames or more. The program
// is compiled anew for each shape. Memory grows with n and frames, but hardly with their size, since
// they are resized to 224x224: docs/performance.md has numbers.
func (net *I3D) Features(values []float32, n, frames, height, width, channels int) ([]float32, error) {
	if size := n * frames * height * width * channels; len(values) != size || size == 0 || channels != 1 && channels != 3 {
		return nil, fmt.Errorf("i3d: %d values, want %dx%dx%dx%dx%d and 1 or 3 channels", len(values), n, frames, height, width, channels)
	}
	if frames < MinI3DFrames {
		return nil, fmt.Errorf("i3d: clips of %d frames, want %d or more", frames, MinI3DFrames)
	}
	return net.run(tensors.FromFlatDataAndDimensions(values, n, frames, height, width, channels))
}

// build is [B,T,H,W,C] -> [B,400], or [B,1024] of I3DPooled.
func (o I3DOutput) build(b *builder, inputs []*Node) *Node {
	x := rgb(resizeGraph(inputs[0], i3dSide))
	x = b.conv(x, i3dStem)[0]
	x = maxPool(x, [3]int{1, 3, 3}, [3]int{1, 2, 2}, true)
	x = b.conv(x, i3d2b)[0]
	x = b.conv(x, i3d2c)[0]
	x = maxPool(x, [3]int{1, 3, 3}, [3]int{1, 2, 2}, true)
	for _, m := range i3dMixed {
		if p := m.pool; p > 0 {
			x = maxPool(x, [3]int{p, p, p}, [3]int{2, 2, 2}, true)
		}
		x = b.mixed(x, m)
	}
	// Averages over 2x7x7 with stride 1, the last convolution and the mean over time are all linear,
	// so the means are taken first.
	x = ReduceMean(x, 2, 3) // [B,T,C]
	t := x.Shape().Dimensions[1]
	x = ReduceMean(Add(Slice(x, AxisRange(), AxisRange(0, t-1)), Slice(x, AxisRange(), AxisRange(1, t))), 1)
	x = MulScalar(x, 0.5)
	if o == I3DPooled {
		return x
	}
	d := x.Shape().Dimensions
	return Reshape(b.conv(Reshape(x, d[0], 1, 1, 1, d[1]), i3dTop)[0], d[0], i3dLogits)
}

// mixed is an Inception module. The three units of a 1x1x1 kernel on the same input are one product.
func (b *builder) mixed(x *Node, m mixed) *Node {
	u := m.units()
	first := b.conv(x, u[0], u[1], u[3])
	b1 := b.conv(first[1], u[2])[0]
	b2 := b.conv(first[2], u[4])[0]
	b3 := b.conv(maxPool(x, [3]int{3, 3, 3}, [3]int{1, 1, 1}, true), u[5])[0]
	return Concatenate([]*Node{first[0], b1, b2, b3}, -1)
}

// resizeGraph makes the shorter side of frames [B,T,H,W,C] as many pixels, bilinear between the
// centres of pixels and without smoothing before, and cuts the centre square out. That is what
// PyTorch's interpolate does without align_corners and antialias, and how the published FVD resizes.
func resizeGraph(x *Node, side int) *Node {
	d := x.Shape().Dimensions
	short := min(d[2], d[3])
	for axis := 2; axis <= 3; axis++ {
		size := int(math.Ceil(float64(d[axis]) * float64(side) / float64(short)))
		x = alongAxis(x, axis, interpolation(d[axis], size, (size-side)/2, side))
	}
	return x
}

// interpolation is the matrix [from, rows] of weights by which pixels first to first+rows-1 of a line
// of size pixels come from one of from pixels.
func interpolation(from, size, first, rows int) [][]float32 {
	m := make([][]float32, from)
	for i := range m {
		m[i] = make([]float32, rows)
	}
	for row := range rows {
		at := max(0, (float64(first+row)+0.5)*float64(from)/float64(size)-0.5)
		low := min(int(at), from-1)
		high := min(low+1, from-1)
		m[low][row] += float32(1 - (at - float64(low)))
		m[high][row] += float32(at - float64(low))
	}
	return m
}

// alongAxis multiplies an axis of x by a matrix.
func alongAxis(x *Node, axis int, matrix [][]float32) *Node {
	d := append([]int(nil), x.Shape().Dimensions...)
	before, after := 1, 1
	for i, size := range d {
		if i < axis {
			before *= size
		} else if i > axis {
			after *= size
		}
	}
	y := Einsum("bia,io->boa", Reshape(x, before, d[axis], after), Const(x.Graph(), matrix))
	d[axis] = len(matrix[0])
	return Reshape(y, d...)
}
