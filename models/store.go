package models

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"mcvd/models/nn"
	"mcvd/models/weights"
)

// Weight is a parameter of a model's network.
type Weight struct {
	Path  string // relative to a scope such as [WeightsScope]: "down0/0/conv1/w"
	Shape []int
	First func(seed uint64) ([]float32, error) // the values that training begins with
}

// Listing is what a model's network is made of.
type Listing struct {
	Layers  []string // in building order: "in", "down0/0", "down0/0/attention"
	Weights []Weight
}

// List lists the layers and the parameters of the model's network.
func (m *Model) List(backend compute.Backend) (Listing, error) {
	var l Listing
	b, scope := nn.NewBuilder(backend), model.NewStore().Scope("/"+WeightsScope)
	b.Trace = func(layer string, _ *graph.Node) { l.Layers = append(l.Layers, layer) }
	if err := m.declare(backend, b, scope, 1, nil); err != nil {
		return Listing{}, err
	}
	for v := range scope.IterVariables() {
		l.Weights = append(l.Weights, Weight{
			Path:  strings.TrimPrefix(v.Path(), scope.Scope()+"/"),
			Shape: v.Shape().Dimensions,
			First: func(seed uint64) ([]float32, error) { return nn.First(scope, v, seed) },
		})
	}
	return l, nil
}

// Entries lists the variables of a store for a file, under the names that [Model.Load] expects:
// their paths without the leading slash.
func Entries(store *model.Store) []weights.Entry {
	var entries []weights.Entry
	for v := range store.IterVariables() {
		entries = append(entries, weights.Entry{
			Tensor: weights.Tensor{Name: strings.TrimPrefix(v.Path(), "/"), DType: weights.F32, Shape: v.Shape().Dimensions},
			Data: func() (data []byte, err error) {
				value, err := v.Value()
				if err != nil {
					return nil, err
				}
				err = tensors.ConstFlatData(value, func(flat []float32) {
					data = make([]byte, 4*len(flat))
					for i, x := range flat { // half the time of binary.Append, for which steps wait
						binary.LittleEndian.PutUint32(data[4*i:], math.Float32bits(x))
					}
				})
				return data, err
			},
		})
	}
	slices.SortFunc(entries, func(a, b weights.Entry) int { return strings.Compare(a.Name, b.Name) })
	return entries
}

// Load makes a store with the model's parameters in each of the scopes, such as [EMAScope], from a
// file. In these scopes the file must hold exactly the model's parameters in their shapes. The
// error names what is missing, has another shape, or does not belong to the model.
func (m *Model) Load(backend compute.Backend, f *weights.File, scopes ...string) (*model.Store, error) {
	store := model.NewStore()
	var problems []string
	for _, name := range scopes {
		found, err := m.load(backend, store.Scope("/"+name), f, name)
		if err != nil {
			return nil, err
		}
		problems = append(problems, found...)
	}
	if err := notOurs(problems); err != nil {
		return nil, err
	}
	return store, nil
}

// LoadSecond makes second the model that guidance compares with this one, and loads its averaged
// weights from a file into a store that has this model's. Models whose frames have another shape,
// or that are not both self-conditioned, told times or told the noise of the past, are an
// error. That their noise levels and targets are the same is for the caller to see to.
func (m *Model) LoadSecond(backend compute.Backend, store *model.Store, f *weights.File, second *Model) error {
	shape := func(m *Model) string {
		return fmt.Sprintf("%d past, %d current and %d future frames of %dx%dx%d, self-conditioned %t, told times %t, told the noise of the past %t",
			m.Frames.Past, m.Frames.Current, m.Frames.Future, m.Height, m.Width, m.Channels, m.SelfConditioned(), m.ToldTimes(), m.ToldPastNoise())
	}
	if got, want := shape(second), shape(m); got != want {
		return fmt.Errorf("a model of %s, want that of the run: %s", got, want)
	}
	problems, err := second.load(backend, store.Scope("/"+SecondScope), f, EMAScope)
	if err = cmp.Or(err, notOurs(problems)); err == nil {
		m.Second = second
	}
	return err
}

// load declares the model's parameters in a scope and sets them to those that a file has in the scope of
// that name. It returns what is wrong with the file.
func (m *Model) load(backend compute.Backend, scope *model.Scope, f *weights.File, name string) (problems []string, err error) {
	if _, err := m.Declare(backend, scope, 1); err != nil {
		return nil, err
	}
	expected := map[string]bool{}
	for v := range scope.IterVariables() {
		name := name + strings.TrimPrefix(v.Path(), scope.Scope())
		expected[name] = true
		if problem := loadVariable(v, f, name); problem != "" {
			problems = append(problems, problem)
		}
	}
	for _, t := range f.Tensors() {
		if !expected[t.Name] && strings.HasPrefix(t.Name, name+"/") {
			problems = append(problems, t.Name+": not a parameter of this model")
		}
	}
	return problems, nil
}

// notOurs is the error of weights that have problems, nil if there are none.
func notOurs(problems []string) error {
	if len(problems) == 0 {
		return nil
	}
	return fmt.Errorf("the weights are not those of this model:%s", weights.List(problems))
}

// loadVariable sets a variable from a file. It returns what is wrong with the file, or "".
func loadVariable(v *model.Variable, f *weights.File, name string) string {
	info, ok := f.Lookup(name)
	if !ok {
		return name + ": missing"
	}
	if !slices.Equal(info.Shape, v.Shape().Dimensions) {
		return fmt.Sprintf("%s: shape %v, want %v", name, info.Shape, v.Shape().Dimensions)
	}
	values, err := f.Float32s(name)
	if err == nil {
		err = v.SetValue(tensors.FromFlatDataAndDimensions(values, info.Shape...))
	}
	if err != nil {
		return fmt.Sprintf("%s: %v", name, err)
	}
	return ""
}
