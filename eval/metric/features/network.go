// Package features has the networks whose features videos are compared by: AlexNet and VGG16 for
// LPIPS, I3D for FVD, and Inception-v3 for FID and KID. It runs them, and imports their weights.
//
// Values are in [-1, 1]; frames are [frames, height, width, channels], with 1 (grey) or 3 (RGB)
// channels. Grey is repeated to RGB. All arithmetic is float32.
package features

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"mcvd/models/weights"
)

// Network is a network whose weights are a file.
type Network struct {
	Name  string // as `mcvd weights import --as` takes it
	About string
	// Command gets the published weights.
	Command string
	// publishedSum is the SHA-256 of the file that the published weights were imported from.
	publishedSum string

	units   func() []unit // its convolutions
	linear  []int         // LPIPS: channels of the layers that are compared
	classes bool          // whether its variants are told apart by how many classes they know
	layouts []layout      // files that it can be imported from
}

// networks are all networks.
var networks = []Network{
	{
		Name: "i3d", About: "I3D, trained on Kinetics-400 (FVD)", Command: "scripts/install-weights.sh i3d",
		publishedSum: "af5c50f0df57cc48c82fb990ea903796e001d6f57fe33d9ad5c219db4fb5aebd",
		units:        i3dUnits, layouts: i3dLayouts,
	},
	{
		Name: "inception", About: "Inception-v3 (FID, KID)", Command: "mcvd weights import FILE --as inception",
		publishedSum: "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
		units:        inceptionUnits, classes: true, layouts: inceptionLayouts,
	},
	{
		Name: "lpips-alex", About: "AlexNet with LPIPS 0.1's linear layers", Command: "scripts/install-weights.sh lpips",
		publishedSum: "443c5bc35326b81e4ac7517b853fd22d3effe38783697d87e2ec65cb01d744b1",
		units:        alexNet.units, linear: alexNet.compared(), layouts: lpipsLayouts("AlexNet_0", alexNet),
	},
	{
		Name: "lpips-vgg", About: "VGG16 with LPIPS 0.1's linear layers", Command: "scripts/install-weights.sh lpips",
		publishedSum: "2ecbe4ce01168921c28dfd502e2b74490ef8c4d66b0a0286bc7a6127facccc9d",
		units:        vgg16.units, linear: vgg16.compared(), layouts: lpipsLayouts("VGG16_0", vgg16),
	},
}

// Networks lists all networks.
func Networks() []Network { return slices.Clone(networks) }

// Find returns the network of that name.
func Find(name string) (Network, error) {
	var names []string
	for _, n := range networks {
		if n.Name == name {
			return n, nil
		}
		names = append(names, n.Name)
	}
	return Network{}, fmt.Errorf("unknown network %q (known: %s)", name, joined(names))
}

// File is the name of the network's file in the folder of weights.
func (n Network) File() string { return n.Name + ".safetensors" }

// Params are a network's weights by name, row-major. A unit NAME has NAME.w
// [time, height, width, in, out] and NAME.b [out]; LPIPS has linear0, linear1, ... [channels], which
// aren't negative; Inception has the number of its classes.
type Params map[string][]float32

// Tensors are the names and shapes of the network's weights.
func (n Network) Tensors() []weights.Tensor {
	var list []weights.Tensor
	add := func(name string, shape ...int) {
		list = append(list, weights.Tensor{Name: name, DType: weights.F32, Shape: shape})
	}
	for _, u := range n.units() {
		add(u.weightName(), u.kernel[0], u.kernel[1], u.kernel[2], u.in, u.out)
		add(u.biasName(), u.out)
	}
	for i, channels := range n.linear {
		add(linearName(i), channels)
	}
	if n.classes {
		add(classesName, 1)
	}
	return list
}

// classesName is the name of the number of classes.
const classesName = "classes"

// Keys of a file's metadata.
const (
	networkKey = "mcvd.network"
	sourceKey  = "mcvd.source"        // the names of the files that the weights are from
	sumKey     = "mcvd.source.sha256" // their SHA-256, in the same order
)

// Write writes weights to a file, whole or not at all. source and sum say which files they are from.
func (n Network) Write(path string, p Params, source, sum string) error {
	var entries []weights.Entry
	for _, t := range n.Tensors() {
		values := p[t.Name]
		entries = append(entries, weights.Entry{Tensor: t, Data: func() ([]byte, error) {
			out := make([]byte, 0, 4*len(values))
			for _, v := range values {
				out = binary.LittleEndian.AppendUint32(out, math.Float32bits(v))
			}
			return out, nil
		}})
	}
	return weights.Write(path, map[string]string{networkKey: n.Name, sourceKey: source, sumKey: sum}, entries)
}

// Origin says where a file of weights comes from.
type Origin struct {
	Source    string // the names of the files that it was imported from
	Sum       string // their SHA-256
	Variant   string // of the network, see [Network.Variant]
	Published bool   // whether these are the files that published scores are made with, by their SHA-256
}

// Read reads a file that Write wrote. It fails for weights of another network, for damage and for
// numbers that aren't finite.
func (n Network) Read(path string) (Params, Origin, error) {
	f, err := weights.Open(path)
	if err != nil {
		return nil, Origin{}, err
	}
	defer f.Close()
	m := f.Metadata()
	p, err := n.read(f)
	if err != nil {
		return nil, Origin{}, err
	}
	return p, Origin{m[sourceKey], m[sumKey], n.Variant(p), m[sumKey] == n.publishedSum}, nil
}

func (n Network) read(f *weights.File) (p Params, err error) {
	path := f.Path()
	if got := f.Metadata()[networkKey]; got != n.Name {
		return nil, fmt.Errorf("%s: weights of %q, want %s: `%s` gets them", path, got, n.Name, n.Command)
	}
	p = Params{}
	for _, t := range n.Tensors() {
		if got, _ := f.Lookup(t.Name); !slices.Equal(got.Shape, t.Shape) {
			return nil, fmt.Errorf("%s: tensor %q has shape %v, want %v", path, t.Name, got.Shape, t.Shape)
		}
		if p[t.Name], err = f.Float32s(t.Name); err != nil {
			return nil, err
		}
	}
	if err := n.check(p); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return p, nil
}

// check makes sure that all weights are there and are numbers.
func (n Network) check(p Params) error {
	for _, t := range n.Tensors() {
		size := 1
		for _, dim := range t.Shape {
			size *= dim
		}
		if len(p[t.Name]) != size {
			return fmt.Errorf("%s: %d values, want %d for shape %v", t.Name, len(p[t.Name]), size, t.Shape)
		}
		if slices.ContainsFunc(p[t.Name], func(v float32) bool { return v-v != 0 }) {
			return fmt.Errorf("%s: a value that isn't finite", t.Name)
		}
	}
	for i := range n.linear {
		if slices.ContainsFunc(p[linearName(i)], func(v float32) bool { return v < 0 }) {
			return fmt.Errorf("%s: a negative weight, with which there is no distance", linearName(i))
		}
	}
	if n.classes {
		known := func(l layout) bool { return p[classesName][0] == float32(l.classes) }
		if !slices.ContainsFunc(n.layouts, known) {
			return fmt.Errorf("%s: %g, want those of %s", classesName, p[classesName][0], n.wanted())
		}
	}
	return nil
}

// Variant says which of the network's variants weights are of; it is empty if there is one only.
func (n Network) Variant(p Params) string {
	for _, l := range n.layouts {
		if n.classes && p[classesName][0] == float32(l.classes) {
			return l.about
		}
	}
	return ""
}

// Inspect reads a whole file of weights. It says where it comes from, and what its own SHA-256 is.
func (n Network) Inspect(path string) (o Origin, sum string, err error) {
	if _, o, err = n.Read(path); err == nil {
		sum, err = weights.SHA256(path)
	}
	return o, sum, err
}
