package torch

import (
	"errors"
	"fmt"
	"iter"
)

const (
	maxDepth  = 1000     // of lists in lists
	maxValues = 16 << 20 // that a walk visits which follows every reference
)

// List is a list, a tuple or a set.
type List []any

// Dict is a dict, an OrderedDict or another of the mappings in Python's collections, in file order.
type Dict struct {
	branch
	entries []entry
	index   map[any]int // by key, once there are more than a few
}

type entry struct{ key, value any }

// Object is any other Python object; nothing of its class is run.
type Object struct {
	Class string // its class or the function that makes it, as module.name
	Args  List   // of the call that makes it; nil if it is the class or the function itself
	State any    // what __setstate__ gets, often a *Dict of its attributes
	Items any    // of a class derived from dict or list: a *Dict or a List
}

// Len is the number of entries.
func (d *Dict) Len() int { return len(d.entries) }

// Get returns the value of a key, which is nil, a bool, an int or int64, a float64 or a string.
func (d *Dict) Get(key any) (value any, ok bool) {
	if n, ok := key.(int); ok {
		key = int64(n)
	}
	i := d.find(key)
	if i < 0 {
		return nil, false
	}
	return d.entries[i].value, true
}

// All yields keys and values in file order.
func (d *Dict) All() iter.Seq2[any, any] {
	return func(yield func(any, any) bool) {
		for _, e := range d.entries {
			if !yield(e.key, e.value) {
				return
			}
		}
	}
}

// find returns the entry of a key or -1.
func (d *Dict) find(key any) int {
	switch {
	case !scalar(key):
		return -1
	case d.index != nil:
		if i, ok := d.index[key]; ok {
			return i
		}
		return -1
	}
	for i, e := range d.entries {
		if e.key == key {
			return i
		}
	}
	return -1
}

// set replaces the value of a key or adds an entry. Keys that aren't scalars, tuples for instance,
// are always added.
func (d *Dict) set(key, value any) {
	if i := d.find(key); i >= 0 {
		d.entries[i].value = value
		return
	}
	d.entries = append(d.entries, entry{key, value})
	switch n := len(d.entries); {
	case d.index != nil && scalar(key):
		d.index[key] = n - 1
	case d.index == nil && n > 8:
		d.index = map[any]int{}
		for i, e := range d.entries {
			if scalar(e.key) {
				d.index[e.key] = i
			}
		}
	}
}

// scalar says whether a key can be compared.
func scalar(key any) bool {
	switch key.(type) {
	case nil, bool, int64, float64, string:
		return true
	}
	return false
}

// list and object are what the pickle machine has in place of List and Object while references to
// them may change them.
type list struct {
	branch
	items []any
}

type object struct {
	branch
	args *list // nil if it is the class itself
	out  Object
}

// branch is what settling knows about a value that contains values.
type branch struct {
	open         bool  // while its values are settled
	size, height int32 // values and depth of a walk; size is 0 before
}

func (b *branch) base() *branch { return b }

// final is the list as a [List]. It shares the items, because with many references copies would
// multiply.
func (l *list) final() any {
	if l.items == nil {
		return List{}
	}
	return List(l.items)
}

func (o *object) final() any { return &o.out }
func (d *Dict) final() any   { return d }

func (l *list) each(visit func(*any) error) error {
	for i := range l.items {
		if err := visit(&l.items[i]); err != nil {
			return err
		}
	}
	return nil
}

func (o *object) each(visit func(*any) error) error {
	var args any
	if o.args != nil {
		args = o.args
	}
	for _, v := range []*any{&args, &o.out.State, &o.out.Items} {
		if err := visit(v); err != nil {
			return err
		}
	}
	o.out.Args, _ = args.(List)
	return nil
}

func (d *Dict) each(visit func(*any) error) error {
	for i := range d.entries {
		if err := visit(&d.entries[i].key); err != nil {
			return err
		}
		if err := visit(&d.entries[i].value); err != nil {
			return err
		}
	}
	return nil
}

// settled turns the result of the pickle machine into the types that Root promises.
func settled(root any) (any, error) {
	_, err := settle(&root, 0)
	return root, err
}

// settle replaces a value and those below it. Each is visited once, however many references it has.
func settle(slot *any, depth int) (branch, error) {
	v, ok := (*slot).(interface {
		base() *branch
		each(func(*any) error) error
		final() any
	})
	if !ok {
		if s, ok := (*slot).(span); ok {
			*slot = s.tensor()
		}
		return branch{size: 1}, nil
	}
	b := v.base()
	switch {
	case b.open:
		return branch{}, errors.New("an object that contains itself, which is not supported")
	case b.size == 0:
		b.open = true
		sum := branch{size: 1}
		err := v.each(func(child *any) error {
			if depth == maxDepth {
				return fmt.Errorf("objects nested in more than %d others", maxDepth)
			}
			c, err := settle(child, depth+1)
			if err != nil {
				return err
			}
			sum.size += c.size
			sum.height = max(sum.height, c.height+1)
			switch {
			case sum.size > maxValues:
				return fmt.Errorf("references multiply to more than %d values", maxValues)
			case sum.height > maxDepth:
				return fmt.Errorf("objects nested in more than %d others", maxDepth)
			}
			return nil
		})
		if err != nil {
			return branch{}, err
		}
		*b = sum
	}
	*slot = v.final()
	return *b, nil
}
