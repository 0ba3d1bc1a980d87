package sampler

import (
	"fmt"

	"mcvd/configs"
	"mcvd/models/diffusion"
)

// Start is how many moves of a plan a run leaves out that starts from frames made before, with noise added by [AddNoise] to the level
// where the first of the other moves starts. 0 says that there is no such run: c.Start is 0.
//
// A start that leaves none of the plan's moves but the last denoising is an error.
func Start(s *diffusion.Schedule, plan []Step, c configs.Sampler) (int, error) {
	first := c.FirstLabel(s.Steps())
	for i, step := range plan[:c.Steps] {
		if s.Label(step.T) >= first {
			return i, nil
		}
	}
	return 0, fmt.Errorf("sampler.start: %g leaves out all of the %d sampler.steps, want less", c.Start, c.Steps)
}

// AddNoise is [diffusion.AddNoise] on the host, value by value: clean frames brought to a level with standard normal noise.
func AddNoise(to diffusion.Level, frames, noise []float32) []float32 {
	noisy := make([]float32, len(frames))
	for i := range noisy {
		noisy[i] = float32(to.Signal*float64(frames[i]) + to.Noise*float64(noise[i]))
	}
	return noisy
}
