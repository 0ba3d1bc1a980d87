package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"mcvd/configs"
	"mcvd/models"
	"mcvd/models/devices"
	"mcvd/train/ranks"
)

// outerScope holds what the outer update remembers of each weight, where ranks make steps by themselves.
const outerScope = "outer"

// exchange is how the ranks of a run share what they learn.
type exchange struct {
	ranks *ranks.Ranks
	sums  *ranks.Sums
	outer *ranks.Outer // nil if gradients are exchanged
	start []float32    // the weights at the beginning of a round of steps that each makes by itself
	flat  []float32    // memory
	// took is the time that sums took, and waited that for slower ranks, since the log's last line.
	took, waited time.Duration
}

// newExchange starts from the state in store, which is that of all ranks.
func newExchange(r *ranks.Ranks, c *configs.Config, store *model.Store) (*exchange, error) {
	how, outer, err := ranks.New(c.Train.Ranks)
	if err != nil {
		return nil, err
	}
	e := &exchange{ranks: r, sums: ranks.NewSums(r, how), outer: outer}
	if outer != nil {
		e.start, err = flatten(nil, of(store, models.WeightsScope))
	}
	return e, err
}

// outer says whether ranks make steps by themselves. Loading has checked the rest.
func outer(c *configs.Config) bool {
	_, outer, err := ranks.New(c.Train.Ranks)
	return err == nil && outer != nil
}

// reading is the context of what reads data. Ranks that make steps by themselves need data until the end of
// a round, unless the training hangs.
func (e *exchange) reading(ctx context.Context) (context.Context, func()) {
	if e.outer == nil {
		return ctx, func() {}
	}
	reading, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	forget := context.AfterFunc(ctx, func() {
		if cause := context.Cause(ctx); errors.Is(cause, ErrHangs) {
			cancel(cause)
		}
	})
	return reading, func() { forget(); cancel(nil) }
}

// gradients makes the gradients of a step the means over ranks, and gives their norm.
func (e *exchange) gradients(d *devices.Devices, g *summed) error {
	if !e.ranks.Several() {
		return nil
	}
	defer e.timed(time.Now())
	var own []*tensors.Tensor
	size := 0
	for _, v := range g.sums[1:] {
		t, err := v.Tensor()
		if err != nil {
			return err
		}
		own, size = append(own, t), size+t.Size()
	}
	e.flat = slices.Grow(e.flat[:0], size)[:size]
	in, out := cursor{of: own}, cursor{of: own}
	squares := 0.0
	fill := func(from, to int) error {
		return in.each(from, to, func(t *tensors.Tensor, at, from, to int) error {
			return tensors.ConstFlatData(t, func(flat []float32) { copy(e.flat[from:to], flat[from-at:to-at]) })
		})
	}
	means := g.sums[:1:1]
	use := func(from, to int) error {
		for _, x := range e.flat[from:to] {
			squares += float64(x) * float64(x)
		}
		return out.each(from, to, func(t *tensors.Tensor, at, _, to int) error {
			if to < at+t.Size() {
				return nil // the rest is under way
			}
			mean, err := d.Put(tensors.FromFlatDataAndDimensions(e.flat[at:to], t.Shape().Dimensions...), devices.Copies)
			means = append(means, mean)
			return err
		})
	}
	if err := e.sums.MeanOf(e.flat, fill, use); err != nil {
		return err
	}
	devices.Free(g.sums[1:])
	g.sums, g.norm = means, math.Sqrt(squares)
	return nil
}

// timed notes a sum that began then.
func (e *exchange) timed(began time.Time) {
	if e.ranks.Several() {
		e.took += time.Since(began)
	}
}

// waitedSince notes that others were waited for from then on.
func (e *exchange) waitedSince(began time.Time) {
	if e.ranks.Several() {
		e.waited += time.Since(began)
	}
}

// foundByAll is what all ranks found: means of losses and norms, which are not finite if one is not.
func foundByAll(all []found) found {
	n := float64(len(all))
	whole := found{}
	for _, f := range all {
		whole.Loss += f.Loss / n
		whole.Norm += f.Norm / n
		whole.Replaced += f.Replaced
		whole.Without, whole.Ends = whole.Without || f.Without, whole.Ends || f.Ends
		whole.Losses = appended(whole.Losses, f.Losses)
	}
	return whole
}

// cursor goes through tensors as through one vector.
type cursor struct {
	of []*tensors.Tensor
	at int // where the first of them begins
}

// each visits the parts of tensors that are values from to to-1 of the vector; at is where their tensor
// begins.
func (c *cursor) each(from, to int, visit func(t *tensors.Tensor, at, from, to int) error) error {
	for from < to {
		t := c.of[0]
		end := min(to, c.at+t.Size())
		if err := visit(t, c.at, from, end); err != nil {
			return err
		}
		if from = end; end == c.at+t.Size() {
			c.of, c.at = c.of[1:], end
		}
	}
	return nil
}

// weights ends a round of steps that ranks make by themselves: the weights follow the mean of how far each
// has moved, and what the optimizer and the average remember becomes the mean.
func (e *exchange) weights(store *model.Store) error {
	defer e.timed(time.Now())
	now, momentum := of(store, models.WeightsScope), of(store, outerScope)
	fallen, err := flatten(e.flat, now)
	if err != nil {
		return err
	}
	e.flat = fallen
	for i, w := range e.start {
		fallen[i] = w - fallen[i]
	}
	if err := e.sums.Mean(fallen); err != nil {
		return err
	}
	remembered, err := flatten(nil, momentum)
	if err != nil {
		return err
	}
	e.outer.Step(e.start, fallen, remembered)
	if err := errors.Join(unflatten(now, e.start), unflatten(momentum, remembered)); err != nil {
		return err
	}
	if !e.ranks.Several() {
		return nil
	}
	others := slices.DeleteFunc(variables(store), func(v *model.Variable) bool {
		return slices.ContainsFunc([]string{models.WeightsScope, outerScope, models.TeacherScope}, func(scope string) bool { return within(v, scope) })
	})
	if e.flat, err = flatten(e.flat, others); err == nil {
		err = e.sums.Mean(e.flat)
	}
	if err != nil {
		return err
	}
	return unflatten(others, e.flat)
}

func within(v *model.Variable, scope string) bool { return strings.HasPrefix(v.Path(), "/"+scope+"/") }

// of are the variables of a scope, by their paths.
func of(store *model.Store, scope string) []*model.Variable {
	return slices.DeleteFunc(variables(store), func(v *model.Variable) bool { return !within(v, scope) })
}

// flatten puts the values of variables one after the other, into memory that is there.
func flatten(into []float32, all []*model.Variable) ([]float32, error) {
	into = into[:0]
	for _, v := range all {
		value, err := v.Value()
		if err == nil {
			err = tensors.ConstFlatData(value, func(flat []float32) { into = append(into, flat...) })
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", v.Path(), err)
		}
	}
	return into, nil
}

// unflatten gives the values back.
func unflatten(all []*model.Variable, flat []float32) error {
	for _, v := range all {
		n := v.Shape().Size()
		if err := v.SetValue(tensors.FromFlatDataAndDimensions(flat[:n], v.Shape().Dimensions...)); err != nil {
			return fmt.Errorf("%s: %w", v.Path(), err)
		}
		flat = flat[n:]
	}
	return nil
}
