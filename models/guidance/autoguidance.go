package guidance

import "mcvd/configs"

// Autoguidance leads away from what a weaker model predicts (Karras et al. 2024, Guiding a Diffusion
// Model with a Bad Version of Itself, eq. 3): an earlier checkpoint of the same run, or a smaller
// network that learned the same.
//
//	x0 = D_weak + scale (D - D_weak)
//
// Both see the same frames.
type Autoguidance struct {
	Checkpoint string  `yaml:"checkpoint" doc:"The weaker model: the path of a checkpoint of this run or of another one with the same frames, frame size, noise levels and target. Its averaged weights are used."`
	Scale      float64 `yaml:"scale" range:"[1, 100]" doc:"How far to go beyond the weaker model: 1 is no guidance, and reads no checkpoint."`
	Adjust     `yaml:",inline"`
}

func (g Autoguidance) branches(f configs.Frames) []branch {
	return []branch{{visible: everything(f), weight: g.Scale}}
}

// second is the weight of the weaker model's prediction, and its checkpoint.
func (g Autoguidance) second() (weight float64, checkpoint string) { return 1 - g.Scale, g.Checkpoint }

// check has nothing to say of the frames. Whoever reads the checkpoint compares it with the model.
func (g Autoguidance) check(configs.Frames) configs.Problems { return g.Adjust.check() }
