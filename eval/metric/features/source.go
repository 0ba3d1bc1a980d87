package features

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"mcvd/models/weights"
	"mcvd/models/weights/torch"
)

// tensor is a tensor in a file.
type tensor interface {
	Shape() []int
	Float32s() ([]float32, error)
}

// sources are the tensors of open files, by name. Names of dicts in dicts are joined by points.
type sources struct {
	tensors map[string]tensor
	files   []io.Closer
	names   []string // of the files, without their folders
	sums    []string // their SHA-256
}

// openSources opens files of torch.save, TorchScript archives, plain pickles and safetensors. Nothing in them is executed.
func openSources(paths []string) (*sources, error) {
	s := &sources{tensors: map[string]tensor{}}
	for _, path := range paths {
		if err := s.open(path); err != nil {
			return nil, errors.Join(err, s.close())
		}
	}
	return s, nil
}

func (s *sources) close() error {
	var errs []error
	for _, f := range s.files {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}

func (s *sources) open(path string) error {
	sum, err := weights.SHA256(path)
	if err != nil {
		return err
	}
	s.names, s.sums = append(s.names, filepath.Base(path)), append(s.sums, sum)
	isSafetensors, err := weights.Is(path)
	if err != nil {
		return err
	}
	if isSafetensors {
		f, err := weights.Open(path)
		if err != nil {
			return err
		}
		s.files = append(s.files, f)
		for _, t := range f.Tensors() {
			if err := s.add(t.Name, stored{f, t}); err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
		}
		return nil
	}
	f, err := torch.OpenPickle(path)
	if err != nil {
		return err
	}
	s.files = append(s.files, f)
	if err := s.walk("", f.Root()); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// stored is a tensor of a safetensors file.
type stored struct {
	file *weights.File
	weights.Tensor
}

func (t stored) Shape() []int                 { return t.Tensor.Shape }
func (t stored) Float32s() ([]float32, error) { return t.file.Float32s(t.Name) }

// Bounds of what files may make us remember.
const (
	maxTensors    = 10_000
	maxTensorName = 1024 // bytes
)

// wrappers are parts of names that say nothing of the network: those of whole modules, of training
// scripts' dicts, and of modules for several devices.
var wrappers = []string{"_modules", "_parameters", "_buffers", "state_dict", "model_state_dict", "module", "model"}

// walk adds the tensors of a value and of those below it.
func (s *sources) walk(name string, v any) error {
	switch v := v.(type) {
	case *torch.Tensor:
		return s.add(name, v)
	case *torch.Dict:
		for key, value := range v.All() {
			if key, ok := key.(string); ok {
				if err := s.walk(joinNames(name, key), value); err != nil {
					return err
				}
			}
		}
	case *torch.Object:
		a, err := v.Array()
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if a != nil {
			return s.add(name, a)
		}
		return s.walk(name, v.State)
	}
	return nil
}

func joinNames(name, key string) string {
	if name == "" || len(name) > maxTensorName { // too long already, which add says
		return name + key
	}
	return name + "." + key
}

// add adds a tensor by its name without what says nothing of the network.
func (s *sources) add(name string, t tensor) error {
	if len(name) > maxTensorName {
		return fmt.Errorf("a tensor with a name of more than %d bytes", maxTensorName)
	}
	if len(s.tensors) == maxTensors {
		return fmt.Errorf("more than %d tensors", maxTensors)
	}
	parts := strings.FieldsFunc(name, func(r rune) bool { return r == '.' || r == '/' })
	for len(parts) > 1 && slices.Contains(wrappers, parts[0]) {
		parts = parts[1:]
	}
	parts = slices.DeleteFunc(parts, func(p string) bool { return strings.HasPrefix(p, "_") && slices.Contains(wrappers, p) })
	name = strings.Join(parts, ".")
	if s.tensors[name] != nil {
		return fmt.Errorf("tensor %q: there twice", name)
	}
	s.tensors[name] = t
	return nil
}

// contents says what tensors there are.
func (s *sources) contents() string {
	if len(s.tensors) == 0 {
		return "no tensors"
	}
	return shortened(slices.Sorted(maps.Keys(s.tensors)))
}

// find is the first of some names that a tensor has; "" if none has.
func (s *sources) find(names []string) string {
	for _, name := range names {
		if s.tensors[name] != nil {
			return name
		}
	}
	return ""
}

// read reads a tensor of the shape; axes of one element before it don't matter.
func (s *sources) read(names []string, shape ...int) ([]float32, error) {
	name := s.find(names)
	if name == "" {
		return nil, fmt.Errorf("no tensor %s", strings.Join(names, " or "))
	}
	got := s.tensors[name].Shape()
	core := got
	for len(core) > len(shape) && core[0] == 1 {
		core = core[1:]
	}
	if !slices.Equal(core, shape) {
		return nil, fmt.Errorf("tensor %s has shape %v, want %v", name, got, shape)
	}
	values, err := s.tensors[name].Float32s()
	if err != nil {
		return nil, fmt.Errorf("tensor %s: %w", name, err)
	}
	return values, nil
}
