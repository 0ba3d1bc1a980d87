package published

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"mcvd/models"
	"mcvd/models/backend/backendtest"
	"mcvd/models/network"
	"mcvd/models/nn"
	"mcvd/models/weights"
)

// guided is a network with a layer of its own before the published ones: a factor for each channel
// of a frame.
type guided struct{ network.Network }

func (n guided) Graph(b *nn.Builder, scope *model.Scope, in network.Input) *Node {
	d := in.X.Shape().Dimensions
	factor := nn.Param(in.X.Graph(), scope.At("guide"), "w", nn.Init{Normal: true}, d[4])
	in.X = b.Layer("guide", Mul(in.X, Reshape(factor, 1, 1, 1, 1, d[4])))
	return n.Network.Graph(b, scope, in)
}

// guidedSample is the sample with a network that the published code doesn't have.
func guidedSample(t *testing.T) *sample {
	t.Helper()
	s := newSample(t)
	s.model.Network = guided{s.model.Network}
	var err error
	if s.listing, err = s.model.List(backendtest.Open(t)); err != nil {
		t.Fatal(err)
	}
	if s.listing.Layers[0] != "guide" {
		t.Fatalf("layers %v, want guide to be the first", s.listing.Layers)
	}
	return s
}

// ownFile is a file by own names with the first weights of seed 7.
func (s *sample) ownFile(t *testing.T) string {
	t.Helper()
	var entries []weights.Entry
	for _, w := range s.listing.Weights {
		values, err := w.First(7)
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, plain(models.WeightsScope+"/"+w.Path, w.Shape, values))
	}
	return written(t, entries)
}

// A network with a layer that the published code doesn't have is imported by own names. No
// published name is asked for.
func TestOwnNamesOfAnotherNetwork(t *testing.T) {
	s := guidedSample(t)
	path := s.ownFile(t)
	entries, err := opened(t, path).Entries(s.listing)
	if err != nil {
		t.Fatal(err)
	}
	imported := filepath.Join(t.TempDir(), "imported.safetensors")
	if err := weights.Write(imported, nil, entries); err != nil {
		t.Fatal(err)
	}
	f, err := weights.Open(imported)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, ok := f.Lookup("model/guide/w"); !ok {
		t.Error("model/guide/w is not in the file")
	}
	store, err := s.model.Load(backendtest.Open(t), f, models.WeightsScope, models.EMAScope)
	if err != nil {
		t.Fatal(err)
	}
	if want := 2 * len(s.listing.Weights); store.NumVariables() != want {
		t.Errorf("%d variables, want %d", store.NumVariables(), want)
	}
}

// Under published names it can neither be exported nor imported, and one sentence says so.
func TestPublishedNamesOfAnotherNetwork(t *testing.T) {
	s := guidedSample(t)
	const want = "1 of this network's 136 parameters have no counterpart in the published code, the first of them guide/w"
	f, err := weights.Open(s.ownFile(t))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := Export(f, models.WeightsScope, s.model, s.listing, "linear"); err == nil || err.Error() != want {
		t.Errorf("export: error %v, want %q", err, want)
	}
	path := saved(t, s.checkpoint())
	if _, err := opened(t, path).Entries(s.listing); err == nil || err.Error() != path+": its names are those of the published code: "+want {
		t.Errorf("import: error %v, want the path and %q", err, want)
	}
}

// Layers that the published code doesn't have are not counted: all others keep their numbers.
func TestNumbersOfAnotherNetwork(t *testing.T) {
	s, other := newSample(t), guidedSample(t)
	names := NewNames(other.listing.Layers)
	for _, w := range s.weights {
		if got, err := names.Of(w.Weight); err != nil || got != w.Place {
			t.Errorf("%s: place %v, error %v, want %v", w.Path, got, err, w.Place)
		}
	}
}

// Only what the published network has, has a published name.
func TestNoCounterpart(t *testing.T) {
	layers := []string{"time0", "in", "in2", "down0/0", "down0/0/attention", "down0/0/cross", "down0/skip", "middle/0", "head/0", "out"}
	names := NewNames(layers)
	if want := []string{"time0", "in", "down0/0", "down0/0/attention", "middle/0", "out"}; !slices.Equal(names.numbers, want) {
		t.Errorf("numbered %v, want %v", names.numbers, want)
	}
	for _, path := range []string{"in2/w", "down0/0/cross/q/w", "down0/skip/conv0/w", "head/0/w", "down0/0/film/w", "in/table", "in/gain", "nowhere/w", "w"} {
		if place, err := names.Of(models.Weight{Path: path, Shape: []int{2, 3}}); err == nil || !strings.HasSuffix(err.Error(), "no counterpart of "+path) {
			t.Errorf("%s: place %v, error %v, want no counterpart", path, place, err)
		}
	}
	if place, err := names.Of(models.Weight{Path: "out/w", Shape: []int{3, 3, 2, 1}}); err != nil || place != (Place{"unet.all_modules.5.weight", ConvOIHW}) {
		t.Errorf("out/w: place %v, error %v", place, err)
	}
}

// A network that learns variances has twice the published outputs.
func TestNetworksThatLearnVariancesAreNotExported(t *testing.T) {
	s := newSample(t)
	s.config.Diffusion.Variance = "learned"
	m, err := models.New(s.config)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Export(nil, models.EMAScope, m, s.listing, "linear"); err == nil || !strings.Contains(err.Error(), "no outputs for diffusion.variance: learned") {
		t.Errorf("error %v, want that there are no outputs for the variance", err)
	}
}

// Networks that are told more than the published one have only published names, but other shapes.
func TestNetworksThatAreToldMoreAreNotExported(t *testing.T) {
	for _, option := range []string{"self_conditioning", "level_per_frame", "frame_times"} {
		s := newSample(t)
		s.config.Model.Options[option] = true
		m, err := models.New(s.config)
		if err != nil {
			t.Fatal(err)
		}
		l, err := m.List(backendtest.Open(t))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Export(nil, models.EMAScope, m, l, "linear"); err == nil || !strings.Contains(err.Error(), "no input for model.options."+option) {
			t.Errorf("error %v, want that there is no input for %s", err, option)
		}
		if _, err := Export(nil, models.EMAScope, s.model, s.listing, "linear"); err != nil {
			t.Errorf("without it: %v", err)
		}
	}
}
