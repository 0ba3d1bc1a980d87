package sampler

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"mcvd/configs"
	"mcvd/models/devices"
	"mcvd/models/diffusion"
)

// Loop makes the steps of a sampler. Its program, a step, is compiled at the first call for each
// shape of x, and once more for steps with another number of network evaluations.
type Loop struct {
	sampler Sampler
	process *diffusion.Process
	devices *devices.Devices
	program *devices.Program
	names   []string // of the coefficients
	carried int      // tensors that a step hands to the next one beside x
	lag     Lag
	seen    func(step int, x *tensors.Tensor) error
}

// NewLoop makes a loop. bind builds the denoiser in the graph of a step, for the conditioning
// tensors that [Loop.Run] gets, with its weights in store. On the Go backend the weights become
// constants of the program, so a loop never sees later changes.
//
// memory is the number of tensors shaped like x that the denoiser hands from one evaluation to the
// next, also between steps. They are zeros for the first one. The denoiser finds them in the slice
// that bind gets, and replaces them there.
func NewLoop(d *devices.Devices, store *model.Store, s Sampler, p *diffusion.Process, memory int,
	bind func(scope *model.Scope, cond, memory []*Node) Denoiser) (*Loop, error) {
	some := []diffusion.Level{{Signal: 0.6, Noise: 0.8}, diffusion.Clean} // coefficients have the same names in all steps
	l := &Loop{sampler: s, process: p, devices: d, names: configs.Names(s.Coefs(s.Steps(some, p.Schedule), 0)), carried: s.History() + memory}
	exec, err := model.NewExec(d.Backend(), store, func(scope *model.Scope, in []*Node) []*Node {
		state, rest := State{X: in[0]}, in[2:]
		if s.Noisy() {
			state.Noise, rest = rest[0], rest[1:]
		}
		state.History, rest = rest[:s.History()], rest[s.History():]
		remembered, rest := slices.Clone(rest[:memory]), rest[memory:]
		t := l.unpack(in[1])
		state.At = t.at
		x, history := s.StepGraph(t.clipping(bind(scope, rest, remembered)), state, t.coefs)
		if t.moves != nil {
			x = hold(t.moves, x, state.X)
			for i := range history {
				history[i] = hold(t.moves, history[i], state.History[i])
			}
		}
		return slices.Concat([]*Node{x}, history, remembered)
	})
	if err == nil { // x, the step's scalars, and the rest
		l.program, err = d.Program(exec.WithName("sampler-step"), devices.Parts, devices.Parts, devices.Copies, devices.Parts)
	}
	if err != nil {
		return nil, fmt.Errorf("sampler: %w", err)
	}
	return l, nil
}

// scalars are those of a step in its graph. With a lag, each is [1, frames, 1, 1, 1].
type scalars struct {
	moves *Node // 1 for the frames that make the step, 0 for the others; nil without a lag
	bound *Node // of predicted clean frames
	at    []diffusion.LevelNodes
	coefs CoefNodes
}

// pack lists the scalars of a step: the bound of clipping, the rows of the levels at which the
// network is evaluated, and the coefficients by name.
func (l *Loop) pack(steps []Step, i int) []float32 {
	coefs := l.sampler.Coefs(steps, i)
	table := []float32{math.MaxFloat32}
	if steps[i].Clip {
		table[0] = 1
	}
	table = append(table, l.process.Table(steps[i].At)...)
	for _, name := range l.names {
		table = append(table, float32(coefs[name]))
	}
	return table
}

// packTurn is the scalars of a turn: those of [Loop.pack], or with a lag a row for each frame, which
// begins with 1 if the frame moves and 0 if not.
func (l *Loop) packTurn(steps []Step, turn, frames int) *tensors.Tensor {
	if l.lag.Turns == 0 {
		return tensors.FromValue(l.pack(steps, turn))
	}
	var table []float32
	for frame := range frames {
		step, moves := l.lag.step(steps, turn, frame)
		row := l.pack(steps, step)
		if moves {
			table = append(table, 1)
		} else {
			if table = append(table, 0); turn > frame*l.lag.Turns {
				copy(row[1:], l.process.Table([]diffusion.Level{l.lag.Rest}))
			}
		}
		table = append(table, row...)
	}
	return tensors.FromFlatDataAndDimensions(table, frames, len(table)/frames)
}

// unpack undoes packTurn in a graph.
func (l *Loop) unpack(table *Node) (s scalars) {
	dims := table.Shape().Dimensions
	all := make([]*Node, dims[len(dims)-1])
	for i := range all {
		if len(dims) == 1 {
			all[i] = Reshape(Slice(table, AxisElem(i)))
		} else {
			all[i] = Reshape(Slice(table, AxisRange(), AxisElem(i)), 1, dims[0], 1, 1, 1)
		}
	}
	if len(dims) > 1 {
		s.moves, all = all[0], all[1:]
	}
	s.bound, s.coefs = all[0], CoefNodes{}
	levels, coefs := all[1:len(all)-len(l.names)], all[len(all)-len(l.names):]
	for row := range slices.Chunk(levels, diffusion.Columns) {
		s.at = append(s.at, diffusion.Nodes(row))
	}
	for i, name := range l.names {
		s.coefs[name] = coefs[i]
	}
	return s
}

// clipping keeps predicted clean frames within the step's bound. The predicted noise stays as it
// is.
func (s scalars) clipping(denoise Denoiser) Denoiser {
	return func(x *Node, at diffusion.LevelNodes) diffusion.Prediction {
		p := denoise(x, at)
		p.X0 = Max(Neg(s.bound), Min(s.bound, p.X0))
		return p
	}
}

// Watched is the loop that shows what each step makes, counted from 0: x is gone when seen returns.
// The two loops share their programs.
func (l *Loop) Watched(seen func(step int, x *tensors.Tensor) error) *Loop {
	other := *l
	other.seen = seen
	return &other
}

// Lagged is the loop whose frames follow each other through the steps. The two loops share their
// programs. With a lag, [Loop.Run] counts turns where it says steps.
func (l *Loop) Lagged(lag Lag) *Loop {
	other := *l
	other.lag = lag
	return &other
}

// Close frees the compiled programs.
func (l *Loop) Close() { l.program.Close() }

// Run makes the steps, beginning with x, and returns the result of the last one. Both are [batch,
// frames, height, width, channels]. x is at the level where the first step starts.
//
// noise returns fresh standard normal noise shaped like x, which Run frees. If the sampler is
// Noisy, it is called once for each step whose result is still noisy, in the order of the steps,
// from another goroutine while the step before runs. progress, if not nil, is called after each
// step, once for each of its network evaluations. When ctx ends, Run ends early with the context's
// error.
func (l *Loop) Run(ctx context.Context, x *tensors.Tensor, cond []devices.Value, steps []Step,
	noise func(step int) *tensors.Tensor, progress func()) (*tensors.Tensor, error) {
	made, err := l.turns(ctx, Rolling{x}, 0, l.lag.turns(steps, x.Shape().Dimensions[1]), cond, steps, noise, progress)
	if err != nil {
		return nil, err
	}
	return made[0].Tensor()
}

// Roll is [Loop.Run] for the turns from from to to (exclusive) alone. It returns the block as it is then.
// One that begins has only its x.
func (l *Loop) Roll(ctx context.Context, block Rolling, from, to int, cond []devices.Value, steps []Step,
	noise func(turn int) *tensors.Tensor, progress func()) (Rolling, error) {
	carried, err := l.turns(ctx, block, from, to, cond, steps, noise, progress)
	if err != nil {
		return nil, err
	}
	made := make(Rolling, len(carried))
	for i, v := range carried {
		if made[i], err = v.Tensor(); err != nil {
			return nil, err
		}
	}
	return made, nil
}

// turns makes some of the turns.
func (l *Loop) turns(ctx context.Context, block Rolling, from, to int, cond []devices.Value, steps []Step,
	noise func(step int) *tensors.Tensor, progress func()) ([]devices.Value, error) {
	carried, err := l.first(block)
	if err != nil {
		return nil, err
	}
	shape := block[0].Shape()
	coming := l.drawn(steps, from, to, shape, noise)
	defer func() { (<-coming).free() }() // not before noise has returned
	for i := from; i < to; i++ {
		if err := context.Cause(ctx); err != nil {
			return nil, err
		}
		z := <-coming
		coming = l.drawn(steps, i+1, to, shape, noise)
		next, err := l.step(steps, i, shape.Dimensions[1], carried, z, cond)
		z.free()
		if err != nil {
			return nil, fmt.Errorf("sampler step %d of %d%s: %w", i+1, to, l.label(steps, i), err)
		}
		if i > from {
			devices.Free(carried)
		}
		carried = next
		if err := l.show(i, carried[0]); err != nil {
			return nil, err
		}
		for range l.evaluations(steps, i) {
			if progress != nil {
				progress()
			}
		}
	}
	return carried, nil
}

// evaluations is how often a turn evaluates the network.
func (l *Loop) evaluations(steps []Step, turn int) int {
	if l.lag.Turns > 0 {
		return 1
	}
	return len(steps[turn].At)
}

// label says in an error at which level a step is, if all frames are there.
func (l *Loop) label(steps []Step, turn int) string {
	if l.lag.Turns > 0 {
		return ""
	}
	return fmt.Sprintf(" (label %g)", steps[turn].At[0].Label)
}

// show shows what a step made, if somebody watches.
func (l *Loop) show(step int, made devices.Value) error {
	if l.seen == nil {
		return nil
	}
	x, err := made.Tensor()
	if err != nil {
		return err
	}
	return l.seen(step, x)
}

// first is what the first step is given: x, and what is remembered: zeros if a block begins.
func (l *Loop) first(block Rolling) (carried []devices.Value, err error) {
	for i := range 1 + l.carried {
		var t *tensors.Tensor
		if i < len(block) {
			t = block[i]
		} else {
			t = tensors.FromShape(block[0].Shape())
		}
		v, err := l.devices.Put(t, devices.Parts)
		if err != nil {
			return nil, fmt.Errorf("sampler: %w", err)
		}
		carried = append(carried, v)
	}
	return carried, nil
}

// draw is a step's noise on the devices, or the error of drawing it.
type draw struct {
	noise []devices.Value // one, or none for a sampler without noise
	err   error
}

func (d draw) free() { devices.Free(d.noise) }

// drawn draws the noise of a step and moves it to the devices while something else runs. The host
// takes as long for this as a fast device for a step. Steps end before to.
func (l *Loop) drawn(steps []Step, i, to int, shape shapes.Shape, noise func(step int) *tensors.Tensor) <-chan draw {
	ready := make(chan draw, 1)
	if i >= to || !l.sampler.Noisy() {
		ready <- draw{}
		return ready
	}
	go func() {
		d := draw{err: errors.New("it was not drawn")}
		defer func() { ready <- d }() // also if noise ends the goroutine
		z := tensors.FromShape(shape) // nothing is added to clean frames
		if l.lag.noisy(steps, i, shape.Dimensions[1]) {
			z = noise(i)
		}
		v, err := l.devices.Put(z, devices.Parts)
		d = draw{[]devices.Value{v}, err}
	}()
	return ready
}

func (l *Loop) step(steps []Step, i, frames int, carried []devices.Value, z draw, cond []devices.Value) ([]devices.Value, error) {
	if z.err != nil {
		return nil, fmt.Errorf("noise: %w", z.err)
	}
	table, err := l.devices.Put(l.packTurn(steps, i, frames), devices.Copies)
	if err != nil {
		return nil, err
	}
	return l.program.Call(slices.Concat([]devices.Value{carried[0], table}, z.noise, carried[1:], cond)...)
}
