package torch

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Names outside of these refuse the file. They would not be run either. But a file that names
// os.system is hostile, and a file that names a class of somebody's program doesn't hold what its
// importer expects.
var (
	knownPackages = []string{"torch", "numpy", "collections", "argparse", "datetime", "pathlib"}

	// Python 2 and protocol 2 call the module builtins __builtin__.
	knownBuiltins = []string{"list", "dict", "tuple", "set", "frozenset", "int", "long", "float", "complex", "bool",
		"str", "unicode", "bytes", "bytearray", "slice", "range", "xrange", "object"}

	knownNames = []string{"_codecs.encode", "types.SimpleNamespace"}
)

// scriptPackage has the classes of TorchScript's modules, whose code is in the archive.
const scriptPackage = "__torch__"

// class returns what stands for a class or function.
func (in *input) class(module, name string) (*object, error) {
	if len(module)+len(name) > maxName {
		return nil, fmt.Errorf("a name of more than %d bytes", maxName)
	}
	full := module + "." + name
	root, _, _ := strings.Cut(module, ".")
	switch {
	case strings.Contains(name, "."): // protocol 4 would follow it through modules that a module imports
	case slices.Contains(knownPackages, root), in.scripted && root == scriptPackage, slices.Contains(knownNames, full):
		return &object{out: Object{Class: full}}, nil
	case (module == "builtins" || module == "__builtin__") && slices.Contains(knownBuiltins, name):
		return &object{out: Object{Class: full}}, nil
	}
	return nil, fmt.Errorf("calls %q: refused, want classes of %s", full, strings.Join(knownPackages, ", "))
}

func (m *machine) global() error {
	module, err := m.in.line()
	if err != nil {
		return err
	}
	name, err := m.in.line()
	if err != nil {
		return err
	}
	o, err := m.in.class(module, name)
	return m.push(o, err)
}

func (m *machine) stackGlobal() error {
	items, err := m.popN(2)
	if err != nil {
		return err
	}
	module, ok := items[0].(string)
	name, also := items[1].(string)
	if !ok || !also {
		return errors.New("names of a class that aren't strings")
	}
	o, err := m.in.class(module, name)
	return m.push(o, err)
}

// reduce makes an object from a class or function and its arguments, which are the n topmost
// values. The third value, if there is one, is a dict of named arguments and becomes the last
// argument.
func (m *machine) reduce(n int) error {
	items, err := m.popN(n)
	if err != nil {
		return err
	}
	o, ok := items[0].(*object)
	args, also := items[1].(*list)
	if !ok || o.args != nil || !also {
		return errors.New("a call without a function or a tuple of arguments")
	}
	if n == 3 {
		if err := m.in.spend(len(args.items)); err != nil {
			return err
		}
		args = &list{items: append(slices.Clone(args.items), items[2])}
	}
	v, err := m.call(o.out.Class, args)
	return m.push(v, err)
}

// call knows the functions that rebuild tensors, and those by which protocol 2 replaces missing
// instructions. All others make an Object.
func (m *machine) call(class string, args *list) (any, error) {
	a := args.items
	switch class {
	case "torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2":
		return m.rebuild(a)
	case "torch._utils._rebuild_tensor_v3":
		return m.rebuildAs(a)
	case "torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state":
		if len(a) > 0 {
			if t, ok := a[0].(*Tensor); ok {
				return t, nil
			}
		}
	case "torch._tensor._rebuild_from_type_v2": // function, type, its arguments, attributes
		if len(a) == 4 {
			o, ok := a[0].(*object)
			inner, also := a[2].(*list)
			// Not the object itself: arguments that contain themselves would never end.
			if ok && also && o.args == nil && o.out.Class != class {
				return m.call(o.out.Class, inner)
			}
		}
		return nil, errors.New("a tensor of a class that isn't known")
	case "collections.OrderedDict", "collections.defaultdict", "collections.Counter":
		return m.mapping(class, a)
	case "collections.deque", "builtins.set", "__builtin__.set", "builtins.frozenset", "__builtin__.frozenset":
		if len(a) == 0 {
			return &list{}, nil
		}
		if l, ok := a[0].(*list); ok {
			return l, nil
		}
	case "_codecs.encode":
		return m.encode(a)
	case "builtins.bytes", "__builtin__.bytes":
		if len(a) == 0 {
			return []byte{}, nil
		}
	}
	return &object{args: args, out: Object{Class: class}}, nil
}

// mapping makes a dict, filled from a list of pairs or from another dict.
func (m *machine) mapping(class string, args []any) (any, error) {
	if class == "collections.defaultdict" && len(args) > 0 {
		args = args[1:] // what makes values that are missing
	}
	if len(args) == 0 {
		return &Dict{}, nil
	}
	switch from := args[0].(type) {
	case *Dict:
		return from, nil
	case *list:
		if err := m.in.spend(len(from.items)); err != nil {
			return nil, err
		}
		d := &Dict{}
		for _, pair := range from.items {
			p, ok := pair.(*list)
			if !ok || len(p.items) != 2 {
				return nil, fmt.Errorf("%s of something other than pairs", class)
			}
			d.set(p.items[0], p.items[1])
		}
		return d, nil
	}
	return nil, fmt.Errorf("%s of %T", class, args[0])
}

// encode is how protocol 2 writes bytes: as text with their Latin-1 characters.
func (m *machine) encode(args []any) (any, error) {
	if len(args) != 2 || args[1] != any("latin1") && args[1] != any("latin-1") {
		return nil, errors.New("_codecs.encode to something other than latin1")
	}
	text, ok := args[0].(string)
	if !ok {
		return nil, errors.New("_codecs.encode of something other than text")
	}
	// One text can be encoded any number of times, so its bytes count: 64 MiB in all.
	if err := m.in.spend(len(text) / (maxPickle / maxSteps)); err != nil {
		return nil, err
	}
	b := make([]byte, 0, len(text))
	for _, r := range text {
		if r > 0xff {
			return nil, fmt.Errorf("_codecs.encode of %q to latin1", r)
		}
		b = append(b, byte(r))
	}
	return b, nil
}

// build keeps the state of an object. What a dict, a list or a tensor gets this way are attributes
// beside its values.
func (m *machine) build() error {
	state, err := m.pop()
	if err != nil {
		return err
	}
	v, err := m.top()
	if err != nil {
		return err
	}
	switch v := v.(type) {
	case *object:
		if v.args == nil {
			return fmt.Errorf("state for the class %q itself", v.out.Class)
		}
		v.out.State = state
	case *Dict, *list, *Tensor:
	default:
		return fmt.Errorf("state for %T", v)
	}
	return nil
}
