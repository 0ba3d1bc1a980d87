package sampler

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"mcvd/models/devices"
)

// Loop runs a plan. Its one program, a step, is compiled at the first call for each shape of x.
type Loop struct {
	sampler Sampler
	plan    []Step
	devices *devices.Devices
	program *devices.Program
}

// NewLoop makes a loop. bind builds, in the graph of a step, the denoiser for the conditioning tensors that [Loop.Run] gets,
// with its weights in store; on the Go backend they become constants of the program, so a loop never sees later changes.
func NewLoop(d *devices.Devices, store *model.Store, s Sampler, plan []Step,
	bind func(scope *model.Scope, cond []*Node) Denoiser) (*Loop, error) {
	l := &Loop{sampler: s, plan: plan, devices: d}
	noisy := 0
	if s.Noisy() {
		noisy = 1
	}
	exec, err := model.NewExec(d.Backend(), store, func(scope *model.Scope, in []*Node) []*Node {
		state, coefs := State{X: in[0], T: in[1], History: in[3+noisy : 3+noisy+s.History()]}, in[2]
		if s.Noisy() {
			state.Noise = in[3]
		}
		cond := in[3+noisy+s.History():]
		x, history := s.StepGraph(bind(scope, cond), state, scalars(coefs))
		return append([]*Node{x}, history...)
	})
	if err == nil { // x, the timestep, the coefficients, and the rest
		l.program, err = d.Program(exec.WithName("sampler-step"), devices.Parts, devices.Parts, devices.Copies, devices.Copies, devices.Parts)
	}
	if err != nil {
		return nil, fmt.Errorf("sampler: %w", err)
	}
	return l, nil
}

// scalars takes a vector apart.
func scalars(v *Node) []*Node {
	s := make([]*Node, v.Shape().Dimensions[0])
	for i := range s {
		s[i] = Reshape(Slice(v, AxisElem(i)))
	}
	return s
}

// Steps is the number of network evaluations of one run (NFE).
func (l *Loop) Steps() int { return len(l.plan) }

// Close frees the compiled programs.
func (l *Loop) Close() { l.program.Close() }

// Run applies the plan's moves, all but the first from of them, to x, and returns clean frames, both [batch, frames, height,
// width, channels]. x is at the level where the first of these moves starts: pure noise for from = 0.
//
// noise returns fresh standard normal noise shaped like x, which Run frees; it is called once for each step whose result is still noisy,
// if the sampler is Noisy, in the order of the steps, from another goroutine while the step before runs. progress, if not nil, is called
// after each step. Run ends early, with the context's error, when ctx ends.
func (l *Loop) Run(ctx context.Context, x *tensors.Tensor, cond []devices.Value, from int,
	noise func(step int) *tensors.Tensor, progress func()) (*tensors.Tensor, error) {
	var carried []devices.Value
	for i := range 1 + l.sampler.History() {
		t := x
		if i > 0 {
			t = tensors.FromShape(x.Shape())
		}
		v, err := l.devices.Put(t, devices.Parts)
		if err != nil {
			return nil, fmt.Errorf("sampler: %w", err)
		}
		carried = append(carried, v)
	}
	coming := l.drawn(from, x.Shape(), noise)
	defer func() { (<-coming).free() }() // not before noise has returned
	for i := from; i < len(l.plan); i++ {
		if err := context.Cause(ctx); err != nil {
			return nil, err
		}
		z := <-coming
		coming = l.drawn(i+1, x.Shape(), noise)
		next, err := l.step(i, carried, z, cond)
		z.free()
		if err != nil {
			return nil, fmt.Errorf("sampler step %d of %d (t = %d): %w", i+1, len(l.plan), l.plan[i].T, err)
		}
		if i > from {
			devices.Free(carried)
		}
		carried = next
		if progress != nil {
			progress()
		}
	}
	return carried[0].Tensor()
}

// draw is a step's noise on the devices, or why it is not there.
type draw struct {
	noise []devices.Value // one, or none for a sampler without noise
	err   error
}

func (d draw) free() { devices.Free(d.noise) }

// drawn draws the noise of step i meanwhile, and moves it to the devices. The host takes as long for that as a fast device for a step.
func (l *Loop) drawn(i int, shape shapes.Shape, noise func(step int) *tensors.Tensor) <-chan draw {
	ready := make(chan draw, 1)
	if i >= len(l.plan) || !l.sampler.Noisy() {
		ready <- draw{}
		return ready
	}
	go func() {
		d := draw{err: errors.New("it was not drawn")}
		defer func() { ready <- d }() // also if noise ends the goroutine
		z := tensors.FromShape(shape) // nothing is added to clean frames
		if l.plan[i].To.Noise > 0 {
			z = noise(i)
		}
		v, err := l.devices.Put(z, devices.Parts)
		d = draw{[]devices.Value{v}, err}
	}()
	return ready
}

func (l *Loop) step(i int, carried []devices.Value, z draw, cond []devices.Value) ([]devices.Value, error) {
	if z.err != nil {
		return nil, fmt.Errorf("noise: %w", z.err)
	}
	coefs := l.sampler.Coefs(l.plan, i)
	table := make([]float32, len(coefs))
	for k, c := range coefs {
		table[k] = float32(c)
	}
	args := []devices.Value{carried[0]}
	for _, t := range []*tensors.Tensor{tensors.FromScalar(int32(l.plan[i].T)), tensors.FromValue(table)} {
		v, err := l.devices.Put(t, devices.Copies)
		if err != nil {
			return nil, err
		}
		args = append(args, v)
	}
	return l.program.Call(slices.Concat(args, z.noise, carried[1:], cond)...)
}
