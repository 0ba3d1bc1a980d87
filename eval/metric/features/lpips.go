package features

import (
	"fmt"
	"strconv"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"mcvd/models/nn"
)

// stage is a convolution of an image network, with what comes before it.
type stage struct {
	unit
	number   int  // of the layer in torchvision's `features`
	pool     int  // width of the max pooling before it, with stride 2; 0 for none
	compared bool // whether LPIPS compares what it makes
}

// stages are an image network up to its last convolution.
type stages []stage

func (s stages) units() []unit {
	var list []unit
	for _, stage := range s {
		list = append(list, stage.unit)
	}
	return list
}

// compared are the channels of the layers that LPIPS compares.
func (s stages) compared() (channels []int) {
	for _, stage := range s {
		if stage.compared {
			channels = append(channels, stage.out)
		}
	}
	return channels
}

func imageUnit(number, in, out, kernel, stride, pad int) unit {
	return unit{name: "conv" + strconv.Itoa(number), in: in, out: out, kernel: [3]int{1, kernel, kernel}, stride: [3]int{1, stride, stride}, pad: pad}
}

// alexNet is torchvision's AlexNet (Krizhevsky, 2014). It needs frames of 31x31 or more.
var alexNet = stages{
	{imageUnit(0, 3, 64, 11, 4, 2), 0, 0, true},
	{imageUnit(1, 64, 192, 5, 1, 2), 3, 3, true},
	{imageUnit(2, 192, 384, 3, 1, 1), 6, 3, true},
	{imageUnit(3, 384, 256, 3, 1, 1), 8, 0, true},
	{imageUnit(4, 256, 256, 3, 1, 1), 10, 0, true},
}

// vgg16 is VGG16 (Simonyan and Zisserman, 2015). It needs frames of 16x16 or more.
var vgg16 = func() (s stages) {
	number, in := 0, 3
	for block, convs := range []int{2, 2, 3, 3, 3} {
		out := min(64<<block, 512)
		for i := range convs {
			pool := 0
			if block > 0 && i == 0 {
				pool = 2
				number++
			}
			s = append(s, stage{imageUnit(len(s), in, out, 3, 1, 1), number, pool, i == convs-1})
			in, number = out, number+2
		}
	}
	return s
}()

// LPIPS is the learned perceptual distance of images (Zhang et al., 2018, version 0.1): the features
// of five layers, each normalized over its channels, are compared by a weighted squared difference,
// which is averaged over pixels and added up over layers.
type LPIPS struct{ *program }

// OpenLPIPS opens the network lpips-alex or lpips-vgg with weights on a backend. Close it after use.
func OpenLPIPS(backend compute.Backend, name string, p Params) (*LPIPS, error) {
	n, err := Find(name)
	if err != nil {
		return nil, err
	}
	network, ok := map[string]stages{"lpips-alex": alexNet, "lpips-vgg": vgg16}[name]
	if !ok {
		return nil, fmt.Errorf("network %s has no layers that LPIPS compares", name)
	}
	program, err := newProgram(backend, n, p, network.distances)
	return &LPIPS{program}, err
}

// Distances are those of each of n frames a from the frame b with the same number. Both are
// [n, height, width, channels] in [-1, 1]. The program is compiled anew for each size of the frames
// and each n. Memory grows with n: docs/performance.md has numbers.
func (l *LPIPS) Distances(a, b []float32, n, height, width, channels int) ([]float32, error) {
	if size := n * height * width * channels; len(a) != size || len(b) != size || size == 0 || channels != 1 && channels != 3 {
		return nil, fmt.Errorf("lpips: frames of %d and %d values, want %dx%dx%dx%d and 1 or 3 channels", len(a), len(b), n, height, width, channels)
	}
	both := append(append(make([]float32, 0, 2*len(a)), a...), b...)
	return l.run(tensors.FromFlatDataAndDimensions(both, 2*n, 1, height, width, channels))
}

// LPIPS's scaling layer: the mean and the standard deviation of ImageNet's pixels, for [-1, 1].
var (
	lpipsShift = [3]float32{-0.030, -0.088, -0.188}
	lpipsScale = [3]float32{0.458, 0.448, 0.450}
)

// distances is [2n,1,H,W,C], the frames of both sides, -> [n].
func (s stages) distances(b *builder, inputs []*Node) *Node {
	g := inputs[0].Graph()
	x := rgb(inputs[0])
	n := x.Shape().Dimensions[0] / 2
	x = Div(Sub(x, Reshape(Const(g, lpipsShift[:]), 1, 1, 1, 1, 3)), Reshape(Const(g, lpipsScale[:]), 1, 1, 1, 1, 3))
	var sum *Node
	layer := 0
	for _, stage := range s {
		if stage.pool > 0 {
			x = maxPool(x, [3]int{1, stage.pool, stage.pool}, [3]int{1, 2, 2}, false)
		}
		x = b.conv(x, stage.unit)[0]
		if !stage.compared {
			continue
		}
		d := layerDistance(x, n, b.param(g, linearName(layer)))
		if sum == nil {
			sum = d
		} else {
			sum = Add(sum, d)
		}
		layer++
	}
	return sum
}

// layerDistance is the distance of features [2n,1,H,W,C] of both sides, weights w [C]: -> [n].
func layerDistance(x *Node, n int, w *Node) *Node {
	d := x.Shape().Dimensions
	pixels, channels := d[2]*d[3], d[4]
	x = Reshape(x, 2*n*pixels, channels)
	// The sum over channels is a product with ones, which both backends compute faster.
	squares := Dot(Square(x), Ones(x.Graph(), nn.F32(channels, 1))).Product()
	x = Reshape(Div(x, AddScalar(Sqrt(squares), 1e-10)), 2*n, pixels, channels)
	difference := Square(Sub(Slice(x, AxisRange(0, n)), Slice(x, AxisRange(n, 2*n))))
	weighted := Dot(Reshape(difference, n*pixels, channels), Reshape(w, channels, 1)).Product()
	return ReduceMean(Reshape(weighted, n, pixels), 1)
}
