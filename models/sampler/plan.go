package sampler

import (
	"fmt"

	"mcvd/configs"
	"mcvd/models/diffusion"
)

// Levels are the levels that sampling visits: c.Steps of them from the noisiest on, then
// [diffusion.Clean].
func Levels(s diffusion.Schedule, c configs.Sampler) ([]diffusion.Level, error) {
	sampler, space, err := choose(c)
	if err != nil {
		return nil, err
	}
	if total := s.Steps(); c.Steps < 1 || total > 0 && c.Steps > total {
		return nil, fmt.Errorf("sampler.steps: %d, want 1 to diffusion.steps, which is %d", c.Steps, total)
	}
	levels, err := space.levels(s, c.Steps)
	if err != nil {
		return nil, err
	}
	for i, l := range levels {
		if l.Noise <= 0 || i > 0 && !(l.LogSNR() > levels[i-1].LogSNR()) {
			return nil, fmt.Errorf("sampler.spacing: %s puts %d steps on the same noise levels (step %d), want fewer sampler.steps", c.Spacing, c.Steps, i+1)
		}
	}
	if of, ok := sampler.(particular); ok {
		if err := of.suits(levels); err != nil {
			return nil, fmt.Errorf("sampler.name: %s: %w", c.Name, err)
		}
	}
	return append(levels, diffusion.Clean), nil
}

// particular is a sampler that can't go through any levels.
type particular interface {
	suits(levels []diffusion.Level) error
}

// Plan lists the steps that a sampler makes of levels of a schedule, which end with
// [diffusion.Clean]. They are all that are visited, or those that remain if a window starts at a
// later level. A sampler never sees levels that are not visited.
//
// With c.LastDenoise one more step follows. At the least noisy level visited, the frames still have
// noise that the network can see. So the network is evaluated once more, at this level, and the
// noise that it finds is subtracted. As a step, this starts from a level with the whole signal and
// that level's noise. The published code tells the network another label there, c.Steps-1, by a
// slip; so does c.PublishedLastDenoiseLabel.
func Plan(s Sampler, schedule diffusion.Schedule, levels []diffusion.Level, c configs.Sampler) []Step {
	steps := s.Steps(levels, schedule)
	for i := range steps {
		steps[i].Clip = c.Clip
	}
	if c.LastDenoise {
		last := levels[len(levels)-2]
		last.Signal = 1
		if c.PublishedLastDenoiseLabel {
			last.Label = float64(c.Steps - 1)
		}
		steps = append(steps, Step{From: last, To: diffusion.Clean, At: []diffusion.Level{last}})
	}
	return steps
}

// NFE is the number of network evaluations in steps.
func NFE(steps []Step) int {
	n := 0
	for _, step := range steps {
		n += len(step.At)
	}
	return n
}

// Start is the number of levels that are left out when a window starts from existing frames.
// [AddNoise] brings these frames to the first of the remaining levels. 0 says that there is no such
// start, because c.Start is 0.
//
// A start that leaves no level is an error.
func Start(s diffusion.Schedule, levels []diffusion.Level, c configs.Sampler) (int, error) {
	if c.Start == 0 {
		return 0, nil
	}
	first := float64(c.FirstLabel(s.Labels()))
	for i, level := range levels[:len(levels)-1] {
		if level.Label >= first {
			return i, nil
		}
	}
	return 0, fmt.Errorf("sampler.start: %g leaves out all of the %d sampler.steps, want less", c.Start, c.Steps)
}

// AddNoise is [diffusion.AddNoise] on the host, value by value: clean frames brought to a level
// with standard normal noise.
func AddNoise(to diffusion.Level, frames, noise []float32) []float32 {
	noisy := make([]float32, len(frames))
	for i := range noisy {
		noisy[i] = float32(to.Signal*float64(frames[i]) + to.Noise*float64(noise[i]))
	}
	return noisy
}
