package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/spf13/cobra"

	"mcvd/configs"
	"mcvd/configs/experiment"
	"mcvd/data"
	"mcvd/data/clips"
	"mcvd/eval"
	"mcvd/models"
	"mcvd/models/backend"
	"mcvd/models/backend/xlakernels"
	"mcvd/models/guidance"
	"mcvd/models/nn"
	"mcvd/models/sampler"
	"mcvd/train"
	"mcvd/train/ranks"
	"mcvd/train/runs"
)

// trainCommand trains a model.
type trainCommand struct {
	*app
	config, out, backend string
	set                  []string
	dryRun, accept       bool
}

func newTrain(a *app) *cobra.Command {
	c := &trainCommand{app: a}
	cmd := &cobra.Command{
		Use:   "train [RUN]",
		Short: "Train a model, or resume its training",
		Long: `Train a model from a configuration. RUN, or --out, is the run folder: it gets checkpoints, contact
sheets of samples and a log.

The same command again resumes from the newest checkpoint, and on the same backend ends with the
same weights as a run that was never stopped. Ctrl-C (SIGINT) and SIGTERM write a checkpoint first.
Of the settings of a run that exists, only those below may change, and its data may not. Other
changes, such as a lower learning rate, need --accept-changes: the log then records them. What the
weights mean can't change.

  ` + strings.NewReplacer(", ", "\n  ", " and ", "\n  ").Replace(train.MayChange),
		Example: `  mcvd train -c configs/tiny.yml -o runs/tiny
  mcvd train -c configs/digits.yml -o runs/narrow --set model.options.width=32 --dry-run
  mcvd train runs/tiny --set train.steps=100`,
		Args:    arguments(0, 1, "a run folder or none"),
		PreRunE: func(cmd *cobra.Command, args []string) error { return c.check(args) },
		RunE:    func(cmd *cobra.Command, args []string) error { return c.run(cmd) },
	}
	f := cmd.Flags()
	f.StringVarP(&c.config, "config", "c", "", "configuration file; a run that exists keeps its own")
	f.StringVarP(&c.out, "out", "o", "", "run folder")
	f.StringArrayVar(&c.set, "set", nil, "override a setting, such as model.options.width=32; may be repeated")
	f.BoolVar(&c.accept, "accept-changes", false, "resume with other settings or data than before; the log records them")
	f.BoolVarP(&c.dryRun, "dry-run", "n", false, "print the resolved configuration and the model's size, and stop")
	backendFlag(cmd, &c.backend)
	return cmd
}

// errNoRunFolder is the error of a command that can't do without a run folder.
var errNoRunFolder = errors.New("no run folder: give --out DIR")

// check takes the run folder from where it stands, and refuses a command line that lacks something.
func (c *trainCommand) check(args []string) error {
	if len(args) == 1 {
		if c.out != "" && filepath.Clean(c.out) != filepath.Clean(args[0]) {
			return fmt.Errorf("two run folders, %s and --out %s: want one", args[0], c.out)
		}
		c.out = args[0]
	}
	switch {
	case c.out == "" && !c.dryRun:
		return errNoRunFolder
	case c.out == "" && c.config == "":
		return errNoConfig
	}
	return nil
}

func (c *trainCommand) run(cmd *cobra.Command) error {
	_, size, rank, _ := ranks.Started(os.Getenv)
	if c.dryRun && rank > 0 {
		return nil // the first one prints the same
	}
	config, b, choice, err := c.prepare()
	if b != nil {
		defer func() { finalize(b, err) }()
	}
	if c.dryRun {
		if err == nil {
			err = cmp.Or(train.CheckParts(config, size), train.CheckBackend(b, config, nil), dryRun(cmd.OutOrStdout(), b, config))
		}
		return err
	}
	if lost := c.join(cmd.Context()); lost != nil {
		return errors.Join(err, lost)
	}
	if _, err = ranks.All(c.ranks, true, err); err != nil { // what one rank fails at, the others wait for
		return err
	}
	if err = train.CheckBackend(b, config, c.ranks); err != nil { // before videos are decoded
		return ranks.Agreed(c.ranks, err)
	}
	err = c.train(cmd.Context(), b, choice, config, c.programs(choice))
	return err
}

// prepare reads what is trained, and opens what trains it.
func (c *trainCommand) prepare() (*configs.Config, compute.Backend, backend.Choice, error) {
	config, err := c.load()
	if err != nil {
		return nil, nil, backend.Choice{}, err
	}
	_, _, rank, _ := ranks.Started(os.Getenv)
	if c.out != "" && rank == 0 { // the others may not see the folder
		if err := train.Check(c.out, config, c.accept); err != nil {
			return nil, nil, backend.Choice{}, err
		}
	}
	b, choice, err := c.openBackend(c.backend)
	return config, b, choice, err
}

// finalize closes the backend after a training that ended with err. If the training hung, the backend may
// be in use, and would hang as well.
func finalize(b compute.Backend, err error) {
	if !errors.Is(err, train.ErrHangs) {
		b.Finalize()
	}
}

// load reads the configuration: of the file, or of the run that exists.
func (c *trainCommand) load() (*configs.Config, error) {
	if c.config != "" {
		return experiment.Load(c.config, c.set...)
	}
	run, err := train.OpenRun(c.out)
	if err != nil {
		return nil, err
	}
	if len(c.set) == 0 {
		return run.Config, nil
	}
	// It is read as a stored configuration, which may hold inherited settings without effect.
	path := filepath.Join(c.out, "config.yml")
	text, err := configs.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return experiment.Parse(path, text, c.set...)
}

func (c *trainCommand) train(ctx context.Context, b compute.Backend, choice backend.Choice, config *configs.Config, versions map[string]string) error {
	m, err := models.New(config) // every name is checked before any video is decoded
	if err != nil {
		return err
	}
	if _, err := sampler.Levels(m.Schedule, config.Sampler); err != nil {
		return err
	}
	if guide, err := guidance.New(config.Sampler.Guidance, config.Frames); err == nil && (guide.Compares() || guide.Leads()) {
		return configs.Problem{Path: "sampler.guidance.name", Text: fmt.Sprintf("%q, want another in training, which reads no other checkpoint; give it to the commands that sample the run", config.Sampler.Guidance.Name)}
	}
	samples := config.Train.SampleEvery > 0 && m.Classes() == nil
	training, valid, err := c.open(ctx, config, samples)
	if err != nil {
		return err
	}
	scores, err := newTrainingScores(ctx, b, m, config, featureCache(choice, c.log), c.log, c.ranks)
	if err != nil {
		return err
	}
	bar, steps, validations, accuracy := c.progress("train: step", config.Train.Steps), 0, 0, ""
	defer bar.clear()
	options := train.Options{
		Config: config, Dir: c.out, Backend: b, Train: training, Valid: valid, AcceptChanges: c.accept, Ranks: c.ranks,
		Command: os.Args, Versions: versions, Log: c.log,
		Watchdog: train.NewWatchdog(time.Duration(config.Train.Patience * float64(time.Second))),
		Peak:     func(ctx context.Context) float64 { return c.peak(ctx, b, choice, config) },
		Report: func(l runs.Line) {
			if l.Validation != nil {
				if validations++; validations == 1 {
					bar.pass() // it compiled its program, which the next ones need not
				}
			}
			accuracy = cmp.Or(percents(l.Accuracy), accuracy)
			if l.Validation != nil || l.Scores != nil {
				return
			}
			steps++
			bar.reach(l.Step, detail(l))
		},
	}
	if samples {
		options.Sample = func(ctx context.Context, store *model.Store, path string) error {
			return trainingSamples(ctx, b, store, m, config, valid, path, c.ranks, options.Watchdog.Alive)
		}
	}
	if scores != nil {
		scores.alive = options.Watchdog.Alive
		options.Score = scores.of
	}
	done, err := train.Train(ctx, options)
	bar.clear()
	if errors.Is(err, train.ErrStopped) || errors.Is(err, train.ErrHangs) {
		return fmt.Errorf("%s: %w", c.out, err)
	}
	if err != nil {
		return err
	}
	if !c.ranks.First() {
		return nil
	}
	if steps == 0 {
		fmt.Fprintf(c.stderr, "%s: nothing to do, step %d of %d: --set train.steps=N goes on\n", c.out, done.Step, config.Train.Steps)
		return nil
	}
	fmt.Fprintf(c.stderr, "%s: trained %d steps", c.out, done.Step)
	if done.BestStep > 0 {
		fmt.Fprintf(c.stderr, "; lowest validation loss %.4f at step %d", done.BestLoss, done.BestStep)
	}
	if accuracy != "" {
		fmt.Fprintf(c.stderr, "; validation clips classified right: %s, by fifths of the noise levels from the least noisy on", accuracy)
	}
	if done.Replaced > 0 {
		fmt.Fprintf(c.stderr, "; %s could not be read and were replaced", plural(done.Replaced, "clip"))
	}
	fmt.Fprintln(c.stderr)
	return nil
}

// open opens the splits that training reads. Ranks wait for the first one, which decodes what is not
// decoded yet, for those that share its folder.
func (c *trainCommand) open(ctx context.Context, config *configs.Config, samples bool) (training, valid clips.Dataset, err error) {
	do := func() error {
		if training, err = data.Open(ctx, config, clips.Train, config.Frames.Span(), c.log); err != nil {
			return err
		}
		if config.Train.ValidateEvery > 0 || samples {
			valid, err = data.Open(ctx, config, clips.Valid, config.Frames.Total(), c.log)
		}
		return err
	}
	if _, err = ranks.FromFirst(c.ranks, func() (bool, error) { return true, do() }); err != nil || c.ranks.First() {
		return training, valid, err
	}
	return training, valid, do()
}

// percents are shares in words: "98, 95 and 40 %"; "" if there are none.
func percents(shares []runs.Number) string {
	if len(shares) == 0 {
		return ""
	}
	all := make([]string, len(shares))
	for i, share := range shares {
		all[i] = fmt.Sprintf("%.0f", 100*float64(share))
	}
	last := len(all) - 1
	return strings.Join(all[:last], ", ") + " and " + all[last] + " %"
}

// peak measures the FLOP/s by which the log divides. It is 0, unknown, on the Go backend and if
// measuring fails.
func (c *trainCommand) peak(ctx context.Context, b compute.Backend, choice backend.Choice, config *configs.Config) float64 {
	if choice.Plugin == "" {
		return 0
	}
	dtype, err := nn.Precision(b, config.Train.Precision)
	if err != nil {
		return 0 // training will report it
	}
	peak, err := choice.Peak(ctx, b, dtype, cmp.Or(config.Train.Devices, b.NumDevices()))
	if err != nil && ctx.Err() == nil {
		c.log.Warn("the log will have no share of the device's peak", "reason", err)
	}
	if peak > 0 && xlakernels.Serve(b) {
		c.log.Info("shares of the peak count convolutions as direct sums; Winograd's take fewer operations, so a share may exceed 100 %")
	}
	return peak
}

// detail is what the progress of training shows about a step. The first step of a process has no
// speed.
func detail(l runs.Line) string {
	if l.ClipsPerSecond == 0 {
		return fmt.Sprintf("loss %.4f, a step that compiled its programs", float64(l.Loss))
	}
	share := ""
	if l.PeakShare > 0 {
		share = fmt.Sprintf(" (%.0f %% of peak)", 100*float64(l.PeakShare))
	}
	return fmt.Sprintf("loss %.4f, %.1f clips/s, %.1f GFLOP/s%s", float64(l.Loss), float64(l.ClipsPerSecond), float64(l.FLOPs)/1e9, share)
}

// trainingSamples writes a contact sheet and a film of predictions, and of what else the model can
// do, for a few validation clips.
func trainingSamples(ctx context.Context, b compute.Backend, store *model.Store, m *models.Model, c *configs.Config, ds clips.Dataset, path string, r *ranks.Ranks, progress func()) error {
	const clips = 4
	g, err := eval.NewGenerator(b, store, m, c.Sampler, c.Seed, clips, 1)
	if err == nil {
		defer g.Close()
	}
	if _, err := ranks.All(r, true, err); err != nil {
		return err
	}
	name := strings.TrimSuffix(path, runs.Sheet)
	return eval.Samples(ctx, g, ds, c.Seed, clips, path, name+runs.Film, filepath.Base(name), r, progress)
}
