package network

import (
	"fmt"
	"slices"
	"strings"
)

// Layout says how a published tensor is stored.
type Layout int

const (
	Same     Layout = iota // as here
	DenseOI                // [out, in] there, [in, out] here
	ConvOIHW               // [out, in, height, width] there, [height, width, in, out] here
)

// Published is a parameter's name and layout in the published PyTorch code.
type Published struct {
	Name   string
	Layout Layout
}

// Shape is the published shape of a parameter that has shape d here.
func (l Layout) Shape(d []int) []int {
	switch l {
	case DenseOI:
		return []int{d[1], d[0]}
	case ConvOIHW:
		return []int{d[3], d[2], d[0], d[1]}
	}
	return d
}

// FromPublished puts the values of a parameter that has shape d here in our order.
func (l Layout) FromPublished(values []float32, d []int) []float32 {
	return l.reorder(values, d, func(here, there int) (to, from int) { return here, there })
}

// ToPublished is the inverse of FromPublished.
func (l Layout) ToPublished(values []float32, d []int) []float32 {
	return l.reorder(values, d, func(here, there int) (to, from int) { return there, here })
}

// reorder moves values; move gets a value's place here and in the published layout.
func (l Layout) reorder(values []float32, d []int, move func(here, there int) (to, from int)) []float32 {
	if l == Same {
		return values
	}
	taps, in, out := 1, d[len(d)-2], d[len(d)-1]
	if l == ConvOIHW {
		taps = d[0] * d[1]
	}
	moved := make([]float32, len(values))
	for o := range out {
		for i := range in {
			for tap := range taps {
				to, from := move((tap*in+i)*out+o, (o*in+i)*taps+tap)
				moved[to] = values[from]
			}
		}
	}
	return moved
}

// insideLayer names what stands inside a layer, here and in the published code, by kind of layer.
var insideLayer = []struct{ ours, theirs, w, b string }{
	{"/norm0/time", ".actnorm0.Dense_0", "weight", "bias"},
	{"/norm1/time", ".actnorm1.Dense_0", "weight", "bias"},
	{"/norm0/shared", ".actnorm0.Norm_0.mlp_shared.0", "weight", "bias"},
	{"/norm0/gamma", ".actnorm0.Norm_0.mlp_gamma", "weight", "bias"},
	{"/norm0/beta", ".actnorm0.Norm_0.mlp_beta", "weight", "bias"},
	{"/norm1/shared", ".actnorm1.Norm_0.mlp_shared.0", "weight", "bias"},
	{"/norm1/gamma", ".actnorm1.Norm_0.mlp_gamma", "weight", "bias"},
	{"/norm1/beta", ".actnorm1.Norm_0.mlp_beta", "weight", "bias"},
	{"/shared", ".Norm_0.mlp_shared.0", "weight", "bias"},
	{"/gamma", ".Norm_0.mlp_gamma", "weight", "bias"},
	{"/beta", ".Norm_0.mlp_beta", "weight", "bias"},
	{"/conv0", ".Conv_0", "weight", "bias"},
	{"/conv1", ".Conv_1", "weight", "bias"},
	{"/skip", ".Conv_2", "weight", "bias"},
	{"/q", ".NIN_0", "W", "b"},
	{"/k", ".NIN_1", "W", "b"},
	{"/v", ".NIN_2", "W", "b"},
	{"/out", ".NIN_3", "W", "b"},
	{"", "", "weight", "bias"},
}

// PublishedName translates the path of a parameter, relative to the network's scope, such as "down0/0/conv1/w", of the given
// rank. layers are the network's layers in building order, as Trace sees them: the published code numbers them.
func PublishedName(layers []string, path string, rank int) (Published, error) {
	layer, rest, err := splitLayer(layers, path)
	if err != nil {
		return Published{}, err
	}
	module := fmt.Sprintf("unet.all_modules.%d", slices.Index(layers, layer))
	switch rest {
	case "/scale", "/shift":
		return Published{module + ".Norm_0" + weightOrBias(rest), Same}, nil
	case "/norm/scale", "/norm/shift":
		return Published{module + ".GroupNorm_0" + weightOrBias(rest[len("/norm"):]), Same}, nil
	}
	inside, kind := rest[:strings.LastIndex(rest, "/")], rest[strings.LastIndex(rest, "/")+1:]
	for _, e := range insideLayer {
		if e.ours != inside {
			continue
		}
		if kind == "b" {
			return Published{module + e.theirs + "." + e.b, Same}, nil
		}
		layout := Same // attention's dense layers and the mask's table
		if rank == 4 {
			layout = ConvOIHW
		} else if e.w == "weight" && layer != "mask" {
			layout = DenseOI
		}
		return Published{module + e.theirs + "." + e.w, layout}, nil
	}
	return Published{}, fmt.Errorf("parameter %s: no published counterpart", path)
}

// splitLayer cuts path behind the longest layer that begins it: attention follows the block in whose name it stands.
func splitLayer(layers []string, path string) (layer, rest string, err error) {
	for _, l := range layers {
		if strings.HasPrefix(path, l+"/") && len(l) > len(layer) {
			layer = l
		}
	}
	if layer == "" {
		return "", "", fmt.Errorf("parameter %s: in no layer of the network", path)
	}
	return layer, path[len(layer):], nil
}

func weightOrBias(name string) string {
	if name == "/scale" {
		return ".weight"
	}
	return ".bias"
}
