package published

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"mcvd/models"
)

// Place is what the published PyTorch code calls a parameter, and how it stores it.
type Place struct {
	Name   string // "unet.all_modules.7.Conv_1.weight"
	Layout Layout
}

// Names gives the parameters of a network their published names. The published code numbers its
// layers in building order; layers that it does not have are not counted.
type Names struct {
	layers  []string // all of the network's, in building order
	numbers []string // those that the published code has: the index is their number
}

// layerThere matches the names of the layers that the published network has, too.
var layerThere = regexp.MustCompile(`^(time[01]|mask|in|down\d+/(\d+(/attention)?|half)|middle/([01]|attention)|up\d+/(\d+|attention|double)|norm|out)$`)

// NewNames takes the layers of a network in building order, as [models.Listing] has them.
func NewNames(layers []string) Names {
	n := Names{layers: layers}
	for _, layer := range layers {
		if layerThere.MatchString(layer) {
			n.numbers = append(n.numbers, layer)
		}
	}
	return n
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

// Of is the place of a parameter. It is an error if the published network has no such parameter.
func (n Names) Of(w models.Weight) (Place, error) {
	layer := n.layerOf(w.Path)
	number := slices.Index(n.numbers, layer)
	if number < 0 {
		return Place{}, fmt.Errorf("the published code has no counterpart of %s", w.Path)
	}
	module, rest := fmt.Sprint(modules, number), w.Path[len(layer):]
	switch rest {
	case "/scale", "/shift":
		return Place{module + ".Norm_0" + weightOrBias(rest), Same}, nil
	case "/norm/scale", "/norm/shift":
		return Place{module + ".GroupNorm_0" + weightOrBias(rest[len("/norm"):]), Same}, nil
	}
	inside, kind := rest[:strings.LastIndex(rest, "/")], rest[strings.LastIndex(rest, "/")+1:]
	for _, e := range insideLayer {
		if e.ours != inside {
			continue
		}
		switch {
		case kind == "b":
			return Place{module + e.theirs + "." + e.b, Same}, nil
		case kind != "w":
		case len(w.Shape) == 4:
			return Place{module + e.theirs + "." + e.w, ConvOIHW}, nil
		case e.w == "weight" && layer != "mask": // neither attention's dense layers nor the mask's table
			return Place{module + e.theirs + "." + e.w, DenseOI}, nil
		default:
			return Place{module + e.theirs + "." + e.w, Same}, nil
		}
	}
	return Place{}, fmt.Errorf("the published code has no counterpart of %s", w.Path)
}

// layerOf is the longest layer that begins a path, because attention follows the block in whose
// name it stands; "" if there is none.
func (n Names) layerOf(path string) (longest string) {
	for _, layer := range n.layers {
		if strings.HasPrefix(path, layer+"/") && len(layer) > len(longest) {
			longest = layer
		}
	}
	return longest
}

func weightOrBias(name string) string {
	if name == "/scale" {
		return ".weight"
	}
	return ".bias"
}
