package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/spf13/cobra"

	"mcvd/configs"
	"mcvd/configs/experiment"
	"mcvd/data"
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
	data                []string
	devices             int
	seed                uint64
}

func (r *runFlags) addTo(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&r.checkpoint, "checkpoint", "", "a file of RUN/checkpoints such as "+train.BestCheckpoint+", or a path (default: the newest)")
	f.StringVar(&r.name, "sampler", "", strings.Join(sampler.Names(), " or ")+" (default: the experiment's)")
	f.IntVar(&r.steps, "steps", 0, "noise levels that sampling visits (default: the experiment's)")
	f.Float64Var(&r.eta, "eta", 0, "fresh noise that ddim adds, 0 (none) to 1 (as much as ddpm) (default: the experiment's)")
	f.StringVar(&r.precision, "precision", "", "float32 or, on XLA, bfloat16 (default: the experiment's)")
	f.IntVar(&r.devices, "devices", 1, "devices that share the videos of --batch, which must be a multiple of it; 0 for all")
	f.Uint64Var(&r.seed, "seed", 0, "seed of the videos (default: the experiment's)")
	backendFlag(cmd, &r.backend)
	r.set = func(flag string) bool { return f.Changed(flag) }
}

// dataFlag lets other data take the place of the run's.
func (r *runFlags) dataFlag(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&r.data, "set", nil, "take clips from other data, such as data.path=FOLDER or data.name=digits; may be repeated")
}

// windowsFlag chooses how videos are cut into windows.
func windowsFlag(cmd *cobra.Command, windows *string) {
	cmd.Flags().StringVar(windows, "windows", "", "how a video is split into windows: "+strings.Join(eval.WindowNames(), " or ")+
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
	set := func(flag string) bool { return f.set != nil && f.set(flag) }
	if set("sampler") {
		changed.Sampler.Name, changed.Sampler.Options = f.name, nil // the experiment's options belong to the experiment's sampler
	}
	if set("steps") {
		changed.Sampler.Steps = f.steps
	}
	if set("eta") {
		options := maps.Clone(changed.Sampler.Options)
		if options == nil {
			options = configs.Options{}
		}
		options["eta"] = f.eta
		changed.Sampler.Options = options
	}
	if set("precision") {
		changed.Sampler.Precision = f.precision
	}
	if err := experiment.Resolve(&changed); err != nil {
		return changed.Sampler, err
	}
	_, err := sampler.Levels(m.Schedule, changed.Sampler)
	return changed.Sampler, err
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
	config, err := data.Override(run.Config, r.data)
	if err != nil {
		return nil, usagef("--set: %w", err)
	}
	l := &loaded{config: config, seed: run.Config.Seed, devices: r.devices}
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

// generator makes videos with the run's averaged weights, so many at a time.
func (l *loaded) generator(batch int) (*eval.Generator, error) {
	return eval.NewGenerator(l.backend, l.store, l.model, l.sampler, l.seed, batch, l.devices)
}
