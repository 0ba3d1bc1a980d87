// Package configs reads experiments from YAML.
//
// [Config] is the whole experiment as one struct tree; the comments on its fields are the reference
// that `mcvd config reference` prints. [Catalogue.Load] puts defaults, the files named by base:,
// the file itself and overrides on top of each other, strictly, and validates the result. What
// belongs to one implementation (a data set, a sampler) is in Options, which the implementation
// declares as a struct of its own; a [Catalogue] lists them.
package configs

import "math"

// Config is one experiment: what is learned, from what, and how it is sampled.
type Config struct {
	// Seed determines every random number: initial weights, order of the data, noise, masks,
	// dropout and samples.
	Seed uint64 `yaml:"seed"`
	// Frames says how a clip is cut into past, current and future.
	Frames Frames `yaml:"frames"`
	// Data names the data set and how its frames are prepared.
	Data Data `yaml:"data"`
	// Model is the network that denoises the current frames.
	Model Model `yaml:"model"`
	// Diffusion is the forward process and what is learned of it.
	Diffusion Diffusion `yaml:"diffusion"`
	// Optimizer is Adam with warm-up, clipping and an average of the weights.
	Optimizer Optimizer `yaml:"optimizer"`
	// Train is the training loop.
	Train Train `yaml:"train"`
	// Sampler is the reverse process; `predict`, `eval` and their kin use it unless a flag says
	// otherwise.
	Sampler Sampler `yaml:"sampler"`

	ignored []string // settings without effect on the chosen implementations, by path, in order
}

// Frames says how a clip of past + current + future frames is cut.
type Frames struct {
	// Past is the number of conditioning frames before the block; 0 or more.
	Past int `yaml:"past" range:"[0, 1024]"`
	// Current is the number of frames that are denoised together, the block; 1 or more.
	Current int `yaml:"current" range:"[1, 1024]"`
	// Future is the number of conditioning frames after the block; 0 or more.
	Future int `yaml:"future" range:"[0, 1024]"`
	// Mask says how often training hides the past and the future.
	Mask Mask `yaml:"mask"`
}

// Total is the number of frames that one training clip has.
func (f Frames) Total() int { return f.Past + f.Current + f.Future }

// Mask holds the probabilities with which training hides conditioning frames, each block as a whole
// and for each clip anew (MCVD, section 3). Hidden frames are zeros.
type Mask struct {
	// Past is the probability of hiding the past; 0 to 1.
	Past float64 `yaml:"past" range:"[0, 1]"`
	// Future is the probability of hiding the future; 0 to 1.
	Future float64 `yaml:"future" range:"[0, 1]"`
	// Together hides past and future by one draw instead of one each; past and future must then be
	// equal.
	Together bool `yaml:"together"`
}

// Data names a data set and says how its frames are prepared.
type Data struct {
	// Name of the data set: see `mcvd list datasets`.
	Name string `yaml:"name"`
	// Path of the data set's files, relative to the folder that mcvd runs in; not every data set
	// has files.
	Path string `yaml:"path"`
	// Size is the height and the width of a frame in pixels; the network must be able to halve it
	// for each further level.
	Size int `yaml:"size" range:"[1, 4096]"`
	// Channels is 1 for grey or 3 for RGB.
	Channels int `yaml:"channels"`
	// FPS resamples videos to so many frames a second; 0 keeps every frame.
	FPS float64 `yaml:"fps" range:"[0, 1000]"`
	// Flip mirrors training clips left to right, every second one at random.
	Flip bool `yaml:"flip"`
	// OnError says what happens to a file that can't be read: skip (named, counted, left out) or
	// fail.
	OnError string `yaml:"on_error" choices:"skip fail"`
	// Options belong to the named data set: docs/data.md lists them.
	Options Options `yaml:"options,omitempty"`
}

// Model is the network that denoises the current frames.
type Model struct {
	// Network is the variant: see `mcvd list networks`.
	Network string `yaml:"network"`
	// Options belong to the named network.
	Options Options `yaml:"options,omitempty"`
}

// Diffusion is the forward process and what the network learns of it.
type Diffusion struct {
	// Steps is the number T of noise levels, 2 or more; t = 0 is the least noisy.
	Steps int `yaml:"steps" range:"[2, 1e6]"`
	// Schedule says how the noise grows: see `mcvd list schedules`.
	Schedule string `yaml:"schedule"`
	// Target is what the network predicts: eps (the noise), v (the velocity, signal eps - noise x0)
	// or x0 (the clean frames).
	Target string `yaml:"target"`
	// Weight is the factor of the loss at a noise level: simple (1), x0 (so that errors of the
	// clean frames count alike at all levels) or min_snr (the same times the signal-to-noise ratio,
	// at most 5).
	Weight string `yaml:"weight"`
	// Levels says how training draws noise levels: uniform, or low_discrepancy (evenly spaced over
	// a batch from one draw on).
	Levels string `yaml:"levels"`
	// Loss is l2 (half the squared error) or l1 (the absolute error), summed over a clip, averaged
	// over the batch; logs show it by value.
	Loss string `yaml:"loss" choices:"l2 l1"`
	// Options belong to the named schedule, target, weight and levels.
	Options Options `yaml:"options,omitempty"`
}

// Optimizer is Adam (Kingma and Ba 2015) with decoupled weight decay, linear warm-up, clipping by
// the global norm and an exponential moving average (EMA) of the weights, which sampling uses.
type Optimizer struct {
	// Name: adamw (weight decay is decoupled from the gradients) or adam (it is added to them, as
	// PyTorch's Adam does); the same without weight decay.
	Name string `yaml:"name"`
	// LearningRate after the warm-up; above 0.
	LearningRate float64 `yaml:"learning_rate" range:"(0, inf)"`
	// WarmupSteps is over how many updates the learning rate grows from 0; 0 for none.
	WarmupSteps int `yaml:"warmup_steps" range:"[0, 1e9]"`
	// Schedule of the learning rate after the warm-up: constant, or cosine or linear, which end at
	// options.final of it at train.steps.
	Schedule string `yaml:"schedule"`
	// Beta1 is the decay of the mean of the gradients; 0 to below 1.
	Beta1 float64 `yaml:"beta1" range:"[0, 1)"`
	// Beta2 is the decay of the mean of the squared gradients; 0 to below 1.
	Beta2 float64 `yaml:"beta2" range:"[0, 1)"`
	// Epsilon is added to the root of the mean square; above 0.
	Epsilon float64 `yaml:"epsilon" range:"(0, inf)"`
	// WeightDecay; 0 for none. AdamW multiplies it by the learning rate.
	WeightDecay float64 `yaml:"weight_decay" range:"[0, inf)"`
	// ClipNorm bounds the norm of all gradients together; 0 for no bound.
	ClipNorm float64 `yaml:"clip_norm" range:"[0, inf)"`
	// EMA is the average of the weights: constant (of the same decay at every update) or power
	// (whose width, options.sigma_rel, is a share of the training so far; EDM2).
	EMA string `yaml:"ema"`
	// EMADecay of the constant average; 0 to below 1.
	EMADecay float64 `yaml:"ema_decay" range:"[0, 1)"`
	// Options belong to the schedule and to the average.
	Options Options `yaml:"options,omitempty"`
}

// Train is the training loop. Steps are updates of the weights.
type Train struct {
	// Batch is the number of clips in an update divided by accumulate.
	Batch int `yaml:"batch" range:"[1, 4096]"`
	// Steps is the number of updates after which training ends.
	Steps int `yaml:"steps" range:"[1, 1e9]"`
	// Precision is what the network computes its images in: float32 or bfloat16 (on XLA; weights,
	// statistics and the optimizer stay float32).
	Precision string `yaml:"precision" choices:"float32 bfloat16"`
	// GradientCheckpointing computes what is inside the network's blocks again in the backward pass
	// instead of keeping it: less memory for about a third more time. A run may go on without it,
	// or with it.
	GradientCheckpointing bool `yaml:"gradient_checkpointing"`
	// Devices is how many devices of this machine share a batch, which must be a multiple of it; 0
	// for all. A run may go on with another number. XLA's CPU plugin always shows 4, which are
	// virtual and share the machine's cores: several are no faster than one.
	Devices int `yaml:"devices" range:"[0, 1024]"`
	// Accumulate is how many batches' gradients are averaged for one update.
	Accumulate int `yaml:"accumulate" range:"[1, 1024]"`
	// CheckpointEvery so many steps a checkpoint is written; one is always written at the end.
	CheckpointEvery int `yaml:"checkpoint_every" range:"[1, 1e9]"`
	// Keep is how many checkpoints stay, beside the best by validation loss.
	Keep int `yaml:"keep" range:"[1, 1e6]"`
	// ValidateEvery so many steps the loss on the validation split is measured; 0 for never.
	ValidateEvery int `yaml:"validate_every" range:"[0, 1e9]"`
	// SampleEvery so many steps a contact sheet of what the model can do is written; 0 for never.
	SampleEvery int `yaml:"sample_every" range:"[0, 1e9]"`
}

// Sampler is the reverse process.
//
// It is part of reports, too.
type Sampler struct {
	// Name: see `mcvd list samplers`.
	Name string `yaml:"name" json:"name"`
	// Steps is how many of the diffusion's noise levels are visited; 1 to diffusion.steps.
	Steps int `yaml:"steps" range:"[1, 1e6]" json:"steps"`
	// Spacing says which levels are visited: uniform, evenly spaced over the schedule, as
	// published.
	Spacing string `yaml:"spacing" json:"spacing"`
	// Precision is what the network computes its images in: float32 or bfloat16 (on XLA).
	Precision string `yaml:"precision" choices:"float32 bfloat16" json:"precision"`
	// Clip keeps the predicted clean frames in [-1, 1] in every step but the last denoising.
	Clip bool `yaml:"clip" json:"clip"`
	// LastDenoise removes, in one more network evaluation, the noise that the last level leaves.
	LastDenoise bool `yaml:"last_denoise" json:"last_denoise"`
	// PublishedLastDenoiseLabel tells the network in the last denoising, instead of the label of
	// the last level visited, the number of visited levels minus 1, as the published code does by a
	// slip: its paper's numbers contain it.
	PublishedLastDenoiseLabel bool `yaml:"published_last_denoise_label" json:"published_last_denoise_label"`
	// Start is the share of the schedule, from its noisiest level on, that all windows of a video
	// but the first leave out: such a window starts from the block that the window before it made,
	// with noise added, instead of from pure noise; 0 (always pure noise) to below 1.
	Start float64 `yaml:"start" range:"[0, 1)" json:"start"`
	// PublishedStart applies start as the published code does: to the number of visited levels
	// instead of to the schedule's, so that it leaves out less, by a slip, and to the first window,
	// too, which starts from pure noise all the same.
	PublishedStart bool `yaml:"published_start" json:"published_start"`
	// Options belong to the named sampler and spacing.
	Options Options `yaml:"options,omitempty" json:"options,omitempty"`
}

// FirstLabel is the lowest label, counted from 0 at the noisiest of the diffusion's levels, of the
// steps that a window with a start makes: those below are left out. 0 if none are.
func (s Sampler) FirstLabel(diffusionSteps int) int {
	if s.PublishedStart {
		return int(math.Ceil(s.Start * float64(s.Steps)))
	}
	return int(math.Ceil(s.Start*float64(diffusionSteps) - 1e-6)) // 0.07 of 100 is 7, not a bit more
}

// Default is the experiment that an empty file means, but for the options of implementations, which
// only a [Catalogue] knows.
func Default() *Config {
	return &Config{
		Seed:      1,
		Frames:    Frames{Past: 5, Current: 5, Future: 5, Mask: Mask{Past: 0.5, Future: 0.5}},
		Data:      Data{Name: "folder", Path: "clips/", Size: 64, Channels: 1, Flip: true, OnError: "skip"},
		Model:     Model{Network: "unet"},
		Diffusion: Diffusion{Steps: 1000, Schedule: "linear", Target: "eps", Weight: "simple", Levels: "uniform", Loss: "l2"},
		Optimizer: Optimizer{Name: "adamw", LearningRate: 2e-4, WarmupSteps: 1000, Schedule: "constant", Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, ClipNorm: 1,
			EMA: "constant", EMADecay: 0.999},
		Train: Train{Batch: 64, Steps: 700000, Precision: "float32", Devices: 1, Accumulate: 1, CheckpointEvery: 5000, Keep: 3, ValidateEvery: 5000,
			SampleEvery: 5000},
		Sampler: Sampler{Name: "ddim", Steps: 100, Spacing: "uniform", Precision: "float32", Clip: true, LastDenoise: true},
	}
}
