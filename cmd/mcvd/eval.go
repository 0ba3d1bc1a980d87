package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"mcvd/configs"
	"mcvd/data"
	"mcvd/data/clips"
	"mcvd/eval"
	"mcvd/eval/metric"
	"mcvd/eval/page"
	"mcvd/models/backend"
	"mcvd/models/weights"
)

// evalCommand scores a run.
type evalCommand struct {
	*app
	runFlags
	eval.Protocol
	batch   int
	metrics []string
	list    string
	records string
	weights string
	noCache bool
	shard   shard
	pageFlags
}

func newEval(a *app) *cobra.Command {
	c := &evalCommand{app: a, shard: shard{count: 1}}
	cmd := &cobra.Command{
		Use:   "eval RUN",
		Short: "Score a run on held-out clips",
		Long: `Generate videos of held-out clips and score them, as a whole and frame by frame, next to baselines.

psnr, ssim, lpips and digit compare each generated video with the real one. They have two scores for
a clip: that of its best trajectory, and the mean over its trajectories. The others compare all
generated videos, or all their frames, with all real ones. Videos of the task generate have no real
counterpart, so only these score them. docs/evaluation.md says what each metric is. lpips and fvd
need weights, which scripts/install-weights.sh installs, and fid and kid those that "mcvd weights
import" reads. A metric that --metrics names and that can't be computed is an error, before anything
is generated. Without --metrics, those that can't be computed are left out.

--protocol says how clips and the best trajectory are chosen, how intervals are made, and what is
fixed about frames. With clean, the default, the first metric that scores videos one by one chooses
the best trajectory for all metrics, and intervals are by bootstrap over videos. With a published
one each metric chooses its own, and the report says in what the evaluation is not as published:

` + protocolDocs() + `
--clips-file LIST scores exactly the clips of a list that "mcvd data clips" wrote, and the report
has its hash. So runs with other seeds, or on another copy of the data, score the same clips.

--records DIR keeps what was found out about each video, the baselines' included. The same command
with the same folder goes on where it was stopped. With --shard several processes share the work,
and eval merge makes the report.

--html writes the report as a page, with the best, the median and the worst clip as videos beside
the real ones. They are generated again after the evaluation, which keeps none.`,
		Example: `  mcvd eval runs/tiny --task predict --clips 4 --trajectories 2 -o report.json
  mcvd eval runs/tiny --clips 4 --html out/page.html
  mcvd eval runs/tiny --metrics psnr --records out/records
  mcvd eval runs/tiny --protocol bair --clips 4 --trajectories 3 --frames 4
  mcvd eval runs/tiny --clips-file list.json
  mcvd eval runs/tiny --set data.name=folder --set data.path=clips --clips 2`,
		Args:    arguments(1, 1, "a run folder"),
		PreRunE: func(cmd *cobra.Command, args []string) error { return cmp.Or(c.checkList(), c.check()) },
		RunE:    func(cmd *cobra.Command, args []string) error { return c.run(cmd, args[0]) },
	}
	f := cmd.Flags()
	c.Task, c.Name, c.Split = "predict", eval.DefaultProtocol, clips.Test
	f.Var(oneOf(&c.Task, eval.TaskNames()), "task", "predict, interpolate, retrodict or generate")
	f.Var(oneOf(&c.Name, eval.ProtocolNames()), "protocol", "rules of scoring, one of those above")
	f.Var(count(&c.Clips), "clips", "clips to score (default: the protocol's, or 16)")
	f.Var(count(&c.Trajectories), "trajectories", "videos of each clip, with different noise (default: the protocol's, or 1)")
	f.Var(seedList{&c.Seeds}, "seeds", "seeds of the noise, such as 0,1,2: the evaluation is made with each, of the same clips, and the report has the deviation between them (default: --seed, which also chooses the clips)")
	f.Var(count(&c.Frames), "frames", "frames to generate (default: the protocol's for the run's past frames, or one block, frames.current)")
	f.Var(count(&c.Advance), "advance", "frames that are kept of each block; fewer is slower (default: all)")
	windowsFlag(cmd, &c.Windows)
	f.Var(count(&c.batch), "batch", "videos generated at a time, which changes them by rounding at most (default: all, at most 16)")
	splitFlag(cmd, &c.Split)
	f.Var(&someOf{values: &c.metrics, names: metric.Names()}, "metrics", "any of "+strings.Join(metric.Names(), ",")+", separated by commas (default: all that can be computed, without digit, fid, fvd_pooled, fvmd, kid and lpips_vgg, which have to be asked for)")
	f.StringVar(&c.list, "clips-file", "", "score the clips of this list (default: those that the protocol and --seed choose)")
	f.StringVar(&c.records, "records", "", "keep the scores of each video in this folder, and go on with what is there")
	f.StringVar(&c.weights, "weights", "", "folder with the weights of networks (default: $"+weightsVariable+", or mcvd/metrics in the user's data folder)")
	f.BoolVar(&c.noCache, "no-cache", false, "compute the features of real clips anew, and keep none (they are kept in mcvd/features of the user's cache folder)")
	f.Var(&c.shard, "shard", "evaluate only the i-th of n shares of the clips, i/n with i from 0; auto takes both from the variables of mpirun, Slurm or Kubernetes")
	c.pageFlags.addTo(cmd)
	c.runFlags.addTo(cmd)
	c.dataFlag(cmd)
	cmd.AddCommand(newMerge(a), newCompare(a), newEvalReport(a), newFeatures(a))
	return cmd
}

func (c *evalCommand) run(cmd *cobra.Command, dir string) error {
	if info, err := os.Stat(c.weights); c.weights != "" && (err != nil || !info.IsDir()) {
		return fmt.Errorf("--weights %s: no such folder", c.weights)
	}
	l, err := c.open(dir, c.app)
	if err != nil {
		return err
	}
	defer l.close()
	c.Seed = l.seed
	if c.list != "" {
		list, err := data.ReadList(c.list)
		if err != nil {
			return fmt.Errorf("--clips-file: %w", err)
		}
		c.Protocol = c.WithClips(list)
	}
	if c.Protocol, err = c.Complete(l.seen().Frames); err != nil {
		return err
	}
	if len(c.Deviations) > 0 {
		c.log.Warn("the scores can't be compared with those published", "protocol", c.Name, "because", strings.Join(c.Deviations, "; "))
	}
	if err := c.checkDevices(c.atATime()); err != nil {
		return err
	}
	job, err := c.Job()
	if err != nil {
		return err
	}
	if err := c.checkJob(job, l); err != nil {
		return err
	}
	if c.records != "" {
		if err := notAmongRuns("--records", c.records, c.records); err != nil {
			return err
		}
	}
	if err := c.prepare(dir, c.records); err != nil {
		return err
	}
	report, err := c.evaluate(cmd.Context(), l, dir, job)
	if err != nil || report == nil {
		return err
	}
	var films *page.Films
	var filmsErr error // the numbers are printed all the same
	if c.html != "" {
		films, filmsErr = c.films(cmd.Context(), l, report, c.weights, c.batch)
	}
	return errors.Join(c.print(cmd, report, films), filmsErr)
}

// atATime is how many videos are generated at a time, once the protocol is complete.
func (c *evalCommand) atATime() int { return min(cmp.Or(c.batch, 16), c.Clips*c.Trajectories) }

// protocolDocs says what each protocol is, a line each.
func protocolDocs() string {
	var text strings.Builder
	for _, name := range eval.ProtocolNames() {
		fmt.Fprintf(&text, "  %-10s  %s\n", name, eval.ProtocolDoc(name))
	}
	return text.String()
}

// checkList refuses flags that say which clips are scored, beside a list of them.
func (c *evalCommand) checkList() error {
	for _, name := range []string{"clips", "split"} {
		if c.list != "" && c.flags.Changed(name) {
			return fmt.Errorf("--%s has no effect with --clips-file, whose list says it", name)
		}
	}
	return nil
}

// check refuses flags that don't go together.
func (c *evalCommand) check() error {
	if c.shard.count > 1 && (c.out != "" || c.html != "" || c.json) {
		return fmt.Errorf("--shard %v: has no report of all clips for --out, --html or --json; `mcvd eval merge RECORDS` makes it when all shards are done", &c.shard)
	}
	if c.shard.count > 1 && c.records == "" {
		return fmt.Errorf("--shard %v: needs --records DIR, where all shards keep their scores", &c.shard)
	}
	task, err := eval.ParseTask(c.Task)
	return cmp.Or(err, checkWindows(task, c.Windows), c.checkData(), c.pageFlags.check())
}

// evaluate scores the run, or this process's share of it. The report is nil if others have not done
// theirs yet.
func (c *evalCommand) evaluate(ctx context.Context, l *loaded, dir string, j eval.Job) (*eval.Report, error) {
	metrics, err := c.openMetrics(l)
	if err != nil {
		return nil, err
	}
	defer metric.Close(metrics)
	ds, err := data.Open(ctx, l.config, c.Split, eval.ClipFrames(j.Task, l.seen().Frames, j.Frames), c.log)
	if err != nil {
		return nil, err
	}
	g, err := l.generator(c.atATime())
	if err != nil {
		return nil, err
	}
	defer g.Close()
	e, err := eval.NewEvaluation(g, ds, c.Protocol, metrics)
	if err != nil {
		return nil, err
	}
	if !c.noCache {
		e.Cache = featureCache(l.choice, c.log)
	}
	if slices.ContainsFunc(metrics, func(m metric.Opened) bool { return m.OfModel }) {
		if e.Likelihood, err = eval.NewLikelihood(g, l.store, l.sampler, ""); err != nil {
			return nil, fmt.Errorf("--metrics: %w", err)
		}
		defer e.Likelihood.Close()
	}
	h, err := c.header(e.Header(), l, dir)
	if err != nil {
		return nil, err
	}
	if c.records == "" {
		parts, err := c.parts(ctx, e, e.Parts(), nil)
		if err != nil {
			return nil, err
		}
		return eval.Sum(h, parts, metric.Comparisons())
	}
	a, err := eval.CreateArchive(c.records, h, e.Parts())
	if err != nil {
		return nil, fmt.Errorf("--records: %w", err)
	}
	if _, err := c.parts(ctx, e, a.Missing(eval.Shard(e.Parts(), c.shard.index, c.shard.count)), a); err != nil {
		return nil, err
	}
	if missing := a.Missing(e.Parts()); len(missing) > 0 {
		fmt.Fprintf(c.stderr, "%s: %d of %d parts are there; when all are, `mcvd eval merge %s` makes the report\n", c.records, len(e.Parts())-len(missing), len(e.Parts()), c.records)
		return nil, nil
	}
	return merged(a)
}

// openMetrics opens the metrics that are asked for, those of the protocol, or all that can be used.
// It refuses those that were asked for by name and can't be used, before anything is generated.
func (c *evalCommand) openMetrics(l *loaded) ([]metric.Opened, error) {
	names := c.metrics
	if len(names) == 0 {
		names = eval.ProtocolMetrics(c.Name)
	}
	metrics, err := metric.Open(names, metric.Needs{Backend: l.backend, Weights: cmp.Or(c.weights, metricsFolder())})
	if err != nil {
		return nil, err
	}
	metrics = metric.Fit(metrics, c.Videos(l.model, l.seen().Frames))
	if err := metric.Refuse(metrics, len(c.metrics) > 0); err != nil {
		return nil, errors.Join(err, metric.Close(metrics))
	}
	for _, m := range metrics {
		if m.Skipped != "" && len(names) > 0 {
			c.log.Warn("a metric of the protocol is left out", "protocol", c.Name, "metric", m.Name, "because", m.Skipped)
		}
	}
	return metrics, nil
}

// featureCache is that of features of real clips, in the user's cache folder. It is nil if the user
// has no such folder.
func featureCache(choice backend.Choice, log *slog.Logger) *eval.Cache {
	folder, err := os.UserCacheDir()
	if err != nil {
		return nil
	}
	return &eval.Cache{Dir: filepath.Join(folder, "mcvd", "features"), Backend: choice.Name, Log: log}
}

// header completes a report's header with what only the command knows.
func (c *evalCommand) header(h eval.Header, l *loaded, dir string) (_ eval.Header, err error) {
	h.Run, h.Checkpoint, h.Step = dir, l.checkpoint, l.step
	h.Dataset, h.Path = l.config.Data.Name, data.Path(l.config)
	h.Sampler, h.Backend, h.Config = l.sampler, l.choice.Name, map[string]string{}
	for _, s := range configs.Settings(l.config) {
		h.Config[s.Path] = s.Value
	}
	if h.CheckpointSHA256, err = weights.SHA256(l.checkpoint); err != nil {
		return h, err
	}
	h.SecondSHA256, err = l.secondSum()
	return h, err
}

// parts evaluates parts, and keeps them in the archive or, without one, returns them.
func (c *evalCommand) parts(ctx context.Context, e *eval.Evaluation, parts []eval.Range, a *eval.Archive) (done []*eval.Part, err error) {
	evaluations, err := e.Evaluations(parts)
	if err != nil {
		return nil, err
	}
	bar := newProgress(c.stderr, "eval: network evaluation", evaluations)
	defer bar.clear()
	for _, r := range parts {
		p, err := e.Part(ctx, r, func() { bar.step("") })
		if err != nil {
			return nil, err
		}
		if a == nil {
			done = append(done, p)
		} else if err := a.Save(p); err != nil {
			return nil, err
		}
	}
	return done, nil
}
