package schema

import (
	"slices"
	"strings"
	"testing"

	"mcvd/configs"
)

// TestKeysMeanWhatTheyDoThere changes a key or two of a whole file and says what changes in the
// configuration.
func TestKeysMeanWhatTheyDoThere(t *testing.T) {
	base, _ := whole().translate(t)
	for name, c := range map[string]struct {
		change []string
		diff   []string
		note   string // how one begins
	}{
		"one sampler":     {[]string{"model.version", "DDIM"}, []string{`sampler.name: "ddpm" -> "ddim"`, `sampler.options.step_variance: "posterior" -> unset`, "sampler.options.eta: unset -> 0.0"}, ""},
		"in small":        {[]string{"model.version", "ddim"}, []string{`sampler.name: "ddpm" -> "ddim"`, `sampler.options.step_variance: "posterior" -> unset`, "sampler.options.eta: unset -> 0.0"}, ""},
		"another":         {[]string{"model.version", "FPNDM"}, []string{`sampler.name: "ddpm" -> "ddim"`, `sampler.options.step_variance: "posterior" -> unset`, "sampler.options.eta: unset -> 0.0"}, "model.version: FPNDM: sampler.name is ddim"},
		"no sampler":      {[]string{"model.version", ""}, nil, "model.version: missing: sampler.name is ddpm"},
		"all steps":       {[]string{"sampling.subsample", ""}, []string{"sampler.steps: 100 -> 1000"}, ""},
		"null steps":      {[]string{"sampling.subsample", "null"}, []string{"sampler.steps: 100 -> 1000"}, ""},
		"too many steps":  {[]string{"sampling.subsample", "5000"}, []string{"sampler.steps: 100 -> 1000"}, ""},
		"uneven steps":    {[]string{"sampling.subsample", "300"}, []string{"sampler.steps: 100 -> 334"}, "sampling.subsample: 300: sampler.steps is 334, the number of steps that the published code makes: every 3 of 1000 levels; mcvd spreads"},
		"even steps":      {[]string{"sampling.subsample", "400"}, []string{"sampler.steps: 100 -> 500"}, "sampling.subsample: 400: sampler.steps is 500, the number of steps that the published code makes: every 2 of 1000 levels!"},
		"fewer levels":    {[]string{"model.num_classes", "250"}, []string{"diffusion.steps: 1000 -> 250", "sampler.steps: 100 -> 125"}, "sampling.subsample: 100: sampler.steps is 125"},
		"no clipping":     {[]string{"sampling.clip_before", "false"}, []string{"sampler.clip: true -> false"}, ""},
		"clipping there":  {[]string{"sampling.clip_before", ""}, nil, ""},
		"no last step":    {[]string{"sampling.denoise", "false"}, []string{"sampler.last_denoise: true -> false"}, ""},
		"last step there": {[]string{"sampling.denoise", ""}, nil, "missing, so these keep their defaults: sampling.denoise (sampler.last_denoise)"},
		"start":           {[]string{"sampling.init_prev_t", "0.4"}, []string{"sampler.start: 0.0 -> 0.4"}, "sampling.init_prev_t: 0.4: sampler.start"},
		"no start":        {[]string{"sampling.init_prev_t", "0"}, nil, ""},
		"start missing":   {[]string{"sampling.init_prev_t", ""}, nil, ""},
		"frame by frame":  {[]string{"sampling.one_frame_at_a_time", "True"}, nil, "sampling.one_frame_at_a_time: true"},
		"several a video": {[]string{"sampling.preds_per_test", "10"}, nil, "sampling.preds_per_test: 10"},

		"betas": {[]string{"model.sigma_begin", "0.05", "model.sigma_end", "1e-3"}, []string{"diffusion.options.beta_end: 0.02 -> 0.05", "diffusion.options.beta_start: 0.0001 -> 0.001"}, ""},
		"cosine": {[]string{"model.sigma_dist", "cosine", "model.sigma_begin", "", "model.sigma_end", ""}, []string{`diffusion.schedule: "linear" -> "cosine"`, "diffusion.options.beta_end: 0.02 -> unset",
			"diffusion.options.beta_start: 0.0001 -> unset"}, "model.sigma_dist: cosine: betas are at most 0.999"},
		"cosine with betas": {[]string{"model.sigma_dist", "cosine", "model.sigma_begin", "0.5", "model.sigma_end", "0.7"}, []string{`diffusion.schedule: "linear" -> "cosine"`, "diffusion.options.beta_end: 0.02 -> unset",
			"diffusion.options.beta_start: 0.0001 -> unset"}, ""},
		"linear":         {[]string{"model.sigma_dist", ""}, nil, ""},
		"absolute error": {[]string{"training.L1", "true"}, []string{`diffusion.loss: "l2" -> "l1"`}, ""},
		"squared error":  {[]string{"training.L1", ""}, nil, ""},

		"spatin":          {[]string{"model.spade", "True"}, []string{`model.options.conditioning: "concat" -> "spatin"`, "model.options.spatin_width: unset -> 192"}, ""},
		"spatin, 1":       {[]string{"model.spade", "1", "model.spade_dim", "64"}, []string{`model.options.conditioning: "concat" -> "spatin"`, "model.options.spatin_width: unset -> 64"}, ""},
		"its width there": {[]string{"model.spade", "yes", "model.spade_dim", ""}, []string{`model.options.conditioning: "concat" -> "spatin"`, "model.options.spatin_width: unset -> 128"}, ""},
		"mask flag":       {[]string{"model.cond_emb", "true"}, []string{"model.options.mask_embedding: false -> true"}, ""},
		"no dropout":      {[]string{"model.dropout", ""}, []string{"model.options.dropout: 0.1 -> 0.0"}, ""},
		"dropout":         {[]string{"model.dropout", "0.25"}, []string{"model.options.dropout: 0.1 -> 0.25"}, ""},
		"one head":        {[]string{"model.n_head_channels", "-1"}, []string{"model.options.head_channels: 96 -> 384"}, ""},
		"other sizes":     {[]string{"model.attn_resolutions", "[4, 64, 8, 64]"}, []string{"model.options.attention: [8, 16, 32] -> [64, 8]"}, "model.attn_resolutions: 4 has no effect"},
		"no attention":    {[]string{"model.attn_resolutions", "[]"}, []string{"model.options.attention: [8, 16, 32] -> []"}, ""},
		"what isn't read": {[]string{"model.depth", "deeper", "model.nonlinearity", "elu", "model.normalization", "none", "model.spec_norm", "true", "model.type", "v2", "model.conditional", "false"}, nil, ""},

		"no future":        {[]string{"data.num_frames_future", ""}, []string{"frames.future: 5 -> 0", "frames.mask.future: 0.25 -> 0.0"}, "data.prob_mask_future: 0.25 has no effect"},
		"no past":          {[]string{"data.num_frames_cond", "0"}, []string{"frames.past: 10 -> 0", "frames.mask.past: 0.5 -> 0.0"}, "data.prob_mask_cond: 0.5 has no effect"},
		"nothing hidden":   {[]string{"data.prob_mask_cond", "", "data.prob_mask_future", ""}, []string{"frames.mask.past: 0.5 -> 0.0", "frames.mask.future: 0.25 -> 0.0"}, ""},
		"hidden together":  {[]string{"data.prob_mask_future", "0.5", "data.prob_mask_sync", "true"}, []string{"frames.mask.future: 0.25 -> 0.5", "frames.mask.together: false -> true"}, ""},
		"nothing together": {[]string{"data.num_frames_future", "0", "data.prob_mask_sync", "true"}, []string{"frames.future: 5 -> 0", "frames.mask.future: 0.25 -> 0.0"}, "data.prob_mask_sync: true has no effect"},
		"never together":   {[]string{"data.prob_mask_cond", "0", "data.prob_mask_future", "0", "data.prob_mask_sync", "true"}, []string{"frames.mask.past: 0.5 -> 0.0", "frames.mask.future: 0.25 -> 0.0"}, "data.prob_mask_sync: true has no effect"},

		"digits":       {[]string{"data.dataset", "stochasticmovingmnist"}, []string{`data.name: "folder" -> "digits"`, "data.flip: true -> false", "data.options.digits: unset -> 2"}, "data.random_flip: true has no effect"},
		"three digits": {[]string{"data.dataset", "MovingMNIST", "data.num_digits", "3", "data.random_flip", "false"}, []string{`data.name: "folder" -> "digits"`, "data.flip: true -> false", "data.options.digits: unset -> 3"}, "data.dataset: MovingMNIST: data.name is digits"},
		"no flips":     {[]string{"data.random_flip", "false"}, []string{"data.flip: true -> false"}, ""},
		"no name":      {[]string{"data.dataset", ""}, nil, "data.dataset: missing: data.name is folder"},
		"colours":      {[]string{"data.color_jitter", "0.2"}, nil, "data.color_jitter: 0.2"},
		"a part":       {[]string{"data.subset", "100", "data.test_subset", "5"}, nil, "data.subset: 100"},

		"clipping":       {[]string{"optim.grad_clip", "0.5"}, []string{"optimizer.clip_norm: 1.0 -> 0.5"}, ""},
		"no bound":       {[]string{"optim.grad_clip", ".inf"}, []string{"optimizer.clip_norm: 1.0 -> 0.0"}, ""},
		"no bound there": {[]string{"optim.grad_clip", ""}, []string{"optimizer.clip_norm: 1.0 -> 0.0"}, ""},
		"weight decay":   {[]string{"optim.weight_decay", "0.01"}, []string{`optimizer.name: "adamw" -> "adam"`, "optimizer.weight_decay: 0.0 -> 0.01"}, ""},
		"no decay there": {[]string{"optim.weight_decay", ""}, nil, ""},
		"no warm-up":     {[]string{"optim.warmup", ""}, []string{"optimizer.warmup_steps: 5000 -> 0"}, "optim.warmup: 0: the published loop"},
		"adam":           {[]string{"optim.lr", "1e-3", "optim.beta1", "0.5", "optim.eps", "0.001"}, []string{"optimizer.learning_rate: 0.0002 -> 0.001", "optimizer.beta1: 0.9 -> 0.5", "optimizer.epsilon: 1e-08 -> 0.001"}, ""},
		"average":        {[]string{"model.ema_rate", "0.99"}, []string{"optimizer.options.ema_decay: 0.999 -> 0.99"}, ""},
		"no average":     {[]string{"model.ema", "false"}, []string{"optimizer.options.ema_decay: 0.999 -> 0.0"}, "model.ema: false"},

		"loop":        {[]string{"training.batch_size", "16", "training.n_iters", "200001", "training.val_freq", "2500"}, []string{"train.batch: 64 -> 16", "train.steps: 3000001 -> 200001", "train.validate_every: 1000 -> 2500"}, ""},
		"often":       {[]string{"training.snapshot_freq", "500", "training.val_freq", "200"}, []string{"train.checkpoint_every: 1000 -> 500", "train.validate_every: 1000 -> 500", "train.sample_every: 50000 -> 500"}, "training.snapshot_freq: 500: train.checkpoint_every is 500"},
		"sheets":      {[]string{"training.sample_freq", "100"}, []string{"train.sample_every: 50000 -> 100"}, ""},
		"never":       {[]string{"training.val_freq", "0", "training.sample_freq", "0"}, []string{"train.validate_every: 1000 -> 0", "train.sample_every: 50000 -> 0"}, ""},
		"no sheets":   {[]string{"training.snapshot_sampling", "false"}, []string{"train.sample_every: 50000 -> 0"}, ""},
		"a slip":      {[]string{"model.nfg", "3"}, nil, "model.nfg: unknown key in line 27, ignored!"},
		"a section":   {[]string{"modell", "\n  ngf: 3"}, nil, "modell: unknown key in line 39, ignored!"},
		"only there":  {[]string{"fast_fid", "{batch_size: 5}", "test", "", "training.n_epochs", "3", "sampling.fid", "true"}, nil, ""},
		"underscores": {[]string{"training.n_iters", "3_000_001"}, nil, ""},
	} {
		got, notes := whole().with(c.change...).translate(t)
		diff := slices.DeleteFunc(configs.Diff(base, got), func(d string) bool { // other options come with another data set
			return strings.HasPrefix(d, "data.options.") && !strings.HasPrefix(d, "data.options.digits:")
		})
		if !slices.Equal(diff, c.diff) {
			t.Errorf("%s: differences\n%s\nwant\n%s", name, strings.Join(diff, "\n"), strings.Join(c.diff, "\n"))
		}
		if c.note != "" && !mentions(notes, c.note) {
			t.Errorf("%s: notes\n%s\nwant one that begins with %q", name, strings.Join(notes, "\n"), c.note)
		}
		if unknown := strings.Contains(strings.Join(notes, "\n"), "unknown"); unknown != strings.Contains(c.note, "unknown") {
			t.Errorf("%s: notes %q about unknown keys", name, notes)
		}
		checkRoundTrip(t, name, got)
	}
}

// TestTheLastDenoisingIsRightThereWhenNoLevelIsLeftOut: its label, the number of steps minus 1, is
// then the last level's.
func TestTheLastDenoisingIsRightThereWhenNoLevelIsLeftOut(t *testing.T) {
	for steps, want := range map[string]bool{"100": true, "300": true, "999": false, "1000": false, "2000": false, "": false} {
		if _, notes := whole().with("sampling.subsample", steps).translate(t); mentions(notes, "sampling.denoise") != want {
			t.Errorf("subsample %q: notes %q, want one about sampling.denoise: %v", steps, notes, want)
		}
	}
	if _, notes := whole().with("sampling.denoise", "false").translate(t); mentions(notes, "sampling.denoise") {
		t.Errorf("without denoising: notes %q", notes)
	}
}

// TestUsualFileHasFewNotes says exactly what a reader of a usual import sees.
func TestUsualFileHasFewNotes(t *testing.T) {
	_, notes := whole().translate(t)
	want := []string{"data.dataset", "training.snapshot_freq", "sampling.denoise", "sampling.num_frames_pred"}
	var got []string
	for _, n := range notes {
		key, _, _ := strings.Cut(n, ":")
		got = append(got, key)
	}
	if !slices.Equal(got, want) {
		t.Errorf("notes about %q, want %q", got, want)
	}
	for _, option := range []string{"sampler.published_last_denoise_label", "--set data.path=", "--frames 20"} {
		if !strings.Contains(strings.Join(notes, "\n"), option) {
			t.Errorf("notes %q do not name %s", notes, option)
		}
	}
}
