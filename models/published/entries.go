package published

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"mcvd/models"
	"mcvd/models/diffusion"
	"mcvd/models/weights"
)

// Entries lists what a checkpoint of this project holds for a model's weights, in its order: the
// weights, their average (the weights themselves if the file has none), and Adam's running means
// (zeros if the file has none). Missing names, names that the model doesn't have and wrong shapes
// are problems; the error names the first ten. The file is read tensor by tensor, while the entries
// are written.
func (c *Checkpoint) Entries(l models.Listing) ([]weights.Entry, error) {
	places, err := c.places(l)
	if err != nil {
		return nil, err
	}
	if problems := c.problems(places); len(problems) > 0 {
		return nil, c.mismatch(places, problems)
	}
	ema := c.ema
	if ema == nil {
		ema = c.weights
	}
	var entries []weights.Entry
	for _, p := range places {
		add := func(scope string, s *state) {
			var t tensor = zeros(p.Shape)
			if s != nil {
				t = s.tensors[s.inFile(p.Name)]
			}
			entries = append(entries, entry(scope+"/"+p.Path, p.Shape, p.Layout, t))
		}
		add(models.WeightsScope, c.weights)
		add(models.EMAScope, ema)
		add(models.AdamMeanScope, c.mean)
		add(models.AdamSquareScope, c.square)
	}
	slices.SortFunc(entries, func(a, b weights.Entry) int { return strings.Compare(a.Name, b.Name) })
	return entries, nil
}

// located is a weight and its place in a file.
type located struct {
	models.Weight
	Place
}

// places are the weights of a network with their places in a file: by this project's names, or by
// the published ones, which all weights must have.
func (c *Checkpoint) places(l models.Listing) ([]located, error) {
	if !c.own {
		places, err := published(l)
		if err != nil {
			return nil, fmt.Errorf("%s: its names are those of the published code: %w", c.path, err)
		}
		return places, nil
	}
	var places []located
	for _, w := range l.Weights {
		places = append(places, located{w, Place{w.Path, Same}})
	}
	return places, nil
}

// published are the weights of a network by their published names.
func published(l models.Listing) ([]located, error) {
	var places []located
	names, without := NewNames(l.Layers), []string(nil)
	for _, w := range l.Weights {
		place, err := names.Of(w)
		if err != nil {
			without = append(without, w.Path)
		}
		places = append(places, located{w, place})
	}
	if len(without) > 0 {
		return nil, fmt.Errorf("%d of this network's %d parameters have no counterpart in the published code, the first of them %s", len(without), len(l.Weights), without[0])
	}
	return places, nil
}

// problems lists what is wrong with the file. If the weights don't fit, neither do the average and
// Adam's means, so that is said only once.
func (c *Checkpoint) problems(w []located) []string {
	problems := c.weights.check("", w)
	for _, t := range c.strays {
		problems = append(problems, printable(t.Name)+": in none of the scopes of a checkpoint")
	}
	for _, other := range []struct {
		what string
		*state
	}{{"EMA: ", c.ema}, {"Adam's mean: ", c.mean}, {"Adam's mean square: ", c.square}} {
		if len(problems) == 0 && other.state != nil {
			problems = other.check(other.what, w)
		}
	}
	return problems
}

// check lists what is wrong with a state.
func (s *state) check(what string, w []located) []string {
	problems, known := s.lacks(what, w), map[string]bool{}
	for _, p := range w {
		known[s.inFile(p.Name)] = true
	}
	for _, name := range s.names {
		if !known[name] && !isBuffer(name) {
			problems = append(problems, fmt.Sprintf("%s%s: shape %v, not a parameter of this model", what, printable(name), s.tensors[name].Shape()))
		}
	}
	return problems
}

// lacks lists which of the weights are not in a state or have another shape there.
func (s *state) lacks(what string, w []located) (problems []string) {
	for _, p := range w {
		name, want := s.inFile(p.Name), p.Layout.Shape(p.Shape)
		if t, ok := s.tensors[name]; !ok {
			problems = append(problems, fmt.Sprintf("%s%s: missing, want shape %v (%s in mcvd)", what, name, want, p.Path))
		} else if !slices.Equal(t.Shape(), want) {
			problems = append(problems, fmt.Sprintf("%s%s: shape %v, want %v", what, name, t.Shape(), want))
		}
	}
	return problems
}

// printable is a name of a file for a message. It is quoted if it would do something to a terminal,
// and cut if it is longer than names are.
func printable(name string) string {
	if len(name) > 200 {
		name = name[:200] + "..."
	}
	if strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(name)
	}
	return name
}

// CheckSchedule reports a schedule in the file that is not the configuration's. Then the
// configuration belongs to another model.
func (c *Checkpoint) CheckSchedule(schedule diffusion.Schedule) error {
	t, ok := c.weights.tensors["alphas"]
	if !ok {
		return nil
	}
	s, ok := schedule.(*diffusion.Discrete)
	if !ok {
		return fmt.Errorf("%s: a schedule of %d steps, the configuration (diffusion.schedule) has a continuous one", c.path, t.Shape())
	}
	alphas, err := t.Float32s()
	if err != nil {
		return fmt.Errorf("%s: alphas: %w", c.path, err)
	}
	if len(alphas) != s.Steps() {
		return fmt.Errorf("%s: a schedule of %d steps, the configuration (diffusion.steps, model.num_classes) says %d", c.path, len(alphas), s.Steps())
	}
	for label, a := range alphas {
		if want := s.AlphaBar[s.Label(label)]; !(math.Abs(float64(a)-want) <= 1e-4) {
			return fmt.Errorf("%s: another schedule than the configuration's (diffusion, which model.sigma_dist, sigma_begin and sigma_end make): alphas[%d] is %g, the configuration gives %g", c.path, label, a, want)
		}
	}
	return nil
}

// zeros is a tensor of zeros of that shape.
type zeros []int

func (z zeros) Shape() []int { return z }

func (z zeros) Float32s() ([]float32, error) { return make([]float32, size(z)), nil }
