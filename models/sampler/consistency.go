package sampler

import (
	"fmt"

	. "github.com/gomlx/gomlx/core/graph"

	"mcvd/configs"
	"mcvd/models/diffusion"
)

// ConsistencyName is the sampler for students of consistency distillation. They predict where the
// probability-flow ODE ends, and not the mean of the clean frames that are possible; only to such a
// prediction may noise be added that has nothing to do with it.
const ConsistencyName = "consistency"

// Consistency is multistep consistency sampling (Song et al. 2023, Consistency Models, algorithm 1):
//
//	x_next = signal x0 + noise z
//
// with fresh noise z. A step forgets all of x but what the network predicts.
type Consistency struct{ single }

// History is 0: a step needs nothing from the one before.
func (Consistency) History() int { return 0 }

// Noisy is true.
func (Consistency) Noisy() bool { return true }

// Coefs returns signal and noise of the level where the step ends.
func (Consistency) Coefs(steps []Step, i int) Coefs {
	return Coefs{"signal": steps[i].To.Signal, "noise": steps[i].To.Noise}
}

// StepGraph is one round of algorithm 1: it predicts, and adds the noise of the next level.
func (Consistency) StepGraph(denoise Denoiser, in State, c CoefNodes) (*Node, []*Node) {
	p := denoise(in.X, in.At[0])
	return Sum(Mul(c["signal"], p.X0), Mul(c["noise"], in.Noise)), nil
}

// Neighbours lists the steps of the teacher of a consistency distillation, which takes that many steps
// of [DDIM]: the levels where each begins and where it ends; the third one is the second. It is an error
// if c, which says how the student samples, is not [Consistency], of which nothing but the network's
// prediction goes into a step.
func Neighbours(s diffusion.Schedule, c configs.Sampler, steps int) ([]Two, error) {
	if steps < c.Steps || steps < 2 {
		return nil, fmt.Errorf("train.teacher_steps: %d, want %d or more: a student learns from the steps of a teacher that takes no fewer than it does itself (sampler.steps)",
			steps, max(2, c.Steps))
	}
	if err := bare(c, ConsistencyName, "a student of consistency distillation is sampled by consistency alone"); err != nil {
		return nil, err
	}
	c.Steps = steps
	levels, err := Levels(s, c)
	if err != nil {
		return nil, fmt.Errorf("the teacher's steps: %w", err)
	}
	all := make([]Two, steps)
	for i := range all {
		all[i] = Two{levels[i], levels[i+1], levels[i+1]}
	}
	return all, nil
}

// Consistent are the clean frames that a student must predict for x at the level from (Song et al. 2023,
// eq. 7): what target predicts where one step of [DDIM] of the teacher ends, at the level to. If that is
// clean, it is the end itself. A student that predicts just this predicts at every level where the
// teacher's steps lead to.
func Consistent(teacher, target Denoiser, x *Node, from, to diffusion.LevelNodes) *Node {
	first := teacher(x, from)
	end := diffusion.AddNoise(first.X0, first.Eps, to.Signal, to.Noise)
	noisy := GreaterThan(BroadcastToDims(to.Noise, x.Shape().Dimensions...), ZerosLike(x))
	return Where(noisy, target(end, to).X0, end)
}
