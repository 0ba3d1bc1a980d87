package guidance

import "mcvd/configs"

// Replacement gives a model frames that it has no input for, as frames of its block (Song et al. 2021,
// appendix I.2; Ho et al. 2022, Video Diffusion Models, section 3.1). They are noised to the level of
// each step, and the network denoises them together with the frames that are made: see [Block.Keep].
type Replacement struct {
	Known `yaml:",inline"`
}

func (Replacement) branches(f configs.Frames) []branch { return none{}.branches(f) }
func (Replacement) adjustment() Adjust                 { return plain }
