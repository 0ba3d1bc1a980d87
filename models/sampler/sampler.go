// Package sampler turns noise into frames: the reverse processes, their table, and the loop that drives them.
package sampler

import (
	"fmt"
	"math"

	. "github.com/gomlx/gomlx/core/graph"

	"mcvd/configs"
	"mcvd/models/diffusion"
)

// Denoiser builds the network's prediction of the noise in x at timestep t, a scalar int32. Conditioning frames and masks
// are already bound.
type Denoiser func(x, t *Node) *Node

// Step is one move of the reverse process.
type Step struct {
	// T is the timestep that the network is told.
	T        int
	From, To diffusion.Level
	// Clip says whether the predicted x0 is kept in [-1, 1].
	Clip bool
}

// bound is the largest magnitude that the step lets x0 have.
func (s Step) bound() float64 {
	if s.Clip {
		return 1
	}
	return math.MaxFloat32
}

// Sampler is a reverse process: its formula in [Sampler.StepGraph], its scalars in [Sampler.Coefs].
type Sampler interface {
	// History is how many tensors shaped like x a step hands to the next one. They start as zeros.
	History() int
	// Noisy says whether steps use State.Noise.
	Noisy() bool
	// Coefs returns the scalars of plan[i], computed on the host in float64; as many for every step.
	Coefs(plan []Step, i int) []float64
	// StepGraph builds one step. Coefs arrive as scalar inputs, so one compiled program serves every step of every plan.
	StepGraph(denoise Denoiser, in State, coefs []*Node) (x *Node, history []*Node)
}

// State is what a step starts from. Noise is standard normal, shaped like X, and nil unless the sampler is Noisy.
type State struct {
	X, T, Noise *Node
	History     []*Node
}

// samplers are the values of sampler.name.
var samplers = map[string]func(configs.Sampler) (Sampler, error){
	"ddim": newDDIM,
	"ddpm": newDDPM,
}

// New returns the sampler that the configuration names. Settings that have no effect on it are errors.
func New(c configs.Sampler) (Sampler, error) {
	build, err := configs.Pick(samplers, "sampler.name", c.Name)
	if err != nil {
		return nil, err
	}
	return build(c)
}

// Names lists the samplers.
func Names() []string { return configs.Names(samplers) }

// Plan spreads c.Steps moves evenly over the schedule's timesteps, from the noisiest, t = T-1, to clean frames.
//
// With c.LastDenoise a last move follows: the least noisy timestep visited still left noise that the network can see, so it
// is asked once more, at that timestep, and what it finds is subtracted. As a move it starts from a level with the whole
// signal and that timestep's noise. The published code tells the network another timestep there, that of label c.Steps-1: the
// number of the last step instead of its label. c.ReferenceLastDenoiseLabel does so, too.
func Plan(s *diffusion.Schedule, c configs.Sampler) ([]Step, error) {
	total := s.Steps()
	if c.Steps < 1 || c.Steps > total {
		return nil, fmt.Errorf("sampler.steps: %d, want 1 to diffusion.steps, which is %d", c.Steps, total)
	}
	plan := make([]Step, c.Steps, c.Steps+1)
	at := func(i int) int { return total - 1 - i*total/c.Steps }
	for i := range plan {
		to := diffusion.Clean
		if i+1 < c.Steps {
			to = s.Level(at(i + 1))
		}
		plan[i] = Step{T: at(i), From: s.Level(at(i)), To: to, Clip: c.Clip}
	}
	if c.LastDenoise {
		last := plan[c.Steps-1]
		from := diffusion.Level{Signal: 1, Noise: last.From.Noise}
		t := last.T
		if c.ReferenceLastDenoiseLabel {
			t = total - c.Steps // whose label is c.Steps-1
		}
		plan = append(plan, Step{T: t, From: from, To: diffusion.Clean})
	}
	return plan, nil
}

// clippedX0 is the clean frames that eps says x comes from, kept in [-bound, bound].
func clippedX0(x, eps, signal, noise, bound *Node) *Node {
	return Max(Neg(bound), Min(bound, diffusion.X0FromEps(x, eps, signal, noise)))
}

// Sum adds its terms, so that a formula reads from left to right.
func Sum(first *Node, rest ...*Node) *Node {
	for _, term := range rest {
		first = Add(first, term)
	}
	return first
}
