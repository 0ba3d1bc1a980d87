package features

import (
	"strconv"
	"strings"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"mcvd/models/nn"
)

// unit is a convolution with a bias, then ReLU. Axes are time, height, width; an image has one frame.
type unit struct {
	name           string
	in, out        int
	kernel, stride [3]int
	// pad is how many zeros there are before and behind height and width. Where it is keepSize, the
	// zeros of all axes are as few as make size/stride of a size, rounded up; the smaller half comes
	// first.
	pad    int
	affine bool // no ReLU
}

const keepSize = -1

func (u unit) weightName() string { return u.name + ".w" }
func (u unit) biasName() string   { return u.name + ".b" }
func linearName(i int) string     { return "linear" + strconv.Itoa(i) }

func joined(names []string) string { return strings.Join(names, ", ") }

// pads are the zeros before and behind each axis of sizes [time, height, width].
func (u unit) pads(sizes []int) (pads [3]PadAxis) {
	if u.pad != keepSize {
		return [3]PadAxis{{}, {Start: u.pad, End: u.pad}, {Start: u.pad, End: u.pad}}
	}
	return samePads(sizes, u.kernel, u.stride)
}

// samePads are as few zeros as make size/stride of each size, rounded up.
func samePads(sizes []int, window, stride [3]int) (pads [3]PadAxis) {
	for i := range pads {
		last := (sizes[i] - 1) / stride[i] * stride[i] // where the last window would start without zeros before
		missing := max(last+window[i]-sizes[i], 0)
		pads[i] = PadAxis{Start: missing / 2, End: missing - missing/2}
	}
	return pads
}

// builder builds networks in one graph. Images are [batch, time, height, width, channels].
type builder struct {
	*nn.Builder
	scope  *model.Scope
	native bool // whether the backend's own convolution is fast
}

// param is a weight in the graph.
func (b *builder) param(g *Graph, name string) *Node { return b.scope.GetVariable(name).NodeValue(g) }

// conv applies units of the same kernel to the same images, as one convolution, and returns what
// each makes.
func (b *builder) conv(x *Node, units ...unit) []*Node {
	var ws, biases []*Node
	for _, u := range units {
		ws = append(ws, b.param(x.Graph(), u.weightName()))
		biases = append(biases, b.param(x.Graph(), u.biasName()))
	}
	w, bias := ws[0], biases[0]
	if len(units) > 1 {
		w, bias = Concatenate(ws, -1), Concatenate(biases, -1)
	}
	y := b.convolve(x, w, bias, units[0])
	if !units[0].affine {
		y = MaxScalar(y, 0)
	}
	if len(units) == 1 {
		return []*Node{y}
	}
	outputs := make([]*Node, len(units))
	at := 0
	for i, u := range units {
		outputs[i] = Slice(y, AxisRange(), AxisRange(), AxisRange(), AxisRange(), AxisRange(at, at+u.out))
		at += u.out
	}
	return outputs
}

// convolve is the convolution, by the formulation that is fastest on the backend. All of them make
// one of images, one for each step of the kernel's time: XLA's convolutions of volumes are slower.
func (b *builder) convolve(x, w, bias *Node, u unit) *Node {
	k, d := u.kernel, x.Shape().Dimensions
	keeps := u.stride == [3]int{1, 1, 1} && u.pads(d[1:4]) == samePads(d[1:4], k, u.stride)
	switch {
	case keeps && k[1] == k[2] && (k[1] == 1 || k[1] == 3) && k[0] == 1:
		return unfold(b.Formulation.Conv(fold(x), Reshape(w, w.Shape().Dimensions[1:]...), bias, nil), d)
	case keeps && k[1] == k[2] && k[1] == 3:
		return b.timeSum(x, w, bias)
	case b.native:
		return stepSum(x, w, bias, u, nativeConv)
	}
	return stepSum(x, w, bias, u, patchConv)
}

// fold makes images of frames: [B,T,H,W,C] -> [B*T,H,W,C].
func fold(x *Node) *Node {
	d := x.Shape().Dimensions
	return Reshape(x, d[0]*d[1], d[2], d[3], d[4])
}

// unfold undoes fold for images of any size: d is the shape before it.
func unfold(x *Node, d []int) *Node {
	s := x.Shape().Dimensions
	return Reshape(x, d[0], d[1], s[1], s[2], s[3])
}

func addBias(x, bias *Node) *Node {
	ones := make([]int, x.Rank())
	for i := range ones {
		ones[i] = 1
	}
	ones[len(ones)-1] = -1
	return Add(x, Reshape(bias, ones...))
}

// timeSum is a convolution with stride 1 that keeps the size as one of images, with as many outputs
// for each step of the kernel's time, of which those of neighbouring frames are then added.
func (b *builder) timeSum(x, w, bias *Node) *Node {
	d, k := x.Shape().Dimensions, w.Shape().Dimensions
	steps, out := k[0], k[4]
	// [time,h,w,in,out] -> [h,w,in,time*out]
	flat := Reshape(TransposeAllAxes(w, 1, 2, 3, 0, 4), k[1], k[2], k[3], steps*out)
	y := unfold(b.Formulation.Conv(fold(x), flat, Zeros(x.Graph(), nn.F32(steps*out)), nil), d)
	before := (steps - 1) / 2
	y = Pad(y, ScalarZero(x.Graph(), x.DType()), PadAxis{}, PadAxis{Start: before, End: steps - 1 - before}, PadAxis{}, PadAxis{}, PadAxis{})
	var sum *Node
	for i := range steps {
		part := Slice(y, AxisRange(), AxisRange(i, i+d[1]), AxisRange(), AxisRange(), AxisRange(i*out, (i+1)*out))
		if sum == nil {
			sum = part
		} else {
			sum = Add(sum, part)
		}
	}
	return addBias(sum, bias)
}

// stepSum is any convolution as the sum of one of images for each step of the kernel's time. Each is
// conv of padded frames [N,H,W,C] and a kernel [h,w,in,out] with strides of height and width.
func stepSum(x, w, bias *Node, u unit, conv func(frames, w *Node, strides [2]int) *Node) *Node {
	pads := u.pads(x.Shape().Dimensions[1:4])
	x = Pad(x, ScalarZero(x.Graph(), x.DType()), PadAxis{}, pads[0], pads[1], pads[2], PadAxis{})
	d := append([]int(nil), x.Shape().Dimensions...)
	d[1] = (d[1]-u.kernel[0])/u.stride[0] + 1
	var sum *Node
	for t := range u.kernel[0] {
		frames := Slice(x, AxisRange(), every(u.stride[0], t, d[1]))
		y := conv(fold(frames), Reshape(Slice(w, AxisElem(t)), w.Shape().Dimensions[1:]...), [2]int{u.stride[1], u.stride[2]})
		if sum == nil {
			sum = y
		} else {
			sum = Add(sum, y)
		}
	}
	return addBias(unfold(sum, d), bias)
}

// every is so many elements of an axis from one on, a stride apart.
func every(stride, from, count int) SliceAxisSpec {
	return AxisRange(from, from+(count-1)*stride+1).Stride(stride)
}

// nativeConv is the backend's own convolution of images without more zeros.
func nativeConv(x, w *Node, strides [2]int) *Node {
	return Convolve(x, w).StridePerAxis(strides[:]...).NoPadding().Done()
}

// patchConv is the same as one product of matrices: a row is the patch of an image under the kernel.
func patchConv(x, w *Node, strides [2]int) *Node {
	d, k := x.Shape().Dimensions, w.Shape().Dimensions
	height, width := (d[1]-k[0])/strides[0]+1, (d[2]-k[1])/strides[1]+1
	var parts []*Node
	for i := range k[0] {
		for j := range k[1] {
			parts = append(parts, Slice(x, AxisRange(), every(strides[0], i, height), every(strides[1], j, width)))
		}
	}
	rows := Reshape(Concatenate(parts, -1), -1, k[0]*k[1]*k[2])
	return Reshape(Dot(rows, Reshape(w, -1, k[3])).Product(), d[0], height, width, k[3])
}

// maxPool is the largest value of each window, axis by axis, of values that aren't negative. With
// same, zeros are added as [samePads] says; without, windows lie within the image.
func maxPool(x *Node, window, stride [3]int, same bool) *Node {
	d := x.Shape().Dimensions
	if same {
		pads := samePads(d[1:4], window, stride)
		x = Pad(x, ScalarZero(x.Graph(), x.DType()), PadAxis{}, pads[0], pads[1], pads[2], PadAxis{})
	}
	for axis := range window {
		size := (x.Shape().Dimensions[axis+1]-window[axis])/stride[axis] + 1
		if window[axis] == 1 && stride[axis] == 1 {
			continue
		}
		var y *Node
		for i := range window[axis] {
			along := []SliceAxisSpec{AxisRange(), AxisRange(), AxisRange(), AxisRange(), AxisRange()}
			along[axis+1] = every(stride[axis], i, size)
			part := Slice(x, along...)
			if y == nil {
				y = part
			} else {
				y = Max(y, part)
			}
		}
		x = y
	}
	return x
}

// rgb repeats grey.
func rgb(x *Node) *Node {
	d := append([]int(nil), x.Shape().Dimensions...)
	if d[len(d)-1] == 3 {
		return x
	}
	d[len(d)-1] = 3
	return BroadcastToDims(x, d...)
}

// program is a network on a backend with its weights.
type program struct {
	backend compute.Backend
	exec    *model.Exec
	store   *model.Store
}

// newProgram makes a program of a graph. The graph is compiled anew for each shape of its inputs.
func newProgram(backend compute.Backend, n Network, p Params, build func(b *builder, inputs []*Node) *Node) (*program, error) {
	if err := n.check(p); err != nil {
		return nil, err
	}
	store := model.NewStore()
	scope := store.RootScope()
	for _, t := range n.Tensors() {
		scope.VariableWithValue(t.Name, tensors.FromFlatDataAndDimensions(p[t.Name], t.Shape...)).SetTrainable(false)
	}
	exec, err := model.NewExec(backend, store, func(scope *model.Scope, inputs []*Node) []*Node {
		b := &builder{Builder: nn.NewBuilder(backend), scope: scope, native: backend.String() != "go"}
		return []*Node{build(b, inputs)}
	})
	if err != nil {
		return nil, err
	}
	return &program{backend, exec, store}, nil
}

// run runs the program and returns its output, row-major.
func (p *program) run(inputs ...any) ([]float32, error) {
	outputs, err := p.exec.Call(inputs...)
	if err != nil {
		return nil, err
	}
	defer outputs[0].FinalizeAll()
	return tensors.CopyFlatData[float32](outputs[0])
}

// Close frees what the backend holds.
func (p *program) Close() error {
	p.exec.Finalize()
	p.store.Finalize()
	return nil
}
