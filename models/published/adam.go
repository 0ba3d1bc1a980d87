package published

import (
	"errors"
	"fmt"
	"math"

	"mcvd/models/weights/torch"
)

// readAdam reads the state dict of PyTorch's Adam. "param_groups" has the parameters' numbers in
// the order of the model's parameters. "state" has the running means and the step of each
// parameter, by its number. An optimizer that has made no step has no state.
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
	groups, _ := dict.Get("param_groups")
	numbers, err := parameterNumbers(groups)
	if err != nil {
		return fmt.Errorf(`"param_groups": %w`, err)
	}
	names := c.weights.parameters()
	if len(numbers) != len(names) || states.Len() != len(names) {
		return fmt.Errorf("%d parameters, of which %d have a state; the model in the file has %d: not the state of its optimizer",
			len(numbers), states.Len(), len(names))
	}
	c.mean, c.square = newState(), newState()
	for i, name := range names {
		one, _ := states.Get(numbers[i])
		m, s, n, err := adamOf(one)
		if err == nil && i > 0 && n != c.Updates {
			err = fmt.Errorf("step %d, want the %d of %s", n, c.Updates, names[0])
		}
		if err == nil {
			err = errors.Join(c.mean.add(name, m), c.square.add(name, s))
		}
		if err != nil {
			return fmt.Errorf("parameter %d (%s): %w", numbers[i], name, err)
		}
		c.Updates = n
	}
	return nil
}

// parameterNumbers are those of the one group that the published code makes. If there were several,
// nobody could say which parameters belong to which. PyTorch before 1.6 numbers parameters by their
// addresses.
func parameterNumbers(v any) ([]int64, error) {
	groups, ok := v.(torch.List)
	if !ok || len(groups) != 1 {
		return nil, fmt.Errorf("got %s, want a list of 1", kind(v))
	}
	var params any
	if group, ok := groups[0].(*torch.Dict); ok {
		params, _ = group.Get("params")
	}
	list, ok := params.(torch.List)
	if !ok {
		return nil, fmt.Errorf(`"params": got %s, want a list of numbers`, kind(params))
	}
	seen := map[int64]bool{}
	var numbers []int64
	for i, v := range list {
		n, ok := v.(int64)
		if !ok || seen[n] {
			return nil, fmt.Errorf(`"params": entry %d is %v (%s), want another number for each parameter`, i, v, kind(v))
		}
		seen[n] = true
		numbers = append(numbers, n)
	}
	return numbers, nil
}

// adamOf reads the state of one parameter.
func adamOf(v any) (mean, square tensor, steps int, err error) {
	dict, ok := v.(*torch.Dict)
	if !ok {
		return nil, nil, 0, fmt.Errorf("state: got %s, want a dict", kind(v))
	}
	var tensors [2]*torch.Tensor
	for i, key := range []string{"exp_avg", "exp_avg_sq"} {
		v, _ := dict.Get(key)
		if tensors[i], ok = v.(*torch.Tensor); !ok {
			return nil, nil, 0, fmt.Errorf("%s: got %s, want a tensor: not the state of Adam", key, kind(v))
		}
	}
	step, _ := dict.Get("step")
	if steps, err = updates(step); err != nil {
		return nil, nil, 0, fmt.Errorf("step: %w", err)
	}
	return tensors[0], tensors[1], steps, nil
}

// updates reads the number of steps of an optimizer, an integer or, since PyTorch 1.12, a tensor of
// one number.
func updates(v any) (int, error) {
	switch v := v.(type) {
	case int64:
		if v >= 0 && v <= math.MaxInt32 {
			return int(v), nil
		}
		return 0, fmt.Errorf("got %d, want 0 to %d", v, math.MaxInt32)
	case *torch.Tensor:
		values, err := v.Float32s()
		if err != nil {
			return 0, err
		}
		if len(values) == 1 && values[0] >= 0 && values[0] < math.MaxInt32 && float32(int(values[0])) == values[0] {
			return int(values[0]), nil
		}
		return 0, fmt.Errorf("got %.4g, want one number of steps", values[:min(len(values), 4)])
	}
	return 0, fmt.Errorf("got %s, want a number of steps", kind(v))
}
