package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"mcvd/data"
	"mcvd/data/clips"
	"mcvd/eval"
	"mcvd/eval/metric"
	"mcvd/eval/page"
	"mcvd/models/sampler"
	"mcvd/models/weights"
)

// pageFlags say where the report of an evaluation goes, and its page.
type pageFlags struct {
	reportFlags
	html string
}

func (p *pageFlags) addTo(cmd *cobra.Command) {
	p.reportFlags.addTo(cmd)
	cmd.Flags().StringVar(&p.html, "html", "", "also write the report as one HTML file, a page that needs no network")
}

// check refuses names that the files can't have.
func (p *pageFlags) check() error {
	switch {
	case p.html == "":
		return nil
	case p.html == p.out:
		return fmt.Errorf("--html %s: is --out, too; want two files", p.html)
	}
	return checkHTML("--html", p.html)
}

// prepare reports, before long work, what writing the files would fail at. The folders of the run and
// of the records have files of their own; either may be "".
func (p *pageFlags) prepare(run, records string) error {
	folders := []owned{{"the run folder", run}, {"the folder of records", records}}
	return cmp.Or(prepareFile("--out", p.out, folders...), prepareFile("--html", p.html, folders...))
}

// print writes the report to where the flags say. films are those of its page, nil for none. A report
// without any score is an error.
func (p *pageFlags) print(cmd *cobra.Command, report *eval.Report, films *page.Films) error {
	err := p.write(cmd, report)
	if p.html != "" {
		err = errors.Join(err, page.Write(p.html, report, films))
	}
	return errors.Join(err, report.CheckScored())
}

// evalReportCommand shows a report as a page.
type evalReportCommand struct {
	*app
	runFlags
	run, out, weights string
	batch             int
}

func newEvalReport(a *app) *cobra.Command {
	c := &evalReportCommand{app: a}
	cmd := &cobra.Command{
		Use:   "report REPORT.json",
		Short: "Write the report of an evaluation as one HTML file",
		Long: `Write a report, as eval --out wrote it, as one HTML file with everything in it: what was evaluated
and how, the scores of all metrics with their intervals next to those of baselines, curves by frame
and histograms over clips. It needs no server and no network.

With --run the page has videos, too: the best, the median and the worst clip beside the real ones.
They are generated again, from the noise that the report's seed gives. The weights must be those
that were evaluated, which is checked by their SHA-256, and so must be the data, by checksums. A
video whose score is not the recorded one, as on another backend, says so on the page. For the task
generate each video is shown beside the nearest clip of the training split.`,
		Example: `  mcvd eval report report.json -o report.html
  mcvd eval report report.json --run runs/tiny -o out/report.html`,
		Args: arguments(1, 1, "a report"),
		PreRunE: func(cmd *cobra.Command, args []string) error {
			if c.out == "" {
				return errors.New("no file for the page: give --out FILE.html")
			}
			if err := checkHTML("--out", c.out); err != nil {
				return err
			}
			if c.run == "" {
				for _, name := range []string{"backend", "batch", "checkpoint", "set", "weights"} {
					if cmd.Flags().Changed(name) {
						return fmt.Errorf("--%s has no effect without --run, which generates videos again", name)
					}
				}
			}
			return c.checkData()
		},
		RunE: func(cmd *cobra.Command, args []string) error { return c.write(cmd, args[0]) },
	}
	f := cmd.Flags()
	f.StringVarP(&c.out, "out", "o", "", "file for the page, of .html or .htm")
	f.StringVar(&c.run, "run", "", "folder of the run that was evaluated, to show videos of it")
	f.StringVar(&c.checkpoint, "checkpoint", "", "the checkpoint that was evaluated (default: the file of that name in the run)")
	f.StringVar(&c.weights, "weights", "", "folder with the weights of lpips (default: $"+weightsVariable+", or mcvd/metrics in the user's data folder)")
	f.Var(count(&c.batch), "batch", "videos generated at a time, which changes them by rounding at most (default: all, which are at most 6)")
	backendFlag(cmd, &c.backend)
	c.dataFlag(cmd)
	return cmd
}

// checkHTML refuses a name that no browser would take for a page.
func checkHTML(flag, path string) error {
	if end := strings.ToLower(filepath.Ext(path)); end != ".html" && end != ".htm" {
		return fmt.Errorf("%s %s: want a name that ends in .html or .htm", flag, path)
	}
	return nil
}

func (c *evalReportCommand) write(cmd *cobra.Command, path string) error {
	report, err := eval.ReadReport(path)
	if err != nil {
		return err
	}
	if same, err := sameFile(path, c.out); err != nil || same {
		return cmp.Or(err, fmt.Errorf("--out %s: is the report itself; want another place", c.out))
	}
	if err := prepareFile("--out", c.out, owned{"the run folder", c.run}); err != nil {
		return err
	}
	var films *page.Films
	if c.run != "" {
		if films, err = c.again(cmd.Context(), report); err != nil {
			return fmt.Errorf("the videos of %s: %w", path, err)
		}
	}
	if err := page.Write(c.out, report, films); err != nil {
		return err
	}
	fmt.Fprintln(cmd.OutOrStdout(), c.out)
	return nil
}

// again opens the run as it was evaluated, and generates videos of the report again.
func (c *evalReportCommand) again(ctx context.Context, r *eval.Report) (*page.Films, error) {
	run := runFlags{}
	run.addTo(&cobra.Command{}) // what is not said here is as in the experiment
	run.checkpoint, run.backend, run.data = cmp.Or(c.checkpoint, filepath.Base(r.Checkpoint)), c.backend, c.data
	l, err := run.open(c.run, c.app)
	if err != nil {
		return nil, err
	}
	defer l.close()
	sum, err := weights.SHA256(l.checkpoint)
	if err != nil {
		return nil, err
	}
	if sum != r.CheckpointSHA256 {
		return nil, fmt.Errorf("%s: SHA-256 %s, but %q was evaluated: these are other weights", l.checkpoint, sum, r.CheckpointSHA256)
	}
	if _, err := sampler.Levels(l.model.Schedule, r.Sampler); err != nil {
		return nil, err
	}
	l.sampler = r.Sampler
	if err := l.openSecond(c.log); err != nil {
		return nil, err
	}
	if sum, err = l.secondSum(); err != nil {
		return nil, err
	}
	if sum != r.SecondSHA256 {
		return nil, fmt.Errorf("%s: SHA-256 %q, but %q was evaluated: these are other weights", cmp.Or(l.second, secondPath), sum, r.SecondSHA256)
	}
	return c.films(ctx, l, r, c.weights, c.batch)
}

// mostNeighbours is how many training clips are looked at for those that are nearest to videos: a
// minute's work for clips of a megabyte.
const mostNeighbours = 4096

// films generates the videos that the page of a report shows again, at most batch at a time (0 for
// all).
func (a *app) films(ctx context.Context, l *loaded, r *eval.Report, weights string, batch int) (*page.Films, error) {
	records := page.Choose(r)
	if len(records) == 0 {
		return nil, errors.New("the report has no records of the model's videos")
	}
	job, err := r.Protocol.Job()
	if err != nil {
		return nil, err
	}
	metrics, err := pairsOf(r, metric.Needs{Backend: l.backend, Weights: cmp.Or(weights, metricsFolder())})
	if err != nil {
		return nil, err
	}
	defer metric.Close(metrics)
	ds, err := data.Open(ctx, l.config, r.Protocol.Split, eval.ClipFrames(job.Task, l.seen().Frames, job.Frames), a.log)
	if err != nil {
		return nil, err
	}
	l.seed, l.devices = r.Protocol.Seed, 1 // few videos, which several devices need not share evenly
	g, err := l.generator(min(cmp.Or(batch, len(records)), len(records)))
	if err != nil {
		return nil, err
	}
	defer g.Close()
	protocol, err := r.Again(ds, l.seen().Frames)
	if err != nil {
		return nil, err
	}
	e, err := eval.NewEvaluation(g, ds, protocol, metrics)
	if err != nil {
		return nil, err
	}
	evaluations, err := e.RepeatEvaluations(records)
	if err != nil {
		return nil, err
	}
	bar := newProgress(a.stderr, "videos of the page: network evaluation", evaluations)
	defer bar.clear()
	films := &page.Films{}
	if films.Videos, err = e.Repeat(ctx, records, func() { bar.step("") }); err != nil {
		return nil, err
	}
	if job.Task == eval.Generate {
		err = a.neighbours(ctx, l, films)
	}
	return films, err
}

// pairsOf opens the metrics of pairs that have scores in a report. Those of the model score no videos.
func pairsOf(r *eval.Report, needs metric.Needs) ([]metric.Opened, error) {
	var names []string
	for _, m := range r.Metrics {
		if r.Results[0].Scores[m.Name].Mean.N > 0 && !m.OfModel {
			names = append(names, m.Name)
		}
	}
	if len(names) == 0 {
		return nil, nil // no names would be all metrics
	}
	return metric.Open(names, needs)
}

// neighbours finds the training clips that are nearest to the films, and to as many held-out clips.
// A training split that has none as long is no error: the page says so.
func (a *app) neighbours(ctx context.Context, l *loaded, films *page.Films) error {
	var videos, held []clips.Clip
	for _, v := range films.Videos {
		videos, held = append(videos, v.Made), append(held, v.Case.Real)
	}
	ds, err := data.Open(ctx, l.config, clips.Train, videos[0].Frames, a.log)
	if err != nil {
		films.NoNearest = err.Error()
		return ctx.Err()
	}
	a.log.Info("looking for the training clips that are nearest to the videos of the page", "at most", mostNeighbours)
	films.Nearest, films.Search, err = eval.Nearest(ctx, ds, l.seed, append(videos, held...), mostNeighbours, l.config.Data.Flip)
	return err
}
