package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/spf13/cobra"

	"mcvd/configs"
	"mcvd/data"
	"mcvd/data/clips"
	"mcvd/data/folder"
	"mcvd/data/video"
	"mcvd/eval"
	"mcvd/models"
	"mcvd/models/backend"
	"mcvd/models/sampler"
	"mcvd/train"
)

// samplerFlags override the experiment's sampler.
type samplerFlags struct {
	name, precision string
	steps           int
	eta             float64
	set             func(flag string) bool // whether the flag was given
}

// runFlags choose the weights of a run and how they are sampled.
type runFlags struct {
	samplerFlags
	checkpoint, backend string
	devices             int
	seed                uint64
}

func (r *runFlags) addTo(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&r.checkpoint, "checkpoint", "", "a file of RUN/checkpoints such as "+train.BestCheckpoint+", or a path (default: the newest)")
	f.StringVar(&r.name, "sampler", "", strings.Join(sampler.Names(), " or ")+" (default: the experiment's)")
	f.IntVar(&r.steps, "steps", 0, "sampling steps (default: the experiment's)")
	f.Float64Var(&r.eta, "eta", 0, "noise that ddim adds, 0 to 1 (default: the experiment's)")
	f.StringVar(&r.precision, "precision", "", "float32 or, on XLA, bfloat16 (default: the experiment's)")
	f.IntVar(&r.devices, "devices", 1, "how many devices share a batch of videos, which must be a multiple of it; 0 for all")
	f.Uint64Var(&r.seed, "seed", 0, "seed of the videos (default: the experiment's)")
	backendFlag(cmd, &r.backend)
	r.set = func(flag string) bool { return f.Changed(flag) }
}

// windowsFlag chooses how videos are cut into windows.
func windowsFlag(cmd *cobra.Command, windows *string) {
	cmd.Flags().StringVar(windows, "windows", "", "how a video is cut into windows: "+strings.Join(eval.WindowNames(), " or ")+
		" (default: bridge for interpolate, else autoregressive)")
}

// checkWindows refuses a --windows that there is not.
func checkWindows(name string) error {
	if name != "" && !slices.Contains(eval.WindowNames(), name) {
		return usagef("--windows: unknown %q (known: %s)", name, strings.Join(eval.WindowNames(), ", "))
	}
	return nil
}

// samplerOf is the experiment's sampler with what the flags override, checked.
func samplerOf(c *configs.Config, m *models.Model, f samplerFlags) (configs.Sampler, error) {
	changed := *c
	if f.set != nil && f.set("sampler") {
		changed.Sampler.Name = f.name
		changed.Sampler.Eta = 0 // the experiment's belongs to the experiment's sampler
	}
	if f.set != nil && f.set("steps") {
		changed.Sampler.Steps = f.steps
	}
	if f.set != nil && f.set("eta") {
		changed.Sampler.Eta = f.eta
	}
	if f.set != nil && f.set("precision") {
		changed.Sampler.Precision = f.precision
	}
	if _, err := sampler.New(changed.Sampler); err != nil {
		return changed.Sampler, err
	}
	if _, err := sampler.Levels(m.Schedule, changed.Sampler); err != nil {
		return changed.Sampler, err
	}
	return changed.Sampler, changed.Validate()
}

// loaded is a run that is ready to make videos.
type loaded struct {
	config     *configs.Config
	model      *models.Model
	sampler    configs.Sampler
	backend    compute.Backend
	choice     backend.Choice
	store      *model.Store
	checkpoint string
	devices    int
	step       int
	seed       uint64
}

// open reads a run's experiment and weights.
func (r *runFlags) open(dir string, a *app) (*loaded, error) {
	run, err := train.OpenRun(dir)
	if err != nil {
		return nil, err
	}
	if r.devices < 0 || r.devices > 1024 {
		return nil, usagef("--devices %d: want 0, for all, to 1024", r.devices)
	}
	l := &loaded{config: run.Config, seed: run.Config.Seed, devices: r.devices}
	if r.set("seed") {
		l.seed = r.seed
	}
	if l.model, err = models.New(run.Config); err != nil {
		return nil, err
	}
	if l.sampler, err = samplerOf(run.Config, l.model, r.samplerFlags); err != nil {
		return nil, usageError{err}
	}
	if l.backend, l.choice, err = a.openBackend(r.backend); err != nil {
		return nil, err
	}
	f, progress, err := run.OpenCheckpoint(r.checkpoint, a.log)
	if err != nil {
		l.backend.Finalize()
		return nil, err
	}
	defer f.Close()
	l.checkpoint, l.step = f.Path(), progress.Step
	if l.store, err = l.model.Load(l.backend, f, models.EMAScope); err != nil {
		l.backend.Finalize()
		return nil, fmt.Errorf("%s: %w", f.Path(), err)
	}
	return l, nil
}

func (l *loaded) close() {
	l.store.Finalize()
	l.backend.Finalize()
}

// source returns what the videos of each clip start from: --video, or a clip of the test split, cut for the task. Real frames are
// there if the videos are long enough.
func (c *generateCommand) source(ctx context.Context, l *loaded) (func(clip int) (eval.Case, error), error) {
	if c.task == eval.Generate {
		return func(int) (eval.Case, error) { return eval.Case{}, nil }, nil
	}
	whole := eval.ClipFrames(c.task, l.config.Frames, c.frames)
	given := whole // the fewest frames that will do
	if c.task != eval.Interpolate {
		given -= c.frames
		if c.frames > maxCompared {
			whole = given
		}
	}
	if c.video != "" {
		if c.task == eval.Retrodict {
			whole = given // --start is where the given frames begin
		}
		clip, err := c.own(ctx, l.config, given, whole)
		if err != nil {
			return nil, err
		}
		return func(int) (eval.Case, error) { return c.cut(l.config.Frames, clip), nil }, nil
	}
	ds, err := data.Open(ctx, l.config, clips.Test, whole, c.log)
	if err != nil && whole > given {
		whole = given
		ds, err = data.Open(ctx, l.config, clips.Test, whole, c.log)
	}
	if err != nil {
		return nil, err
	}
	return func(i int) (eval.Case, error) {
		clip, err := data.Cut(ds, data.Fixed(ds, l.seed, i, whole), whole)
		if err != nil {
			return eval.Case{}, err
		}
		return c.cut(l.config.Frames, clip), nil
	}, nil
}

// cut is [eval.Cut] for clips that may lack the real frames.
func (c *generateCommand) cut(f configs.Frames, clip clips.Clip) eval.Case {
	n := min(c.frames, max(0, clip.Frames-eval.ClipFrames(c.task, f, 0)))
	cut := eval.Cut(c.task, f, clip, n)
	if n < c.frames || c.frames > maxCompared {
		cut.Real = clips.Clip{}
	}
	return cut
}

// own decodes the clip of --video, prepared as the experiment's data are.
func (c *generateCommand) own(ctx context.Context, config *configs.Config, given, whole int) (clips.Clip, error) {
	d := config.Data
	o := video.DecodeOptions{Start: c.start, FPS: d.FPS, Size: d.Size, Channels: d.Channels, MaxFrames: whole}
	if d.Name == "folder" {
		options, err := folder.ReadOptions(config)
		if err != nil {
			return clips.Clip{}, err
		}
		o.Crop = video.Crop(options.Crop)
	}
	clip := clips.Clip{Height: d.Size, Width: d.Size, Channels: d.Channels}
	_, err := video.Decode(ctx, c.video, o, func(frame []uint8) error {
		clip.Pix = append(clip.Pix, frame...)
		clip.Frames++
		return nil
	})
	switch {
	case err != nil && (clip.Frames < whole || errors.Is(err, context.Canceled)):
		return clip, err
	case clip.Frames < given:
		return clip, fmt.Errorf("%s: %d frames from second %g on, want %d or more", c.video, clip.Frames, c.start, given)
	}
	return clip, nil
}
