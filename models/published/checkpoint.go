package published

import (
	"fmt"
	"io"
	"math"
	"strings"

	"mcvd/models"
	"mcvd/models/weights"
	"mcvd/models/weights/torch"
)

// Checkpoint is an open file of weights.
type Checkpoint struct {
	path   string
	closer io.Closer

	weights, ema *state           // ema is nil if the file has none; both are the same if it has only the average
	mean, square *state           // Adam's running means by the names of the weights; nil if the file has none
	own          bool             // whether names and layouts are this project's
	strays       []weights.Tensor // tensors that are none of the above
	summed       bool             // whether all of the file has checksums

	// Step is the number of training steps behind the weights, Updates the number behind the
	// optimizer's state. They are 0 if the file doesn't say.
	Step, Updates int
	// Metadata is that of a safetensors file.
	Metadata map[string]string
}

// Open opens a file of one of these kinds: the published code's list of model, optimizer, epoch,
// step and EMA, or a state dict alone, both written by torch.save; or a safetensors file with a
// state dict, with published names or with this project's. Tensors stay on disk.
func Open(path string) (*Checkpoint, error) {
	isSafetensors, err := weights.Is(path)
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
	c := &Checkpoint{path: path, closer: f, summed: f.Summed()}
	if err := c.readRoot(f.Root()); err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// Close closes the file.
func (c *Checkpoint) Close() error { return c.closer.Close() }

// HasPublishedNames is whether the tensors have the published code's names, rather than this
// project's.
func (c *Checkpoint) HasPublishedNames() bool { return !c.own }

// HasWeights is whether the file has the weights that training changes, rather than their average
// alone.
func (c *Checkpoint) HasWeights() bool { return c.weights != c.ema }

// HasEMA is whether the file has averaged weights.
func (c *Checkpoint) HasEMA() bool { return c.ema != nil }

// HasAdam is whether the file has the optimizer's state.
func (c *Checkpoint) HasAdam() bool { return c.mean != nil }

// HasChecksums says whether everything that is read of the file has checksums, which are compared.
// If not, damage can go unnoticed.
func (c *Checkpoint) HasChecksums() bool { return c.summed }

// openSafetensors leaves checksums to be compared when each tensor is read.
func openSafetensors(path string) (*Checkpoint, error) {
	f, err := weights.Open(path)
	if err != nil {
		return nil, err
	}
	c := &Checkpoint{path: path, closer: f, summed: f.Summed(), Metadata: f.Metadata()}
	if err := c.readTensors(f); err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// readTensors assigns the tensors of a safetensors file: by this project's scopes, or as one state
// dict by published names.
func (c *Checkpoint) readTensors(f *weights.File) error {
	scopes := map[string]**state{models.WeightsScope: &c.weights, models.EMAScope: &c.ema,
		models.AdamMeanScope: &c.mean, models.AdamSquareScope: &c.square}
	all := newState()
next:
	for _, t := range f.Tensors() {
		for scope, s := range scopes {
			if name, ok := strings.CutPrefix(t.Name, scope+"/"); ok {
				if *s == nil {
					*s = newState()
				}
				if err := (*s).add(name, stored{f, t}); err != nil {
					return err
				}
				c.own = true
				continue next
			}
		}
		c.strays = append(c.strays, t)
		if err := all.add(strings.TrimPrefix(t.Name, parallelPrefix), stored{f, t}); err != nil {
			return err
		}
	}
	if !c.own {
		c.weights, c.strays = all, nil
		return nil
	}
	if c.weights == nil && c.ema == nil {
		return fmt.Errorf("no weights in it, neither %s/ nor %s/", models.WeightsScope, models.EMAScope)
	}
	if c.weights == nil {
		c.weights = c.ema
	}
	if c.mean == nil && c.square != nil {
		c.mean = newState()
	} else if c.square == nil && c.mean != nil {
		c.square = newState()
	}
	return nil
}

// readRoot assigns the parts of a file of torch.save.
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
	if !ok {
		return fmt.Errorf("step (entry 3 of the list): got %s, want a number of steps", kind(list[3]))
	}
	if step < 0 || step > math.MaxInt32 {
		return fmt.Errorf("step (entry 3 of the list): got %d, want 0 to %d", step, math.MaxInt32)
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
