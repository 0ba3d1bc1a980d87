package schema

import (
	"fmt"
	"slices"
	"strings"

	"mcvd/configs"
	"mcvd/models/diffusion"
	"mcvd/models/network"
)

// latestEvery is how often the published loop writes checkpoint.pt, from which it resumes, whatever
// training.snapshot_freq is.
const latestEvery = 1000

// readFrames reads how clips are cut and hidden. The published probabilities are of hiding, too.
func (r *reader) readFrames(f *configs.Frames) {
	need(r, "data.num_frames", "frames.current", &f.Current)
	need(r, "data.num_frames_cond", "frames.past", &f.Past)
	opt(r, "data.num_frames_future", "frames.future", &f.Future, 0)
	opt(r, "data.prob_mask_cond", "frames.mask.past", &f.Mask.Past, 0)
	opt(r, "data.prob_mask_future", "frames.mask.future", &f.Mask.Future, 0)
	opt(r, "data.prob_mask_sync", "frames.mask.together", &f.Mask.Together, false)
	if f.Past == 0 && f.Mask.Past != 0 {
		r.note("data.prob_mask_cond", "%v has no effect because data.num_frames_cond is 0: it is 0 in mcvd", f.Mask.Past)
		f.Mask.Past = 0
	}
	if f.Future == 0 && f.Mask.Future != 0 {
		r.note("data.prob_mask_future", "%v has no effect because data.num_frames_future is 0: it is 0 in mcvd", f.Mask.Future)
		f.Mask.Future = 0
	}
	if f.Mask.Together && (f.Past == 0 || f.Future == 0 || f.Mask.Past == 0 && f.Mask.Future == 0) {
		r.note("data.prob_mask_sync", "true has no effect because past and future are not both hidden: it is false in mcvd")
		f.Mask.Together = false
	}
}

func (r *reader) readData(d *configs.Data) {
	need(r, "data.image_size", "data.size", &d.Size)
	need(r, "data.channels", "data.channels", &d.Channels)
	keep(r, "data.random_flip", "data.flip", &d.Flip)
	r.readDataset(d)
	jitter, subset := 0.0, -1
	if opt(r, "data.color_jitter", "", &jitter, 0) && jitter != 0 {
		r.note("data.color_jitter", "%v: training in mcvd does not change colours", jitter)
	}
	if opt(r, "data.subset", "", &subset, -1) && subset > 0 {
		r.note("data.subset", "%d: training in mcvd uses the whole data set", subset)
	}
	const scale = "frames of mcvd are in [-1, 1], and nothing else is done to them"
	must(r, "data.rescaled", true, scale)
	must(r, "data.logit_transform", false, scale)
	must(r, "data.uniform_dequantization", false, scale)
	must(r, "data.gaussian_dequantization", false, scale)
	if n, ok := r.values["image_mean"]; ok {
		r.problem(n, "image_mean", "%s, want none: %s", describe(n), scale)
	}
}

// readDataset reads the name of the data set. Digits are drawn here, too. All others are files in
// formats that mcvd does not read.
func (r *reader) readDataset(d *configs.Data) {
	name, count := "", 2
	opt(r, "data.dataset", "data.name", &name, "missing")
	counted := opt(r, "data.num_digits", "data.options", &count, 2)
	if upper := strings.ToUpper(name); upper != "STOCHASTICMOVINGMNIST" && upper != "MOVINGMNIST" {
		r.note("data.dataset", "%s: data.name is folder: videos are read from data.path, which is %s: --set data.path=FOLDER", name, d.Path)
		return
	}
	d.Name = "digits"
	r.note("data.dataset", "%s: data.name is digits, which differ in shape, size and motion; "+
		"with --set data.options.mnist=FOLDER --set data.options.digit_size=%d they are MNIST's in the published size", name, d.Size/2)
	if d.Flip {
		r.note("data.random_flip", "true has no effect on these digits in the published code: data.flip is false")
		d.Flip = false
	}
	switch {
	case counted && (count < 1 || count > 100):
		r.problem(r.values["data.num_digits"], "data.num_digits", "%d, want 1 to 100", count)
	case count != 2:
		d.Options = configs.Options{"digits": count}
	}
}

func (r *reader) readModel(c *configs.Config) {
	u, spade := network.DefaultUNet(), false
	if _, ok := r.values["model.arch"]; !ok {
		r.problem(nil, "model.arch", "missing, which means ncsn in the published code, want unetmore")
	}
	must(r, "model.arch", "unetmore", "mcvd has no other published network")
	need(r, "model.ngf", "model.options.width", &u.Width)
	need(r, "model.ch_mult", "model.options.multipliers", &u.Multipliers)
	need(r, "model.num_res_blocks", "model.options.blocks", &u.Blocks)
	if need(r, "model.attn_resolutions", "model.options.attention", &u.Attention) {
		r.dropSizes(&u, c.Data.Size)
	}
	if need(r, "model.n_head_channels", "model.options.head_channels", &u.HeadChannels) && u.HeadChannels == -1 {
		// One head: here, an attention head with as many channels as the widest layer.
		u.HeadChannels = u.Width * slices.Max(append(slices.Clip(u.Multipliers), 1))
	}
	opt(r, "model.dropout", "model.options.dropout", &u.Dropout, 0)
	opt(r, "model.cond_emb", "model.options.mask_embedding", &u.MaskEmbedding, false)
	u.Conditioning = "concat"
	width := 128
	opt(r, "model.spade_dim", "model.options.spatin_width", &width, 128)
	if opt(r, "model.spade", "model.options.conditioning", &spade, false); spade {
		u.Conditioning = "spatin"
	}
	c.Model.Options = configs.OptionsOf(u)
	if spade {
		c.Model.Options["spatin_width"] = width
	}
	must(r, "model.time_conditional", true, "networks of mcvd are always told the timestep")
	must(r, "model.gamma", false, "noise is always Gaussian in mcvd")
	must(r, "model.noise_in_cond", false, "past and future frames stay clean in mcvd")
	must(r, "model.output_all_frames", false, "networks of mcvd predict only the current frames")
}

// dropSizes leaves out attention at sizes that the network does not have, or has already.
func (r *reader) dropSizes(u *network.UNet, size int) {
	levels := max(1, min(len(u.Multipliers), 32))
	if size%(1<<(levels-1)) != 0 {
		return // reported elsewhere
	}
	var sizes, kept []int
	for level := range levels {
		sizes = append(sizes, size>>level)
	}
	for _, size := range u.Attention {
		switch {
		case slices.Contains(kept, size):
		case slices.Contains(sizes, size):
			kept = append(kept, size)
		default:
			r.note("model.attn_resolutions", "%d has no effect because the network's sizes are %s: left out",
				size, strings.Trim(fmt.Sprint(sizes), "[]"))
		}
	}
	u.Attention = kept
}

// readDiffusion reads the forward process. The published code counts from the noisiest level, so
// its first beta is the last one here.
func (r *reader) readDiffusion(d *configs.Diffusion) {
	need(r, "model.num_classes", "diffusion.steps", &d.Steps)
	opt(r, "model.sigma_dist", "diffusion.schedule", &d.Schedule, "linear")
	standard := diffusion.DefaultLinear()
	begin, end := standard.End, standard.Start
	switch d.Schedule {
	case "linear":
		need(r, "model.sigma_begin", "diffusion.options.beta_end", &begin)
		need(r, "model.sigma_end", "diffusion.options.beta_start", &end)
		linear := diffusion.DefaultLinear()
		linear.Start, linear.End = end, begin
		d.Options = configs.OptionsOf(linear)
	case "cosine":
		opt(r, "model.sigma_begin", "", &begin, begin)
		opt(r, "model.sigma_end", "", &end, end)
		r.note("model.sigma_dist", "cosine: betas are at most 0.999 in mcvd; the noisiest level of the published code keeps no signal apart from rounding errors")
	default:
		r.problem(r.values["model.sigma_dist"], "model.sigma_dist", "%s, want linear or cosine", d.Schedule)
		r.seen["model.sigma_begin"], r.seen["model.sigma_end"] = true, true
	}
	absolute := false
	if opt(r, "training.L1", "diffusion.loss", &absolute, false); absolute {
		d.Loss = "l1"
	}
}

func (r *reader) readOptimizer(o *configs.Optimizer) {
	keep(r, "optim.lr", "optimizer.learning_rate", &o.LearningRate)
	keep(r, "optim.beta1", "optimizer.beta1", &o.Beta1)
	keep(r, "optim.eps", "optimizer.epsilon", &o.Epsilon)
	if opt(r, "optim.warmup", "optimizer.warmup_steps", &o.WarmupSteps, 0); o.WarmupSteps == 0 {
		r.note("optim.warmup", "0: the published loop would then never raise the learning rate above 0; in mcvd it is full from the first step")
	}
	o.Beta2 = 0.999 // not a setting of the published code
	r.readClip(o)
	must(r, "optim.optimizer", "Adam", "mcvd has no other")
	must(r, "optim.amsgrad", false, "mcvd has no such form of Adam")
	if opt(r, "optim.weight_decay", "optimizer.weight_decay", &o.WeightDecay, 0); o.WeightDecay != 0 {
		o.Name = "adam" // the published code adds it to the gradients; without it, adam and adamw are the same
	}
	average, decay := true, 0.999
	keep(r, "model.ema", "optimizer.options.ema_decay", &average)
	keep(r, "model.ema_rate", "optimizer.options.ema_decay", &decay)
	if !average {
		r.note("model.ema", "false: optimizer.options.ema_decay is 0, which makes the average equal to the weights")
		decay = 0
	}
	o.Options = configs.Options{"ema_decay": decay}
}

// readClip reads the bound of the gradients' norm. No bound is infinite in the published code, and 0
// in mcvd.
func (r *reader) readClip(o *configs.Optimizer) {
	const key, ours = "optim.grad_clip", "optimizer.clip_norm"
	if n, ok := r.values[key]; ok && !isQuoted(n) && strings.EqualFold(strings.TrimPrefix(n.Value, "+"), ".inf") {
		r.seen[key], o.ClipNorm = true, 0
		return
	}
	if opt(r, key, ours, &o.ClipNorm, 0) && o.ClipNorm == 0 {
		r.problem(r.values[key], key, "0, want more than 0 (or no such key): in the published code it makes all gradients 0")
	}
}

// readTrain reads the loop.
func (r *reader) readTrain(t *configs.Train) {
	keep(r, "training.batch_size", "train.batch", &t.Batch)
	keep(r, "training.n_iters", "train.steps", &t.Steps)
	snapshot, sheets, sampling := 0, 0, true
	if keep(r, "training.snapshot_freq", "train.checkpoint_every", &snapshot) {
		t.CheckpointEvery = min(snapshot, latestEvery)
		r.note("training.snapshot_freq", "%d: train.checkpoint_every is %d, as often as the published loop writes the checkpoint that it resumes "+
			"from; train.keep says how many stay", snapshot, t.CheckpointEvery)
	}
	if keep(r, "training.val_freq", "train.validate_every", &t.ValidateEvery) && t.ValidateEvery > 0 {
		// Validation is not more often than checkpoints, because the best validation so far writes
		// a checkpoint.
		t.ValidateEvery = max(t.ValidateEvery, t.CheckpointEvery)
	}
	if keep(r, "training.sample_freq", "train.sample_every", &sheets) {
		t.SampleEvery = sheets
		if snapshot > 0 && sheets > snapshot {
			t.SampleEvery = snapshot
		}
	}
	if opt(r, "training.snapshot_sampling", "", &sampling, true); !sampling {
		t.SampleEvery = 0
	}
}

// readSampler reads the reverse process. Slips of the published code stay off.
func (r *reader) readSampler(c *configs.Config) {
	s := &c.Sampler
	r.readSamplerName(s)
	r.readSteps(s, c.Diffusion.Steps)
	opt(r, "sampling.clip_before", "sampler.clip", &s.Clip, true)
	if keep(r, "sampling.denoise", "sampler.last_denoise", &s.LastDenoise); s.LastDenoise && s.Steps < c.Diffusion.Steps {
		r.note("sampling.denoise", "true: the network is told the right level in the last denoising; sampler.published_last_denoise_label "+
			"tells it the one that the published code does, by a slip")
	}
	must(r, "sampling.data_init", false, "windows of mcvd start from noise or from the frames before them")
	if opt(r, "sampling.init_prev_t", "sampler.start", &s.Start, 0); s.Start <= 0 {
		s.Start = 0 // any such number is off
		return
	}
	r.note("sampling.init_prev_t", "%v: sampler.start leaves out that share of the schedule; sampler.published_start applies it as the "+
		"published code does, by a slip", s.Start)
}

func (r *reader) readSamplerName(s *configs.Sampler) {
	version := "DDPM"
	opt(r, "model.version", "sampler.name", &version, "DDPM")
	if _, ok := r.values["model.version"]; !ok {
		r.note("model.version", "missing: sampler.name is ddpm")
	}
	switch strings.ToUpper(version) {
	case "DDPM":
		s.Name = "ddpm"
	case "DDIM":
		s.Name = "ddim"
	case "FPNDM":
		s.Name = "ddim"
		r.note("model.version", "%s: sampler.name is ddim: the published form of F-PNDM walks the schedule in the wrong direction", version)
	default:
		r.problem(r.values["model.version"], "model.version", "%s, want DDPM, DDIM or FPNDM", version)
	}
}

// readSteps reads how many of the schedule's levels are visited. The published code visits every
// k-th, from the noisiest on, which can be more than sampling.subsample says.
func (r *reader) readSteps(s *configs.Sampler, total int) {
	const key = "sampling.subsample"
	s.Steps = total
	kept := total
	if n, ok := r.values[key]; ok && isNull(n) {
		r.seen[key] = true
	} else if opt(r, key, "sampler.steps", &kept, total) && kept < 1 {
		r.problem(n, key, "%d, want 1 or more", kept)
	}
	if kept < 1 || total < 1 || kept >= total {
		return
	}
	every := total / kept
	s.Steps = (total + every - 1) / every
	spread := ""
	if total%every != 0 {
		spread = "; mcvd spreads them evenly, so most differ a little"
	}
	if s.Steps != kept || spread != "" {
		r.note(key, "%d: sampler.steps is %d, the number of steps that the published code makes: every %d of %d levels%s",
			kept, s.Steps, every, total, spread)
	}
}
