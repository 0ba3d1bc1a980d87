package published

import (
	"encoding/binary"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"mcvd/models"
	"mcvd/models/weights"
)

// Part is the result of importing a part of a file, for training that begins anew from some of its
// weights.
type Part struct {
	Entries []weights.Entry // a checkpoint of this project, as of [Checkpoint.Entries]
	Rows    []Row           // where the parameters come from, layer by layer, then what of the file is not used
}

// Row is a line of the table of a partial import: the tensors of a layer that have one origin.
type Row struct {
	Origin          string // FromFile, FirstWeights or Unused
	Layer           string // here; empty for Unused
	InFile          string // how the names of the tensors in the file begin; empty for FirstWeights
	Tensors, Values int
}

// The origins of a parameter in a partial import, and what is left over.
const (
	FromFile     = "file"
	FirstWeights = "first weights"
	Unused       = "unused"
)

// Part takes from the file the parameters that match one of the patterns. All others get the first
// weights of the seed. The average starts as the weights, and Adam's means are zeros. Weights are
// taken from the file's weights, not from its average.
//
// A pattern is one of [path.Match]. It is compared with a parameter's path, such as
// "down0/0/conv1/w", and with each beginning of it that ends before a slash. So "down*" means
// everything below down0, down1 and so on. It is an error if a pattern matches nothing, and if a
// matching parameter is missing in the file or has another shape there.
func (c *Checkpoint) Part(l models.Listing, only []string, seed uint64) (*Part, error) {
	if err := checkPatterns(l, only); err != nil {
		return nil, fmt.Errorf("%s: %w", c.path, err)
	}
	if err := c.checkLayers(l); err != nil {
		return nil, fmt.Errorf("%s: %w", c.path, err)
	}
	part, rows := &Part{}, table{at: map[Row]int{}}
	names, used := NewNames(l.Layers), map[string]bool{}
	var taken []located
	var problems []string
	for _, w := range l.Weights {
		if !slices.ContainsFunc(only, func(pattern string) bool { return matches(pattern, w.Path) }) {
			part.add(w, firstWeights(w, seed))
			rows.count(FirstWeights, names.group(w.Path), "", w.Shape)
			continue
		}
		p := located{w, Place{w.Path, Same}}
		if !c.own {
			var err error
			if p.Place, err = names.Of(w); err != nil {
				problems = append(problems, err.Error())
				continue
			}
		}
		taken = append(taken, p)
		name := c.weights.inFile(p.Name)
		used[name] = true
		part.add(w, c.takenFrom(name, p))
		rows.count(FromFile, names.group(w.Path), names.group(name), w.Shape)
	}
	if problems = append(problems, c.weights.lacks("", taken)...); len(problems) > 0 {
		return nil, fmt.Errorf("%s: not the weights of what is to be imported:%s", c.path, weights.List(problems))
	}
	for _, name := range c.weights.names {
		if !used[name] && !isBuffer(name) {
			rows.count(Unused, "", printable(names.group(name)), c.weights.tensors[name].Shape())
		}
	}
	for _, t := range c.strays {
		rows.count(Unused, "", printable(t.Name), t.Shape)
	}
	part.Rows = rows.rows
	slices.SortFunc(part.Entries, func(a, b weights.Entry) int { return strings.Compare(a.Name, b.Name) })
	return part, nil
}

// add adds the entries of a parameter to a checkpoint. data returns its weights; it is called a
// second time for their average.
func (p *Part) add(w models.Weight, data func() ([]byte, error)) {
	for _, scope := range []string{models.WeightsScope, models.EMAScope} {
		p.Entries = append(p.Entries, weights.Entry{Tensor: weights.Tensor{Name: scope + "/" + w.Path, DType: weights.F32, Shape: w.Shape}, Data: data})
	}
	for _, scope := range []string{models.AdamMeanScope, models.AdamSquareScope} {
		p.Entries = append(p.Entries, entry(scope+"/"+w.Path, w.Shape, Same, zeros(w.Shape)))
	}
}

// table collects rows.
type table struct {
	rows []Row
	at   map[Row]int // by what they are of, without numbers
}

// count adds a tensor to the row of its origin, layer and place in the file.
func (t *table) count(origin, layer, inFile string, shape []int) {
	key := Row{Origin: origin, Layer: layer, InFile: inFile}
	i, ok := t.at[key]
	if !ok {
		i = len(t.rows)
		t.at[key], t.rows = i, append(t.rows, key)
	}
	t.rows[i].Tensors++
	t.rows[i].Values += size(shape)
}

// group is the layer of a name, here or in a file, or what stands for it if there is none.
func (n Names) group(name string) string {
	if layer := n.layerOf(name); layer != "" {
		return layer
	}
	if rest, ok := strings.CutPrefix(name, modules); ok {
		number, _, _ := strings.Cut(rest, ".")
		return modules + number
	}
	if i := strings.LastIndex(name, "/"); i > 0 {
		return name[:i]
	}
	return name
}

// size is the number of values of a tensor.
func size(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// takenFrom reads a parameter from the file, where it has that name.
func (c *Checkpoint) takenFrom(name string, p located) func() ([]byte, error) {
	return func() ([]byte, error) { return entry(p.Path, p.Shape, p.Layout, c.weights.tensors[name]).Data() }
}

// firstWeights makes those of a parameter.
func firstWeights(w models.Weight, seed uint64) func() ([]byte, error) {
	return func() ([]byte, error) {
		values, err := w.First(seed)
		if err != nil {
			return nil, err
		}
		return binary.Append(nil, binary.LittleEndian, values)
	}
}

// matches is whether a pattern matches a path, or a part of it that ends before a slash.
func matches(pattern, whole string) bool {
	pattern = strings.TrimSuffix(pattern, "/")
	for end := 1; end <= len(whole); end++ {
		if end < len(whole) && whole[end] != '/' {
			continue
		}
		if ok, _ := path.Match(pattern, whole[:end]); ok {
			return true
		}
	}
	return false
}

// checkPatterns reports a pattern that is malformed, and one that matches no parameter.
func checkPatterns(l models.Listing, only []string) error {
	for _, pattern := range only {
		if _, err := path.Match(pattern, ""); err != nil {
			return fmt.Errorf("pattern %q: %w, want one such as down* or middle/0", pattern, err)
		}
		if !slices.ContainsFunc(l.Weights, func(w models.Weight) bool { return matches(pattern, w.Path) }) {
			return fmt.Errorf("pattern %q: matches no parameter of this configuration, whose layers are %s", pattern, strings.Join(l.Layers, ", "))
		}
	}
	return nil
}

// checkLayers refuses a file by published names whose layers are not one by one those of the
// network. The names contain the numbers of layers, and in another network the same number is
// another layer. Shapes alone would not tell.
func (c *Checkpoint) checkLayers(l models.Listing) error {
	if c.own {
		return nil
	}
	file, here := map[string][]int{}, map[string][]int{}
	for name, t := range c.weights.tensors {
		file[name] = t.Shape()
	}
	names := NewNames(l.Layers)
	for _, w := range l.Weights {
		if place, err := names.Of(w); err == nil {
			here[place.Name] = place.Layout.Shape(w.Shape)
		}
	}
	got, want := kinds(file), kinds(here)
	for i := range max(len(got), len(want)) {
		g, w := "nothing", "nothing"
		if i < len(got) {
			g = got[i]
		}
		if i < len(want) {
			w = want[i]
		}
		if g != w {
			return fmt.Errorf("other layers than this configuration's: number %d, by which names in the file begin, is %s in the file and %s in the configured network; "+
				"import all of the file with its own configuration first, then a part of that run's checkpoint", i, g, w)
		}
	}
	return nil
}

// kinds says what each layer of a published network is, by its number.
func kinds(shapes map[string][]int) []string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(shapes)) {
		shape := shapes[name]
		rest, ok := strings.CutPrefix(name, modules)
		number, inside, also := strings.Cut(rest, ".")
		n, err := strconv.Atoi(number)
		if !ok || !also || err != nil || n < 0 || n >= len(shapes) { // no layer of the published code, which counts them without a gap
			continue
		}
		for len(all) <= n {
			all = append(all, "nothing")
		}
		switch kind, _, _ := strings.Cut(inside, "_"); {
		case kind == "actnorm0.Dense", kind == "Conv":
			all[n] = "a residual block"
		case kind == "NIN":
			all[n] = "attention"
		case kind == "Norm", inside == "weight" && len(shape) == 1: // the latter is its early name
			all[n] = "a norm"
		case inside == "weight" && len(shape) == 4:
			all[n] = "a convolution"
		case inside == "weight":
			all[n] = "a matrix"
		}
	}
	return all
}
