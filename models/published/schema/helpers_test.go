package schema

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"mcvd/configs"
)

// settings are the keys of a file in the published schema, such as "model.ngf": "64".
type settings map[string]string

// whole is a small experiment that has every key that is read.
func whole() settings {
	return settings{
		"data.dataset": "KTH", "data.image_size": "64", "data.channels": "1", "data.random_flip": "true", "data.rescaled": "true",
		"data.logit_transform": "false", "data.uniform_dequantization": "false", "data.gaussian_dequantization": "false",
		"data.num_frames": "5", "data.num_frames_cond": "10", "data.num_frames_future": "5",
		"data.prob_mask_cond": "0.5", "data.prob_mask_future": "0.25", "data.prob_mask_sync": "false", "data.color_jitter": "0.0",
		"model.arch": "unetmore", "model.version": "DDPM", "model.ngf": "96", "model.ch_mult": "[1, 2, 3, 4]", "model.num_res_blocks": "2",
		"model.attn_resolutions": "[8, 16, 32]", "model.n_head_channels": "96", "model.dropout": "0.1", "model.cond_emb": "false",
		"model.spade": "false", "model.spade_dim": "192", "model.time_conditional": "true", "model.gamma": "false",
		"model.noise_in_cond": "false", "model.output_all_frames": "false", "model.num_classes": "1000", "model.sigma_dist": "linear",
		"model.sigma_begin": "0.02", "model.sigma_end": "0.0001", "model.ema": "true", "model.ema_rate": "0.999",
		"optim.optimizer": "Adam", "optim.lr": "0.0002", "optim.warmup": "5000", "optim.beta1": "0.9", "optim.eps": "1.0e-08",
		"optim.grad_clip": "1.0", "optim.weight_decay": "0.0", "optim.amsgrad": "false",
		"training.L1": "false", "training.batch_size": "64", "training.n_iters": "3000001", "training.snapshot_freq": "50000",
		"training.val_freq": "100", "training.sample_freq": "50000", "training.snapshot_sampling": "true",
		"sampling.denoise": "true", "sampling.subsample": "100", "sampling.clip_before": "true", "sampling.init_prev_t": "-1.0",
		"sampling.data_init": "false", "sampling.num_frames_pred": "20", "sampling.preds_per_test": "1", "sampling.one_frame_at_a_time": "false",
	}
}

// with changes keys, given as "key", "value" and so on; a value of "" removes its key.
func (s settings) with(pairs ...string) settings {
	s = maps.Clone(s)
	for i := 0; i < len(pairs); i += 2 {
		if s[pairs[i]] = pairs[i+1]; pairs[i+1] == "" {
			delete(s, pairs[i])
		}
	}
	return s
}

// yaml writes the sections and their keys in alphabetical order, a line each.
func (s settings) yaml() []byte {
	var out strings.Builder
	last := ""
	for _, key := range slices.Sorted(maps.Keys(s)) {
		section, name, nested := strings.Cut(key, ".")
		switch {
		case !nested:
			fmt.Fprintf(&out, "%s: %s\n", key, s[key])
			continue
		case section != last:
			fmt.Fprintf(&out, "%s:\n", section)
		}
		last = section
		fmt.Fprintf(&out, "  %s: %s\n", name, s[key])
	}
	return []byte(out.String())
}

// translate fails the test if s is refused.
func (s settings) translate(t *testing.T) (*configs.Config, []string) {
	t.Helper()
	c, notes, err := Translate("config.yml", s.yaml())
	if err != nil {
		t.Fatalf("%v\n%s", err, s.yaml())
	}
	return c, notes
}

// mentions says whether a note begins with start, or is start if that ends in an exclamation mark.
func mentions(notes []string, start string) bool {
	return slices.ContainsFunc(notes, func(n string) bool { return strings.HasPrefix(n+"!", start) })
}
