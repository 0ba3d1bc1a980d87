// Package published reads and writes the weights of the published PyTorch code of MCVD
// (voletiv/mcvd-pytorch): its checkpoints, and state dicts in safetensors files.
package published

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"mcvd/models/weights"
	"mcvd/models/weights/torch"
)

// tensor is a tensor in a file.
type tensor interface {
	Shape() []int
	Float32s() ([]float32, error)
}

// state is a state dict: named tensors, in the file's order where it has one.
type state struct {
	names   []string
	tensors map[string]tensor
}

func newState() *state { return &state{tensors: map[string]tensor{}} }

func (s *state) add(name string, t tensor) error {
	if s.tensors[name] != nil {
		return fmt.Errorf("%s: is in the file twice, with and without %q before it", name, parallelPrefix)
	}
	s.names = append(s.names, name)
	s.tensors[name] = t
	return nil
}

// parameters are the names that are not buffers, in the order of the published model's
// parameters(). This is the file's order, but module by module, because renaming moves a name to
// the end.
func (s *state) parameters() []string {
	names := slices.DeleteFunc(slices.Clone(s.names), isBuffer)
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(moduleNumber(a), moduleNumber(b)) })
	return names
}

// modules is the prefix of the names of all layers' parameters. The number of the layer follows.
const modules = "unet.all_modules."

// moduleNumber is N of unet.all_modules.N.
func moduleNumber(name string) int {
	rest, _ := strings.CutPrefix(name, modules)
	number, _, _ := strings.Cut(rest, ".")
	n, _ := strconv.Atoi(number)
	return n
}

// inFile is the name of a tensor in this state. Early files of the published code call the last
// norm unet.all_modules.N.weight instead of unet.all_modules.N.Norm_0.weight; its models/ema.py
// shows how to rename it.
func (s *state) inFile(name string) string {
	if early := strings.Replace(name, ".Norm_0.", ".", 1); s.tensors[name] == nil && s.tensors[early] != nil {
		return early
	}
	return name
}

// parallelPrefix begins every name of a model that was wrapped for several devices.
const parallelPrefix = "module."

// buffers are tensors of a state dict that are not parameters: the schedule, which the
// configuration determines.
var buffers = []string{"betas", "alphas", "alphas_prev", "sigmas"}

func isBuffer(name string) bool {
	return slices.Contains(buffers, name[strings.LastIndex(name, ".")+1:])
}

// torchState reads a dict of tensors.
func torchState(what string, v any) (*state, error) {
	dict, ok := v.(*torch.Dict)
	if !ok {
		return nil, fmt.Errorf("%s: got %s, want a dict of tensors", what, kind(v))
	}
	s := newState()
	for key, value := range dict.All() {
		name, isText := key.(string)
		t, isTensor := value.(*torch.Tensor)
		if !isText || !isTensor {
			return nil, fmt.Errorf("%s: entry %v is %s, want tensors by name", what, key, kind(value))
		}
		if err := s.add(strings.TrimPrefix(name, parallelPrefix), t); err != nil {
			return nil, fmt.Errorf("%s: %w", what, err)
		}
	}
	return s, nil
}

// kind says what a value of a file is.
func kind(v any) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case torch.List:
		return fmt.Sprintf("a list of %d", len(v))
	case *torch.Dict:
		return "a dict"
	case *torch.Tensor:
		return "a tensor"
	case *torch.Object:
		return "an object of " + v.Class
	case string:
		return "a text"
	case int64, float64, *big.Int:
		return fmt.Sprintf("the number %v", v)
	}
	return fmt.Sprintf("a %T", v)
}

// stored is a tensor of a safetensors file.
type stored struct {
	file *weights.File
	weights.Tensor
}

func (t stored) Shape() []int                 { return t.Tensor.Shape }
func (t stored) Float32s() ([]float32, error) { return t.file.Float32s(t.Name) }

// entry is what a checkpoint of this project holds of a tensor: float32, in our layout.
func entry(name string, shape []int, layout Layout, t tensor) weights.Entry {
	return weights.Entry{
		Tensor: weights.Tensor{Name: name, DType: weights.F32, Shape: shape},
		Data: func() ([]byte, error) {
			values, err := t.Float32s()
			if err != nil {
				return nil, err
			}
			for i, v := range values {
				if v != v || v-v != 0 { // NaN or infinite
					return nil, fmt.Errorf("value %d is %g: the weights are broken", i, v)
				}
			}
			return bytesOf(layout.FromPublished(values, shape)), nil
		},
	}
}

// bytesOf is values as a file has them.
func bytesOf(values []float32) []byte {
	data, err := binary.Append(make([]byte, 0, 4*len(values)), binary.LittleEndian, values)
	if err != nil {
		panic(err) // unreachable: float32 has a fixed size
	}
	return data
}
