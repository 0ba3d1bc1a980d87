package published

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"

	"mcvd/models"
	"mcvd/models/network"
	"mcvd/models/weights"
	"mcvd/models/weights/torch"
)

// Checkpoint is an open file of weights.
type Checkpoint struct {
	path   string
	closer io.Closer

	weights, ema *state   // ema is nil if the file has none
	adam         []moment // in the order of the weights; nil if the file has none
	own          bool     // whether names and layouts are this project's

	// Step is how many training steps the weights have seen, Updates how many of these the optimizer's state in the file has; 0 where
	// the file doesn't say.
	Step, Updates int
	// Metadata is that of a safetensors file.
	Metadata map[string]string
}

// moment is Adam's running means for one parameter.
type moment struct{ mean, square tensor }

// Open opens a file: what torch.save wrote, with the published code's list of model, optimizer, epoch, step and EMA or with a state dict
// alone; or a safetensors file with a state dict, by published names or by this project's. Tensors stay on disk.
func Open(path string) (*Checkpoint, error) {
	isSafetensors, err := sniff(path)
	if err != nil {
		return nil, err
	}
	if isSafetensors {
		return openSafetensors(path)
	}
	f, err := torch.Open(path)
	if err != nil {
		return nil, err
	}
	c := &Checkpoint{path: path, closer: f}
	if err := c.readRoot(f.Root()); err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// sniff says whether a file begins like a safetensors file: 8 bytes of a length, then JSON.
func sniff(path string) (bool, error) {
	if info, err := os.Stat(path); err != nil {
		return false, err
	} else if !info.Mode().IsRegular() {
		return false, fmt.Errorf("%s: not a file", path)
	}
	file, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer file.Close()
	var start [9]byte
	_, err = io.ReadFull(file, start[:])
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return false, nil
	}
	return start[8] == '{', err
}

// Close closes the file.
func (c *Checkpoint) Close() error { return c.closer.Close() }

// HasEMA is whether the file has averaged weights.
func (c *Checkpoint) HasEMA() bool { return c.ema != nil }

// HasAdam is whether the file has the optimizer's state.
func (c *Checkpoint) HasAdam() bool { return c.adam != nil }

func openSafetensors(path string) (*Checkpoint, error) {
	f, err := weights.Open(path)
	if err != nil {
		return nil, err
	}
	if err := f.Verify(); err != nil {
		f.Close()
		return nil, err
	}
	c := &Checkpoint{path: path, closer: f, Metadata: f.Metadata()}
	if ema := fileState(f, models.EMAScope+"/"); len(ema.names) > 0 {
		c.own, c.ema, c.weights = true, ema, ema
	}
	if own := fileState(f, models.WeightsScope+"/"); len(own.names) > 0 {
		c.own, c.weights = true, own
	}
	if !c.own {
		c.weights = fileState(f, "")
		return c, nil
	}
	means, squares := fileState(f, models.AdamMeanScope+"/"), fileState(f, models.AdamSquareScope+"/")
	for _, name := range c.weights.names {
		if len(means.names) > 0 {
			c.adam = append(c.adam, moment{means.tensors[name], squares.tensors[name]})
		}
	}
	return c, nil
}

// readRoot takes the value of a file apart.
func (c *Checkpoint) readRoot(root any) (err error) {
	list, isList := root.(torch.List)
	if !isList {
		c.weights, err = torchState("the file", root)
		return err
	}
	if len(list) < 4 || len(list) > 5 {
		return fmt.Errorf("a list of %d, want the published [model, optimizer, epoch, step, EMA] or, without EMA, four", len(list))
	}
	if c.weights, err = torchState("model state (entry 0 of the list)", list[0]); err != nil {
		return err
	}
	step, ok := list[3].(int64)
	if !ok || step < 0 || step > math.MaxInt32 {
		return fmt.Errorf("step (entry 3 of the list): got %v (%s), want a number of steps", list[3], kind(list[3]))
	}
	c.Step = int(step)
	if len(list) == 5 && list[4] != nil {
		if c.ema, err = torchState("EMA state (entry 4 of the list)", list[4]); err != nil {
			return err
		}
	}
	if err := c.readAdam(list[1]); err != nil {
		return fmt.Errorf("optimizer state (entry 1 of the list): %w", err)
	}
	return nil
}

// readAdam reads the state dict of PyTorch's Adam: "state" has mean, square and step of each parameter by its number, and the
// parameters of "param_groups" are numbered in the order of the model's state dict. An optimizer that made no step has no state.
func (c *Checkpoint) readAdam(v any) error {
	dict, ok := v.(*torch.Dict)
	if !ok {
		return fmt.Errorf("got %s, want a dict", kind(v))
	}
	all, _ := dict.Get("state")
	states, ok := all.(*torch.Dict)
	if !ok {
		return fmt.Errorf(`"state": got %s, want a dict`, kind(all))
	}
	if states.Len() == 0 {
		return nil
	}
	parameters := 0
	for _, name := range c.weights.names {
		if !isBuffer(name) {
			parameters++
		}
	}
	if states.Len() != parameters {
		return fmt.Errorf("state of %d parameters, the model has %d", states.Len(), parameters)
	}
	for i := range parameters {
		entry, _ := states.Get(int64(i))
		one, ok := entry.(*torch.Dict)
		if !ok {
			return fmt.Errorf("parameter %d: got %s, want a dict", i, kind(entry))
		}
		mean, _ := one.Get("exp_avg")
		square, _ := one.Get("exp_avg_sq")
		m, okMean := mean.(*torch.Tensor)
		s, okSquare := square.(*torch.Tensor)
		step, _ := one.Get("step")
		n, err := updates(step)
		if !okMean || !okSquare || err != nil {
			return fmt.Errorf("parameter %d: exp_avg is %s, exp_avg_sq %s, step %v: want Adam's", i, kind(mean), kind(square), step)
		}
		if i > 0 && n != c.Updates {
			return fmt.Errorf("parameter %d: step %d, parameter 0 has %d: want the same for all", i, n, c.Updates)
		}
		c.Updates = n
		c.adam = append(c.adam, moment{m, s})
	}
	return nil
}

// updates reads the number of steps of an optimizer, an integer or, since PyTorch 1.12, a tensor of one number.
func updates(v any) (int, error) {
	switch v := v.(type) {
	case int64:
		if v >= 0 && v <= math.MaxInt32 {
			return int(v), nil
		}
	case *torch.Tensor:
		values, err := v.Float32s()
		if err == nil && len(values) == 1 && values[0] >= 0 && values[0] <= math.MaxInt32 {
			return int(values[0]), nil
		}
	}
	return 0, errors.New("not a number of steps")
}

// Entries lists what a checkpoint of this project holds for the model's weights w: the weights, their average (the weights themselves
// if the file has none), and Adam's running means (zeros if the file has none). Every name that is missing or that the model doesn't
// have, and every wrong shape, is named in the error. The file is read while the entries are written, tensor by tensor.
func (c *Checkpoint) Entries(w []models.Weight) ([]weights.Entry, error) {
	ema := c.ema
	if ema == nil {
		ema = c.weights
	}
	problems := slices.Concat(c.check("", c.weights, w), c.checkMoments(w))
	if c.ema != nil && c.ema != c.weights {
		problems = append(problems, c.check("EMA: ", c.ema, w)...)
	}
	if len(problems) > 0 {
		return nil, fmt.Errorf("%s: not the weights of this configuration:\n  %s", c.path, strings.Join(problems, "\n  "))
	}
	moments := c.byName()
	var entries []weights.Entry
	for _, p := range w {
		name, layout := c.name(p)
		add := func(scope string, t tensor) {
			entries = append(entries, entry(scope+"/"+p.Path, p.Shape, layout, t))
		}
		m, ok := moments[name]
		if !ok {
			m = moment{zeros(p.Shape), zeros(p.Shape)}
		}
		add(models.WeightsScope, c.weights.tensors[name])
		add(models.EMAScope, ema.tensors[name])
		add(models.AdamMeanScope, m.mean)
		add(models.AdamSquareScope, m.square)
	}
	return entries, nil
}

// name is a weight's name and layout in the file.
func (c *Checkpoint) name(w models.Weight) (string, network.Layout) {
	if c.own {
		return w.Path, network.Same
	}
	return w.Published.Name, w.Published.Layout
}

// check lists what is wrong with a state.
func (c *Checkpoint) check(what string, s *state, w []models.Weight) (problems []string) {
	known := map[string]bool{}
	for _, p := range w {
		name, layout := c.name(p)
		known[name] = true
		want := layout.Shape(p.Shape)
		if t, ok := s.tensors[name]; !ok {
			problems = append(problems, fmt.Sprintf("%s%s: missing, want shape %v (%s here)", what, name, want, p.Path))
		} else if !slices.Equal(t.Shape(), want) {
			problems = append(problems, fmt.Sprintf("%s%s: shape %v, want %v", what, name, t.Shape(), want))
		}
	}
	for _, name := range s.names {
		if !known[name] && !isBuffer(name) {
			problems = append(problems, fmt.Sprintf("%s%s: shape %v, not a parameter of this model", what, name, s.tensors[name].Shape()))
		}
	}
	return problems
}

// byName is Adam's running means by the parameters' names.
func (c *Checkpoint) byName() map[string]moment {
	moments := map[string]moment{}
	for _, name := range c.weights.names {
		if !isBuffer(name) && len(moments) < len(c.adam) {
			moments[name] = c.adam[len(moments)]
		}
	}
	return moments
}

// checkMoments lists what is wrong with Adam's running means.
func (c *Checkpoint) checkMoments(w []models.Weight) (problems []string) {
	moments := c.byName()
	for _, p := range w {
		name, layout := c.name(p)
		m, ok := moments[name]
		if ok && (m.mean == nil || m.square == nil) {
			problems = append(problems, fmt.Sprintf("optimizer: %s: missing", name))
		} else if want := layout.Shape(p.Shape); ok && !(slices.Equal(m.mean.Shape(), want) && slices.Equal(m.square.Shape(), want)) {
			problems = append(problems, fmt.Sprintf("optimizer: %s: shapes %v and %v, want %v", name, m.mean.Shape(), m.square.Shape(), want))
		}
	}
	return problems
}

// zeros is a tensor of zeros of that shape.
type zeros []int

func (z zeros) Shape() []int { return z }

func (z zeros) Float32s() ([]float32, error) {
	n := 1
	for _, d := range z {
		n *= d
	}
	return make([]float32, n), nil
}
