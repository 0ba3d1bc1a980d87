package sampler

import (
	"fmt"

	. "github.com/gomlx/gomlx/core/graph"

	"mcvd/configs"
	"mcvd/models/diffusion"
)

// Two are two steps of [DDIM] in a row, which progressive distillation makes one of: the levels where
// the first begins, where it ends, and where the second one ends.
type Two [3]diffusion.Level

// Halving lists, for each step of a student that samples as c says, the two steps of a teacher that
// takes twice as many. It is an error if c is not a sampler that can be learned so: deterministic
// [DDIM], of which nothing but the network's prediction goes into a step, and whose levels are every
// second one of the teacher's.
func Halving(s diffusion.Schedule, c configs.Sampler) ([]Two, error) {
	const why = "steps of the teacher are distilled into steps of ddim alone"
	if err := bare(c, "ddim", why); err != nil {
		return nil, err
	}
	of, err := New(c)
	if err != nil {
		return nil, err
	}
	if of.Noisy() {
		return nil, notBare("options.eta", of.(DDIM).Eta, 0, why)
	}
	students, err := Levels(s, c)
	if err != nil {
		return nil, err
	}
	twice := c
	twice.Steps *= 2
	teachers, err := Levels(s, twice)
	if err != nil {
		return nil, fmt.Errorf("the teacher, which takes twice as many steps: %w", err)
	}
	halving := make([]Two, c.Steps)
	for i := range halving {
		halving[i] = Two(teachers[2*i:])
		if halving[i][0] != students[i] {
			return nil, notBare("spacing", c.Spacing, "uniform, which visits every second level of twice as many steps", why)
		}
	}
	return halving, nil
}

// bare reports settings of a student's sampler that put something else into its steps than the network's
// prediction.
func bare(c configs.Sampler, name, why string) error {
	switch {
	case c.Name != name:
		return notBare("name", c.Name, name, why)
	case c.LastDenoise:
		return notBare("last_denoise", true, false, why)
	case c.Threshold > 0:
		return notBare("threshold", c.Threshold, 0, why)
	case c.FrameLag > 0:
		return notBare("frame_lag", c.FrameLag, 0, why)
	case c.Guidance.Name != "none":
		return notBare("guidance.name", c.Guidance.Name, "none", why)
	}
	return nil
}

func notBare(setting string, is, want any, why string) error {
	return fmt.Errorf("sampler.%s: %v, want %v: %s", setting, is, want, why)
}

// Halved are the clean frames that a student must predict for x at the level from, so that one step of
// [DDIM] to the level to ends where two steps of the teacher over mid end (Salimans and Ho 2022,
// algorithm 2 and appendix G):
//
//	(end - r x) / (signal_to - r signal_from), r = noise_to/noise_from
//
// where end is where the two steps end. This is a mean of both predictions of the teacher, in which
// the second one has the weight w. Written so, no close numbers are subtracted from each other.
func Halved(teacher Denoiser, x *Node, from, mid, to diffusion.LevelNodes) *Node {
	first := teacher(x, from)
	second := teacher(diffusion.AddNoise(first.X0, first.Eps, mid.Signal, mid.Noise), mid)
	signal := func(a, b diffusion.LevelNodes) *Node { // what a step from a to b adds of its clean frames
		return Sub(b.Signal, Mul(Div(b.Noise, a.Noise), a.Signal))
	}
	// Where there is next to no signal, a backend may round both to 0. Then any mean does.
	const least = 1e-37
	w := Div(signal(mid, to), MaxScalar(signal(from, to), least))
	return Add(first.X0, Mul(w, Sub(second.X0, first.X0)))
}
