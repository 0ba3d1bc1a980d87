package published

import (
	"errors"
	"fmt"

	"mcvd/models"
	"mcvd/models/diffusion"
	"mcvd/models/weights"
)

// Export lists the weights of a scope of a checkpoint, such as [models.EMAScope], for a file with
// published names and layouts. With the schedule's buffers, the published code's load_state_dict
// accepts the file in its strict mode. It fails for a network with parts that the published one
// doesn't have.
func Export(f *weights.File, scope string, m *models.Model, l models.Listing, schedule string) ([]weights.Entry, error) {
	discrete, ok := m.Schedule.(*diffusion.Discrete)
	if !ok {
		return nil, fmt.Errorf("the published code has no continuous schedules such as diffusion.schedule: %s", schedule)
	}
	if m.SelfConditioned() {
		return nil, errors.New("the published network has no input for model.options.self_conditioning")
	}
	if m.LevelPerFrame() {
		return nil, errors.New("the published network has no input for model.options.level_per_frame")
	}
	if m.ToldTimes() {
		return nil, errors.New("the published network has no input for model.options.frame_times")
	}
	if m.LearnsVariance() {
		return nil, errors.New("the published network has no outputs for diffusion.variance: learned")
	}
	if m.Classes() != nil {
		return nil, errors.New("the published code has no classifiers (model.network: classifier)")
	}
	if m.ToldPastNoise() {
		return nil, errors.New("the published network has no input for model.options.past_noise")
	}
	places, err := published(l)
	if err != nil {
		return nil, err
	}
	var entries []weights.Entry
	for _, p := range places {
		entries = append(entries, weights.Entry{
			Tensor: weights.Tensor{Name: p.Name, DType: weights.F32, Shape: p.Layout.Shape(p.Shape)},
			Data: func() ([]byte, error) {
				values, err := f.Float32s(scope + "/" + p.Path)
				if err != nil {
					return nil, err
				}
				return bytesOf(p.Layout.ToPublished(values, p.Shape)), nil
			},
		})
	}
	return append(entries, scheduleBuffers(discrete, schedule)...), nil
}

// scheduleBuffers are the schedule as the published code keeps it, by label. Its sigmas are the
// betas of the linear schedule, but the alphas of the cosine one.
func scheduleBuffers(s *diffusion.Discrete, schedule string) []weights.Entry {
	n := s.Steps()
	betas, alphas, previous := make([]float32, n), make([]float32, n), make([]float32, n)
	for label := range n {
		t := s.Label(label) // its own inverse
		before := 1.0
		if t > 0 {
			before = s.AlphaBar[t-1]
		}
		alphas[label], previous[label] = float32(s.AlphaBar[t]), float32(before)
		betas[label] = float32(1 - s.AlphaBar[t]/before)
	}
	sigmas := betas
	if schedule == "cosine" {
		sigmas = alphas
	}
	var entries []weights.Entry
	for _, b := range []struct {
		name   string
		values []float32
	}{{"betas", betas}, {"alphas", alphas}, {"alphas_prev", previous}, {"unet.sigmas", sigmas}} {
		entries = append(entries, weights.Entry{
			Tensor: weights.Tensor{Name: b.name, DType: weights.F32, Shape: []int{n}},
			Data:   func() ([]byte, error) { return bytesOf(b.values), nil },
		})
	}
	return entries
}
