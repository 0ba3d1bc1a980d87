// Package configs reads experiments from YAML.
//
// [Config] is the whole experiment as one tree of structs. The comments on its fields are the
// reference that `mcvd config reference` prints. [Catalogue.Load] applies, one after the other, the
// defaults, the files named by base:, the file itself and overrides. It is strict, and validates
// the result. What belongs to one implementation (a data set, a sampler) is in Options, which the
// implementation declares as a struct of its own; a [Catalogue] lists them.
package configs

import (
	"cmp"
	"fmt"
	"math"
	"strconv"
)

// Config is one experiment: what is learned, from what, and how it is sampled.
type Config struct {
	// What all random numbers follow from: first weights, order of the clips, noise, masks, dropout
	// and samples.
	Seed uint64 `yaml:"seed"`
	// How a clip is cut into past, current and future frames.
	Frames Frames `yaml:"frames"`
	// The data set, and how its frames are prepared.
	Data Data `yaml:"data"`
	// The network that denoises the current frames.
	Model Model `yaml:"model"`
	// How noise is added to frames, and what the network learns to predict from noisy ones.
	Diffusion Diffusion `yaml:"diffusion"`
	// How gradients become updates of the weights: Adam with warm-up, clipping and an average of
	// the weights.
	Optimizer Optimizer `yaml:"optimizer"`
	// The training loop. A step is one update of the weights.
	Train Train `yaml:"train"`
	// How videos are sampled. Commands that make videos use these settings unless a flag says
	// otherwise.
	Sampler Sampler `yaml:"sampler"`

	ignored []string // settings without effect on the chosen implementations, by path, in order
}

// Frames says how a clip of past + current + future frames is cut.
type Frames struct {
	// The number of conditioning frames before the block.
	Past int `yaml:"past" range:"[0, 1024]"`
	// The number of frames that are denoised together: the block.
	Current int `yaml:"current" range:"[1, 1024]"`
	// The number of conditioning frames after the block.
	Future int `yaml:"future" range:"[0, 1024]"`
	// How often training hides the past and the future. The network learns a task only if training
	// hides what the task hides.
	Mask Mask `yaml:"mask"`
	// At which frames of a video training cuts clips.
	Times Times `yaml:"times"`
}

// Times says at which frames of a video training cuts clips (Harvey et al. 2022). Validation and
// evaluation have consecutive frames. With data.stride, all numbers are of the frames that it
// leaves.
type Times struct {
	// How the frames of a clip are chosen: consecutive (each follows the one before it), strides
	// (every k-th frame; k is drawn for each clip from all that fit into span), random (any frames,
	// drawn for each clip from all that lie within span) or scales (like random, within a part of span
	// whose length is drawn for each clip uniformly in its logarithm). All but consecutive need
	// model.options.frame_times.
	Kind string `yaml:"kind"`
	// The greatest number of frames of the video from the first to the last one of a clip, both
	// included. Videos for training must have so many. 0 with consecutive frames.
	Span int `yaml:"span" range:"[0, 100000]"`
}

// Drawn says whether clips differ in their times.
func (t Times) Drawn() bool { return t.Kind != "" && t.Kind != "consecutive" }

// Span is the number of frames that a video must have, so that any training clip can be cut.
func (f Frames) Span() int {
	if f.Times.Drawn() {
		return max(f.Total(), f.Times.Span)
	}
	return f.Total()
}

// Total is the number of frames that one training clip has.
func (f Frames) Total() int { return f.Past + f.Current + f.Future }

// Mask says which conditioning frames training hides, anew for each clip: the past and the future
// each as a whole, with these probabilities (MCVD, section 3), and single frames of what is left.
// Hidden frames are zeros.
type Mask struct {
	// Which frames of what is left are visible: blocks (all), frames (each by itself, with a
	// probability of one half), first or last (the first or the last k conditioning frames of the
	// clip), ends (its first k and its last k) or key (a single one). k is drawn for each clip.
	Kind string `yaml:"kind"`
	// The probability that training hides all past frames of a clip.
	Past float64 `yaml:"past" range:"[0, 1]"`
	// The probability that training hides all future frames of a clip.
	Future float64 `yaml:"future" range:"[0, 1]"`
	// Whether past and future are hidden together, by one draw for both instead of one for each.
	// The two probabilities must then be equal.
	Together bool `yaml:"together"`
	// The probability that training turns a clip around in time before it is cut, so that its last
	// frames are its past. Validation does so, too.
	Reverse float64 `yaml:"reverse" range:"[0, 1]"`
	// The probability that training adds noise to the visible past frames of a clip, at a level that
	// is drawn for it (Ho et al. 2022, Cascaded Diffusion Models, section 4). It needs
	// model.options.past_noise. Validation does so, too.
	Noised float64 `yaml:"noised" range:"[0, 1]"`
}

// Data names a data set and says how its frames are prepared.
type Data struct {
	// The data set. docs/data.md describes each.
	Name string `yaml:"name"`
	// The folder of the videos, relative to the folder that mcvd runs in.
	Path string `yaml:"path"`
	// Height and width of a frame in pixels: one number for both, or a list of the two, [height, width].
	// Each level of the network but the first halves them, so they must be divisible by 2 that often.
	Size int `yaml:"size" range:"[1, 4096]" second:"Width"`
	// The second number of data.size, 0 if it has one.
	Width int `yaml:"-"`
	// 1 for grey or 3 for RGB.
	Channels int `yaml:"channels"`
	// The frames a second that videos are resampled to; 0 keeps every frame as it is.
	FPS float64 `yaml:"fps" range:"[0, 1000]"`
	// The number of frames from one frame of a clip to the next: 1 takes every frame, 2 every other
	// one. It holds for training, evaluation and the videos that are generated.
	Stride int `yaml:"stride" range:"[1, 1024]"`
	// Where training clips start: random (anywhere in a video) or even (at equal distances, the first
	// one at the first frame).
	Start string `yaml:"start" choices:"random even"`
	// The number of clips that training takes from each video in an epoch.
	Windows int `yaml:"windows" range:"[1, 1e6]"`
	// Whether training mirrors clips left to right, each with a probability of one half.
	Flip bool `yaml:"flip"`
	// How training changes clips at random, beside data.flip. All frames of a clip are changed alike;
	// validation and evaluation see clips as they are.
	Augment Augment `yaml:"augment"`
	// What happens when a file, or a clip of the training, can't be read: skip (it is named, counted
	// and left out, and another clip takes its place) or fail (the command ends). Clips for
	// validation and evaluation are never left out: one that can't be read ends the command.
	OnError string `yaml:"on_error" choices:"skip fail"`
	// Settings of the chosen data set. docs/data.md explains them.
	Options Options `yaml:"options,omitempty"`
}

// Frame is the height and the width of a frame in pixels.
func (d Data) Frame() (height, width int) { return d.Size, cmp.Or(d.Width, d.Size) }

// Sides is data.size for messages.
func (d Data) Sides() Sides { return Sides{d.Size, cmp.Or(d.Width, d.Size)} }

// Sides are the height and the width of a frame.
type Sides [2]int

// String writes them as data.size stands in a file: 64, or [64, 128].
func (s Sides) String() string {
	if s[0] != s[1] {
		return fmt.Sprintf("[%d, %d]", s[0], s[1])
	}
	return strconv.Itoa(s[0])
}

// Augment says how training changes clips at random. docs/data.md says what each costs.
type Augment struct {
	// Whether clips are played backwards, each with a probability of one half. What was the past then
	// takes the place of the future.
	Reverse bool `yaml:"reverse"`
	// Whether clips are turned upside down, top to bottom, each with a probability of one half.
	FlipVertical bool `yaml:"flip_vertical"`
	// How far clips are zoomed into, which is a random resized crop: the greatest share of a frame's
	// height and width that is cut off. What is left is scaled to data.size. 0 for none.
	Zoom float64 `yaml:"zoom" range:"[0, 1)"`
	// How much brighter or darker clips become: values are multiplied by 1 plus or minus up to this.
	Brightness float64 `yaml:"brightness" range:"[0, 1]"`
	// How much more or less contrast clips get: the distance of values from the clip's mean is
	// multiplied by 1 plus or minus up to this.
	Contrast float64 `yaml:"contrast" range:"[0, 1]"`
	// How much stronger or weaker colours become: their distance from the grey of their pixel is
	// multiplied by 1 plus or minus up to this.
	Saturation float64 `yaml:"saturation" range:"[0, 1]"`
}

// Model is the network that denoises the current frames.
type Model struct {
	// The kind of network: unet is the two-dimensional U-Net of MCVD. A classifier generates no videos,
	// but tells what noisy frames show, to lead the videos of another network.
	Network string `yaml:"network"`
	// Settings of the chosen network.
	Options Options `yaml:"options,omitempty"`
}

// Diffusion is the forward process and what the network learns of it.
type Diffusion struct {
	// The number T of noise levels, which are called timesteps: t = 0 is the least noisy, t = T-1
	// the noisiest.
	Steps int `yaml:"steps" range:"[2, 1e6]"`
	// How the noise grows with t: linear (the betas grow in equal steps, as in DDPM), cosine (Nichol
	// and Dhariwal 2021) or sigmoid (Jabri et al. 2023), which have T levels; vp (Song et al. 2021),
	// ve (score-based models, Song and Ermon 2019), edm (Karras et al. 2022) or flow (a straight
	// line, for diffusion.target: flow), which have a level for every number.
	Schedule string `yaml:"schedule"`
	// What the network predicts: eps (the noise), v (the velocity, signal eps - noise x0), x0 (the
	// clean frames), flow (eps - x0) or edm (the form of Karras et al. 2022, of variance 1 at any
	// level).
	Target string `yaml:"target"`
	// What the loss is multiplied by at a noise level: simple (1), x0 (the factor that turns the
	// squared error of the target into that of the clean frames), or that factor times a function of
	// the signal-to-noise ratio: eps (the ratio itself), v (1 and the ratio), min_snr (the ratio up
	// to a bound; Hang et al. 2023), p2 (Choi et al. 2022) or edm (Karras et al. 2022).
	Weight string `yaml:"weight"`
	// How training draws noise levels: uniform (each clip by itself), low_discrepancy (evenly
	// spaced over a batch, from a random start; Kingma et al. 2021), antithetic (pairs of little and
	// much noise), logit_normal (Esser et al. 2024), log_normal (Karras et al. 2022) or by_loss (more
	// often where recent losses were high, with weights that make up for it; Nichol and Dhariwal
	// 2021, eq. 18).
	Levels string `yaml:"levels"`
	// How the noise levels of a clip's frames depend on each other in training: equal (one level for
	// all of them), independent (Chen et al. 2024, Diffusion Forcing) or monotone (independent, then
	// sorted, so that no frame has less noise than the one before it). All but equal need
	// model.options.level_per_frame.
	FrameLevels string `yaml:"frame_levels"`
	// How prediction and target are compared: l2 (half the squared error), l1 (the absolute error)
	// or huber (squared for small errors, absolute for large ones), summed over a clip and averaged
	// over the batch. Logs show it divided by the number of values of the current frames.
	Loss string `yaml:"loss"`
	// Where the variances of the reverse process come from: fixed (the sampler has a formula) or
	// learned (the network says for each value where its variance lies between that of the posterior
	// and beta; Nichol and Dhariwal 2021, eqs. 15 and 16). learned needs a schedule with timesteps.
	// docs/likelihood.md says what it is good for.
	Variance string `yaml:"variance"`
	// Settings of the chosen schedule, weight, levels, loss and variance.
	Options Options `yaml:"options,omitempty"`
}

// Optimizer is Adam (Kingma and Ba 2015) with decoupled weight decay, linear warm-up, clipping by
// the global norm and an exponential moving average (EMA) of the weights, which sampling uses.
type Optimizer struct {
	// How weights decay: adamw (apart from the gradients) or adam (by a term that is added to the
	// gradients, as in PyTorch's Adam). Without weight decay both are the same.
	Name string `yaml:"name"`
	// The learning rate after the warm-up, from which the schedule goes on.
	LearningRate float64 `yaml:"learning_rate" range:"(0, inf)"`
	// The number of updates over which the learning rate grows in equal steps from 0; 0 for no
	// warm-up.
	WarmupSteps int `yaml:"warmup_steps" range:"[0, 1e9]"`
	// The learning rate after the warm-up: constant, or falling along half a cosine or a line until
	// train.steps. options.final says how much is left then.
	Schedule string `yaml:"schedule"`
	// The decay of the running mean of the gradients.
	Beta1 float64 `yaml:"beta1" range:"[0, 1)"`
	// The decay of the running mean of the squared gradients.
	Beta2 float64 `yaml:"beta2" range:"[0, 1)"`
	// What Adam adds to the square root of the mean of the squared gradients before it divides by
	// it.
	Epsilon float64 `yaml:"epsilon" range:"(0, inf)"`
	// How strongly weights are pulled to 0; 0 for not at all. adamw takes off this times the
	// learning rate of a weight at each update.
	WeightDecay float64 `yaml:"weight_decay" range:"[0, inf)"`
	// The greatest norm that the gradients of all weights together may have: longer ones are scaled
	// down to it. 0 for no bound.
	ClipNorm float64 `yaml:"clip_norm" range:"[0, inf)"`
	// The moving average of the weights, which sampling uses: constant (it decays by
	// options.ema_decay at every update) or power (its width, options.sigma_rel, grows with the
	// training; Karras et al. 2024, EDM2).
	EMA string `yaml:"ema"`
	// Settings of the chosen schedule and average.
	Options Options `yaml:"options,omitempty"`
}

// Train is the training loop. Steps are updates of the weights.
type Train struct {
	// The number of clips in a batch, on all devices and in all ranks together. An update takes one
	// batch, or more with train.accumulate.
	Batch int `yaml:"batch" range:"[1, 65536]"`
	// The number of updates after which training ends.
	Steps int `yaml:"steps" range:"[1, 1e9]"`
	// What the network computes in: float32 or, on XLA, bfloat16. Weights, statistics of norms and
	// the optimizer stay float32.
	Precision string `yaml:"precision" choices:"float32 bfloat16"`
	// Whether the backward pass computes the inside of the network's blocks a second time instead
	// of keeping it from the forward pass. That takes less memory and about a third more time. A
	// run may change it when it is resumed.
	GradientCheckpointing bool `yaml:"gradient_checkpointing"`
	// The number of this machine's devices that share a batch, which must be a multiple of it; 0
	// for all. A run may change it when it is resumed. XLA's CPU plugin always shows 4 devices.
	// They are virtual and share the machine's cores, so several are no faster than one.
	Devices int `yaml:"devices" range:"[0, 1024]"`
	// The run folder of a teacher, whose network learns to sample in few steps; empty for none. The
	// network starts as the teacher's. `mcvd distill` sets this and what it needs.
	Teacher string `yaml:"teacher"`
	// What is learned from train.teacher: progressive, to do in one step of ddim what the teacher does
	// in two (Salimans and Ho 2022), or consistency, to predict at every noise level the end of the
	// teacher's steps (Song et al. 2023).
	Distillation string `yaml:"distillation" choices:"progressive consistency"`
	// The number of ddim's steps that the teacher of a consistency distillation takes; 0 for others.
	TeacherSteps int `yaml:"teacher_steps" range:"[0, 1000]"`
	// How several processes train together, the ranks of an MPI job.
	Ranks Ranks `yaml:"ranks"`
	// The number of batches whose gradients are averaged for one update.
	Accumulate int `yaml:"accumulate" range:"[1, 1024]"`
	// The number of steps between checkpoints. One more is written at the end.
	CheckpointEvery int `yaml:"checkpoint_every" range:"[1, 1e9]"`
	// How many of the newest checkpoints stay, beside the one with the lowest validation loss.
	Keep int `yaml:"keep" range:"[1, 1e6]"`
	// Checkpoints of steps that are multiples of this, which is one of train.checkpoint_every, stay, too;
	// 0 for none. A run may change it when it is resumed; then those that the new number doesn't keep go
	// with the next checkpoint.
	KeepSteps int `yaml:"keep_steps" range:"[0, 1e9]"`
	// Checkpoints stay, too, if they were written this many hours after the one before that stays for
	// this reason; 0 for none. The oldest one of a run is the first. A run may change it when it is
	// resumed.
	KeepHours float64 `yaml:"keep_hours" range:"[0, 1e6]"`
	// Whether each checkpoint is read back after it was written, with all of its checksums, before older
	// ones are removed. A run may change it when it is resumed.
	VerifyCheckpoints bool `yaml:"verify_checkpoints"`
	// The seconds without progress after which training ends, with a checkpoint and a file that says where
	// it hangs; 0 for never. A step is progress, and so is a batch of a validation and, while samples and
	// scores are made, each evaluation of the network. Compiling a program takes minutes at times. A run
	// may change it when it is resumed.
	Patience float64 `yaml:"patience" range:"[0, 1e9]"`
	// What happens when the loss is not finite in 10 steps in a row, or a weight is not: stop ends the
	// training, rollback goes back to the newest checkpoint and passes over the batches since then. A
	// run may change it when it is resumed.
	OnDivergence string `yaml:"on_divergence" choices:"stop rollback"`
	// The number of steps between measurements of the loss on the validation split; 0 for none.
	ValidateEvery int `yaml:"validate_every" range:"[0, 1e9]"`
	// The number of steps between contact sheets of generated frames; 0 for none.
	SampleEvery int `yaml:"sample_every" range:"[0, 1e9]"`
	// How generated videos are scored from time to time. A run may change it when it is resumed.
	Scores Scores `yaml:"scores"`
	// Whether event files for `tensorboard --logdir RUN` are written into the run folder. They hold
	// the log and the samples, and take about as much room as these. A run may change it when it is
	// resumed.
	TensorBoard bool `yaml:"tensorboard"`
}

// Ranks says how processes share what they learn. Each has an equal part of every batch. A process that is
// started alone trains as a single rank.
type Ranks struct {
	// What ranks exchange: gradients in each step, which makes it the step of one process, or local, weights
	// after some steps that each makes by itself.
	Name string `yaml:"name"`
	// Settings of this way.
	Options Options `yaml:"options,omitempty"`
}

// Scores says which scores of generated videos a run's log gets. The videos are of clips of the
// validation split: predictions, or, of a model without past frames, whole videos.
type Scores struct {
	// The number of steps between scores; 0 for none.
	Every int `yaml:"every" range:"[0, 1e9]"`
	// The scores, by the names of `mcvd list metrics`.
	Metrics []string `yaml:"metrics"`
	// The number of clips that are scored; the same ones every time.
	Clips int `yaml:"clips" range:"[1, 1e6]"`
	// The number of frames that are generated of each clip; 0 for one block.
	Frames int `yaml:"frames" range:"[0, 1e6]"`
}

// Sampler is the reverse process.
//
// It is part of reports, too.
type Sampler struct {
	// The sampler, such as ddim, ddpm or dpmpp_2m (DPM-Solver++(2M)). docs/samplers.md compares
	// them.
	Name string `yaml:"name" json:"name"`
	// How many of the diffusion's noise levels are visited; at most diffusion.steps.
	Steps int `yaml:"steps" range:"[1, 1e6]" json:"steps"`
	// Which levels are visited: uniform spaces them evenly over the schedule, as the published code
	// does. docs/samplers.md has the others.
	Spacing string `yaml:"spacing" json:"spacing"`
	// What the network computes in: float32 or, on XLA, bfloat16.
	Precision string `yaml:"precision" choices:"float32 bfloat16" json:"precision"`
	// Whether predicted clean frames are kept in [-1, 1], in every step but the last denoising.
	Clip bool `yaml:"clip" json:"clip"`
	// Dynamic thresholding (Saharia et al. 2022): the share of the values of a clip's predicted clean
	// frames that is kept, 0.995 for instance; the frames are divided by the largest of these where
	// it is above 1. It keeps contrast in bounds where guidance is strong. 0 for none.
	Threshold float64 `yaml:"threshold" range:"[0, 1]" json:"threshold,omitempty"`
	// Whether the noise that the last level leaves is removed by one more network evaluation.
	LastDenoise bool `yaml:"last_denoise" json:"last_denoise"`
	// Whether the last denoising tells the network what the published code tells it by a slip: the
	// number of visited levels minus 1, instead of the label of the last level visited. The paper's
	// numbers contain this slip.
	PublishedLastDenoiseLabel bool `yaml:"published_last_denoise_label" json:"published_last_denoise_label"`
	// The share of the schedule, from the noisiest level on, that is left out in all windows of a
	// video but the first. Such a window starts from the block before it with noise added, not from
	// pure noise. With 0, all windows start from pure noise.
	Start float64 `yaml:"start" range:"[0, 1)" json:"start"`
	// Whether sampler.start works as in the published code, which has two slips. The share is one
	// of sampler.steps instead of diffusion.steps, so fewer levels are left out. They are also left
	// out of the first window, which starts from pure noise all the same.
	PublishedStart bool `yaml:"published_start" json:"published_start"`
	// By how many steps each frame of a block is behind the one before it in noise (the pyramid of
	// Diffusion Forcing, Chen et al. 2024). It needs model.options.level_per_frame, a sampler that
	// evaluates the network once in a step, and no guidance. A block of n frames takes n - 1 times
	// this many evaluations more. 0 denoises all frames together.
	FrameLag int `yaml:"frame_lag" range:"[0, 1000]" json:"frame_lag,omitempty"`
	// Settings of the chosen sampler and spacing.
	Options Options `yaml:"options,omitempty" json:"options,omitempty"`
	// What is done with the network's predictions before the sampler gets them.
	Guidance Guidance `yaml:"guidance" json:"guidance,omitzero"`
}

// Guidance changes what the network predicts, so that videos follow the conditioning frames more
// closely or less. docs/guidance.md is about it.
type Guidance struct {
	// The guidance: none, frames (classifier-free guidance on past and future), history,
	// autoguidance (away from a weaker model), classifier (to what a classifier should find), or
	// replacement and reconstruction, which know frames of the block.
	Name string `yaml:"name" json:"name"`
	// Settings of the chosen guidance.
	Options Options `yaml:"options,omitempty" json:"options,omitempty"`
}

// Off says that there is no guidance. Reports from before there was any have no name.
func (g Guidance) Off() bool { return g.Name == "" || g.Name == "none" }

// FirstLabel is the lowest label of the steps in a window with a start; steps with lower labels are
// left out. Labels count from 0 at the noisiest of the diffusion's levels. It is 0 if no steps are
// left out.
func (s Sampler) FirstLabel(diffusionSteps int) int {
	if s.PublishedStart {
		return int(math.Ceil(s.Start * float64(s.Steps)))
	}
	return int(math.Ceil(s.Start*float64(diffusionSteps) - 1e-6)) // 0.07 of 100 is 7, not a bit more
}

// Default is the experiment of an empty file, without the options of implementations, which only a
// [Catalogue] knows.
func Default() *Config {
	return &Config{
		Seed:      1,
		Frames:    Frames{Past: 5, Current: 5, Future: 5, Mask: Mask{Kind: "blocks", Past: 0.5, Future: 0.5}, Times: Times{Kind: "consecutive"}},
		Data:      Data{Name: "folder", Path: "clips/", Size: 64, Channels: 1, Stride: 1, Start: "random", Windows: 1, Flip: true, OnError: "skip"},
		Model:     Model{Network: "unet"},
		Diffusion: Diffusion{Steps: 1000, Schedule: "linear", Target: "eps", Weight: "simple", Levels: "uniform", FrameLevels: "equal", Loss: "l2", Variance: "fixed"},
		Optimizer: Optimizer{Name: "adamw", LearningRate: 2e-4, WarmupSteps: 1000, Schedule: "constant", Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, ClipNorm: 1,
			EMA: "constant"},
		Train: Train{Distillation: "progressive", Batch: 64, Steps: 700000, Precision: "float32", Devices: 1, Ranks: Ranks{Name: "gradients"}, Accumulate: 1, CheckpointEvery: 5000, Keep: 3, Patience: 3600, OnDivergence: "stop", ValidateEvery: 5000,
			SampleEvery: 5000, Scores: Scores{Metrics: []string{"psnr"}, Clips: 16}, TensorBoard: true},
		Sampler: Sampler{Name: "ddim", Steps: 100, Spacing: "uniform", Precision: "float32", Clip: true, LastDenoise: true, Guidance: Guidance{Name: "none"}},
	}
}
