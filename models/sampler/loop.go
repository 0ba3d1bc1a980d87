package sampler

import (
	"context"
	"fmt"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// Loop runs a plan. Its one program, a step, is compiled at the first call for each shape of x.
type Loop struct {
	sampler Sampler
	plan    []Step
	exec    *model.Exec
}

// NewLoop makes a loop. bind builds, in the graph of a step, the denoiser for the conditioning tensors that [Loop.Run] gets,
// with its weights in store; on the Go backend they become constants of the program, so a loop never sees later changes.
func NewLoop(backend compute.Backend, store *model.Store, s Sampler, plan []Step,
	bind func(scope *model.Scope, cond []*Node) Denoiser) (*Loop, error) {
	l := &Loop{sampler: s, plan: plan}
	noisy := 0
	if s.Noisy() {
		noisy = 1
	}
	exec, err := model.NewExec(backend, store, func(scope *model.Scope, in []*Node) []*Node {
		state, coefs := State{X: in[0], T: in[1], History: in[3+noisy : 3+noisy+s.History()]}, in[2]
		if s.Noisy() {
			state.Noise = in[3]
		}
		cond := in[3+noisy+s.History():]
		x, history := s.StepGraph(bind(scope, cond), state, scalars(coefs))
		return append([]*Node{x}, history...)
	})
	if err != nil {
		return nil, fmt.Errorf("sampler: %w", err)
	}
	l.exec = exec.WithName("sampler-step")
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
func (l *Loop) Close() { l.exec.Finalize() }

// Run applies the plan's moves, all but the first from of them, to x, and returns clean frames, both [batch, frames, height,
// width, channels]. x is at the level where the first of these moves starts: pure noise for from = 0.
//
// noise returns fresh standard normal noise shaped like x; it is called once for each step whose result is still noisy, if the
// sampler is Noisy. progress, if not nil, is called after each step. Run ends early, with the context's error, when ctx ends.
func (l *Loop) Run(ctx context.Context, x *tensors.Tensor, cond []*tensors.Tensor, from int,
	noise func(step int) *tensors.Tensor, progress func()) (*tensors.Tensor, error) {
	carried := []*tensors.Tensor{x}
	for range l.sampler.History() {
		carried = append(carried, tensors.FromShape(x.Shape()))
	}
	for i := from; i < len(l.plan); i++ {
		if err := context.Cause(ctx); err != nil {
			return nil, err
		}
		next, err := l.step(i, carried, cond, noise)
		if err != nil {
			return nil, fmt.Errorf("sampler step %d of %d (t = %d): %w", i+1, len(l.plan), l.plan[i].T, err)
		}
		if i > from {
			for _, t := range carried {
				t.FinalizeAll()
			}
		}
		carried = next
		if progress != nil {
			progress()
		}
	}
	return carried[0], nil
}

func (l *Loop) step(i int, carried, cond []*tensors.Tensor, noise func(step int) *tensors.Tensor) ([]*tensors.Tensor, error) {
	coefs := l.sampler.Coefs(l.plan, i)
	table := make([]float32, len(coefs))
	for k, c := range coefs {
		table[k] = float32(c)
	}
	args := []any{carried[0], int32(l.plan[i].T), table}
	if l.sampler.Noisy() {
		z := tensors.FromShape(carried[0].Shape()) // zeros: nothing is added to clean frames
		if l.plan[i].To.Noise > 0 {
			z = noise(i)
		}
		args = append(args, z)
	}
	for _, t := range carried[1:] {
		args = append(args, t)
	}
	for _, t := range cond {
		args = append(args, t)
	}
	return l.exec.Call(args...)
}
