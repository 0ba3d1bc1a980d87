// Package schema reads experiments in the YAML schema of the published PyTorch code of MCVD
// (voletiv/mcvd-pytorch).
//
// docs/published.md lists its keys. A key without counterpart here that would change the network or
// its samples is an error. Decisions become notes.
package schema

import (
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"mcvd/configs"
	"mcvd/configs/experiment"
)

// Translate makes a configuration from text, an experiment in the published schema. path names it
// in messages. Each note says, in a line, what has no counterpart or what was decided.
//
// The error holds every problem, one a line, with path, line and column. The configuration is
// valid and complete.
func Translate(path string, text []byte) (c *configs.Config, notes []string, err error) {
	r := newReader(path)
	if err := r.load(text); err != nil {
		return nil, nil, err
	}
	c = r.translate()
	if len(r.problems) == 0 {
		r.validate(c)
	}
	if err := r.err(); err != nil {
		return nil, nil, err
	}
	return c, r.notes, nil
}

// translate reads all keys.
func (r *reader) translate() *configs.Config {
	c := configs.Default()
	r.readFrames(&c.Frames)
	r.readData(&c.Data)
	r.readModel(c)
	r.readDiffusion(&c.Diffusion)
	r.readOptimizer(&c.Optimizer)
	r.readTrain(&c.Train)
	r.readSampler(c)
	r.noteUse()
	r.noteMissing()
	r.noteUnknown()
	return c
}

// Is says whether text is in the published schema rather than in this project's.
func Is(text []byte) bool {
	root, err := parse("", text)
	if err != nil {
		return false
	}
	found := map[string]bool{}
	for i := 0; i < len(root.Content); i += 2 {
		section, item := root.Content[i].Value, resolve(root.Content[i+1])
		found[section] = true
		for k := 0; item.Kind == yaml.MappingNode && k < len(item.Content); k += 2 {
			found[section+"."+item.Content[k].Value] = true
		}
	}
	in := func(key string) bool { return found[key] }
	return !slices.ContainsFunc([]string{"base", "frames", "diffusion", "optimizer", "train", "sampler"}, in) &&
		slices.ContainsFunc([]string{"training", "sampling", "optim", "fast_fid", "data.dataset", "data.num_frames", "model.ngf"}, in)
}

// validate completes the configuration. It reports what is wrong with it by the published keys.
func (r *reader) validate(c *configs.Config) {
	err := experiment.Resolve(c)
	if err == nil {
		return
	}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		ours, message, _ := strings.Cut(line, ": ")
		setting, item, _ := strings.Cut(ours, "[")
		key := r.from[setting]
		if key == "" {
			r.problem(nil, ours, "%s", message)
			continue
		}
		if item != "" {
			item = "[" + item
		}
		r.problem(r.values[key], key+item, "%s (%s in mcvd)", message, ours)
	}
}

// noteUse notes keys that belong to the use of a model rather than to its experiment.
func (r *reader) noteUse() {
	frames, trajectories, single := 0, 1, false
	if opt(r, "sampling.num_frames_pred", "", &frames, 0) && frames > 0 {
		r.note("sampling.num_frames_pred", "%d: not a setting of mcvd: mcvd predict --frames %d", frames, frames)
	}
	if opt(r, "sampling.preds_per_test", "", &trajectories, 1) && trajectories > 1 {
		r.note("sampling.preds_per_test", "%d: not a setting of mcvd: mcvd eval --trajectories %d", trajectories, trajectories)
	}
	if opt(r, "sampling.one_frame_at_a_time", "", &single, false) && single {
		r.note("sampling.one_frame_at_a_time", "true: not a setting of mcvd: mcvd predict --advance 1 keeps one frame of each window "+
			"(the published code moves on by one frame, but keeps whole blocks)")
	}
}

// noteMissing names the missing keys that the published code requires and that change neither the
// network nor how it is sampled.
func (r *reader) noteMissing() {
	if len(r.missing) > 0 {
		r.notes = append(r.notes, "missing, so these keep their defaults: "+strings.Join(r.missing, ", "))
	}
}

// noteUnknown names the keys that this package doesn't know, and that the published code, as far as
// is known, doesn't read either.
func (r *reader) noteUnknown() {
	for _, key := range r.order {
		section, _, _ := strings.Cut(key, ".")
		if !r.seen[key] && !idle[key] && !idle[section] {
			r.note(key, "unknown key in line %d, ignored", r.lines[key])
		}
	}
}

// idle are keys, and whole sections, without effect here. They concern only how the published code
// runs, or it does not read them when it makes and uses the two-dimensional network.
var idle = set(`
	device fast_fid input_dim test
	data.category data.classes data.num_workers data.step_length data.test_subset
	model.conditional model.depth model.nonlinearity model.normalization model.spec_norm model.type
	sampling.batch_size sampling.ckpt_id sampling.consistent sampling.fid sampling.final_only sampling.fvd sampling.inpainting
	sampling.interpolation sampling.max_data_iter sampling.n_interpolations sampling.n_steps_each sampling.num_samples4fid
	sampling.num_samples4fvd sampling.ssim sampling.step_lr sampling.train
	training.anneal_power training.log_all_sigmas training.log_freq training.loss_type training.n_epochs`)

func set(keys string) map[string]bool {
	m := map[string]bool{}
	for key := range strings.FieldsSeq(keys) {
		m[key] = true
	}
	return m
}
