package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mcvd/configs"
	"mcvd/configs/experiment"
	"mcvd/data"
	"mcvd/eval"
	"mcvd/models"
	"mcvd/models/backend"
	"mcvd/models/diffusion"
	"mcvd/models/guidance"
	"mcvd/models/sampler"
	"mcvd/train"
)

// samplerFlags override how an experiment samples.
type samplerFlags struct {
	flags   *pflag.FlagSet
	options []string
}

func (s *samplerFlags) addTo(cmd *cobra.Command) {
	f := cmd.Flags()
	f.String("sampler", "", strings.Join(sampler.Names(), ", ")+" (default: the experiment's)")
	f.Int("steps", 0, "noise levels that sampling visits (default: the experiment's)")
	f.String("spacing", "", "which levels are visited: "+strings.Join(sampler.Spacings(), ", ")+" (default: the experiment's)")
	f.String("guidance", "", strings.Join(guidance.Names(), ", ")+" (default: the experiment's)")
	f.Var(optionList{&s.options}, "option", "an option of the sampler, the spacing or the guidance, such as order=2, rho=5 or past_scale=2; may be repeated")
	f.Float64("eta", 0, "fresh noise that samplers with the option eta add: 0 for none, 1 for as much as ddpm; the same as --option eta= (default: the experiment's)")
	f.Int("frame-lag", 0, "steps by which each frame of a block is behind the one before it; needs model.options.level_per_frame (default: the experiment's)")
	f.Float64("threshold", 0, "dynamic thresholding: the share of a clip's values that is kept, such as 0.995; 0 for none (default: the experiment's)")
	s.flags = f
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
	r.samplerFlags.addTo(cmd)
	f.String("precision", "", "float32 or, on XLA, bfloat16 (default: the experiment's)")
	r.devices = 1
	f.Var(number{&r.devices, 0, 1024}, "devices", "devices that share the videos of --batch, which must be a multiple of it; 0 for all")
	f.Uint64Var(&r.seed, "seed", 0, "seed of the videos (default: the experiment's)")
	backendFlag(cmd, &r.backend)
}

// dataFlag replaces the run's data.
func (r *runFlags) dataFlag(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&r.data, "set", nil, "take clips from other data, such as data.path=FOLDER or data.name=digits; may be repeated")
}

// checkData refuses settings that can't be changed for a run.
func (r *runFlags) checkData() error {
	if err := data.CheckOverrides(r.data); err != nil {
		return fmt.Errorf("--set %w", err)
	}
	return nil
}

// checkDevices refuses a batch of videos that the devices can't share evenly. How many all of them are,
// --devices 0, only a backend knows.
func (r *runFlags) checkDevices(batch int) error {
	if r.devices > 0 && batch%r.devices != 0 {
		return fmt.Errorf("--devices %d: share a batch of %s, want a batch that is a multiple of the devices: see --batch, --clips and --trajectories",
			r.devices, plural(batch, "video"))
	}
	return nil
}

// windowsFlag chooses how videos are split into windows.
func windowsFlag(cmd *cobra.Command, windows *string) {
	cmd.Flags().Var(oneOf(windows, eval.WindowNames()), "windows", "how a video is split into windows: "+strings.Join(eval.WindowNames(), ", ")+
		"; see mcvd windows show (default: bridge for interpolate, else autoregressive)")
}

// checkWindows refuses windows that the task can't have.
func checkWindows(task eval.Task, name string) error {
	if err := eval.CheckWindows(task, name); err != nil {
		return fmt.Errorf("--%w", err)
	}
	return nil
}

// samplerSettings are the settings that flags override, where a command has them.
var samplerSettings = []struct{ flag, setting string }{
	{"sampler", "sampler.name"},
	{"steps", "sampler.steps"},
	{"spacing", "sampler.spacing"},
	{"guidance", "sampler.guidance.name"},
	{"eta", "sampler.options.eta"},
	{"frame-lag", "sampler.frame_lag"},
	{"precision", "sampler.precision"},
	{"threshold", "sampler.threshold"},
}

// sampler is the experiment's sampler with what the flags override, checked. Its options belong to
// it: another sampler doesn't get them, nor another guidance those of the experiment's guidance.
func (s *samplerFlags) sampler(c *configs.Config, schedule diffusion.Schedule) (configs.Sampler, error) {
	var overrides []string
	for _, of := range samplerSettings {
		if f := s.flags.Lookup(of.flag); f != nil && f.Changed {
			overrides = append(overrides, of.setting+"="+f.Value.String())
		}
	}
	stored := *c
	if f := s.flags.Lookup("sampler"); f != nil && f.Changed && f.Value.String() != c.Sampler.Name {
		stored.Sampler.Options = nil
	}
	guide := c.Sampler.Guidance.Name
	if f := s.flags.Lookup("guidance"); f != nil && f.Changed && f.Value.String() != guide {
		guide, stored.Sampler.Guidance.Options = f.Value.String(), nil
	}
	guides, unguided := guidance.Options(guide), false
	for _, option := range s.options {
		section := "sampler.guidance.options."
		if name, _, _ := strings.Cut(option, "="); !slices.Contains(guides, name) {
			section, unguided = "sampler.options.", true
		}
		overrides = append(overrides, section+option)
	}
	changed, err := experiment.Parse("the run's configuration", stored.YAML(), overrides...)
	if err != nil {
		if unguided && len(guides) > 0 {
			err = fmt.Errorf("%w; options of guidance %s: %s", err, guide, strings.Join(guides, ", "))
		}
		return configs.Sampler{}, err
	}
	_, err = sampler.Levels(schedule, changed.Sampler)
	return changed.Sampler, err
}

// loaded is a run that is ready to generate videos.
type loaded struct {
	config     *configs.Config
	model      *models.Model
	sampler    configs.Sampler
	backend    compute.Backend
	choice     backend.Choice
	store      *model.Store
	checkpoint string
	second     string // the file of the other network that the guidance evaluates, "" if there is none
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
	config, err := data.Override(run.Config, r.data)
	if err != nil {
		return nil, err
	}
	l := &loaded{config: config, seed: run.Config.Seed, devices: r.devices}
	if r.flags.Changed("seed") {
		l.seed = r.seed
	}
	if l.model, err = models.New(run.Config); err != nil {
		return nil, err
	}
	if err := l.model.CheckGenerates(); err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	if l.sampler, err = r.sampler(run.Config, l.model.Schedule); err != nil {
		return nil, err
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
	if err := l.openSecond(a.log); err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

// levels are those at which sampling evaluates the network.
func (l *loaded) levels() (all []diffusion.Level) {
	of, err := sampler.New(l.sampler)
	levels, levelsErr := sampler.Levels(l.model.Schedule, l.sampler)
	if errors.Join(err, levelsErr) != nil {
		return nil // opening has checked both
	}
	for _, step := range sampler.Plan(of, l.model.Schedule, levels, l.sampler) {
		all = append(all, step.At...)
	}
	return all
}

// seen is the experiment with the frames of windows: those that a guidance gives in a block are of the
// past and the future.
func (l *loaded) seen() *configs.Config { return seenBy(l.config, l.sampler.Guidance) }

// seenBy is an experiment with the frames of windows that are sampled with a guidance.
func seenBy(c *configs.Config, guide configs.Guidance) *configs.Config {
	seen := *c
	seen.Frames = guidance.Widened(guide, c.Frames)
	return &seen
}

func (l *loaded) close() {
	l.store.Finalize()
	l.backend.Finalize()
}

// generator generates videos with the run's averaged weights, batch by batch.
func (l *loaded) generator(batch int) (*eval.Generator, error) {
	return eval.NewGenerator(l.backend, l.store, l.model, l.sampler, l.seed, batch, l.devices)
}
