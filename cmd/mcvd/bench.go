package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
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
	"mcvd/models/nn"
	"mcvd/train"
)

// benchCommand times the parts of training and sampling.
type benchCommand struct {
	*app
	config, backend, what string
	set                   []string
	steps                 int
	json                  bool
	choice                backend.Choice
}

// benchmarks are the values of --what; all but matmul need a configuration.
var benchmarks = map[string]func(*benchCommand, context.Context, compute.Backend, *configs.Config) ([]timing, error){
	"train":  (*benchCommand).train,
	"sample": (*benchCommand).sample,
	"loader": (*benchCommand).loader,
	"matmul": (*benchCommand).matmul,
}

// all stands for all of them.
const all = "all"

// timing is the result of one benchmark, as scripts/bench reads it.
type timing struct {
	Impl     string  `json:"impl"` // mcvd
	Network  string  `json:"network,omitempty"`
	Backend  string  `json:"backend"`
	What     string  `json:"what"`
	Batch    int     `json:"batch,omitempty"`
	Millions float64 `json:"million_parameters,omitempty"`
	GFLOP    float64 `json:"gflop,omitempty"` // of a step
	// Of a matrix product: float32 or bfloat16, the number of rows and columns, 10^12 FLOP/s of the
	// fastest.
	Precision string  `json:"precision,omitempty"`
	N         int     `json:"n,omitempty"`
	TFLOPS    float64 `json:"tflops,omitempty"`
	// FirstMS is the first step, which compiles; Warmup is the number of steps after it that are left
	// out; MS are the others.
	FirstMS float64   `json:"first_ms"`
	Warmup  int       `json:"warmup,omitempty"`
	MS      []float64 `json:"ms"`
	// WindowMS is the time that sampling needs before the first step of a window, once compiled.
	WindowMS float64 `json:"window_ms,omitempty"`
	// FramesPerSecond is the speed of the loader.
	FramesPerSecond float64           `json:"frames_per_second,omitempty"`
	PeakRSSMB       float64           `json:"peak_rss_mb"` // of the process so far
	Versions        map[string]string `json:"versions"`
}

func newBench(a *app) *cobra.Command {
	c := &benchCommand{app: a}
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Time training steps, sampling steps, the data path and matrix products",
		Long: `Time training steps, sampling steps and the reading of batches for a configuration and a backend.

train, sample: a step of training, a network evaluation of sampling. Weights are first weights, and
clips stay the same. The first step, which compiles, is shown apart. The five after it are left out,
because steps still become faster. GFLOP/s are those of convolutions as direct sums; Winograd's
algorithm takes fewer operations, so where it runs, they may exceed what the processor can do.

loader: the reading of the configuration's data. Videos are decoded before the clock starts, and
what was read or decoded lately may still be in memory. A step is 50 batches, and its time is the
mean of one of them; the first batch is shown apart.

matmul: products of large matrices in float32 and, where the backend can, in bfloat16. It needs no
configuration. No network can be faster than this, but for what Winograd's algorithm saves.

Machines are noisy: compare only what ran in turns. scripts/bench compares with PyTorch in that way.`,
		Example: `  mcvd bench -c configs/tiny.yml --steps 2
  mcvd bench -c configs/tiny.yml --what sample --steps 2 --json
  mcvd bench --what matmul --steps 2`,
		Args:    arguments(0, 0, "none"),
		PreRunE: func(cmd *cobra.Command, args []string) error { return c.check(cmd) },
		RunE:    func(cmd *cobra.Command, args []string) error { return c.run(cmd) },
	}
	f := cmd.Flags()
	f.StringVarP(&c.config, "config", "c", "", "configuration file")
	f.StringArrayVar(&c.set, "set", nil, "override a setting, such as train.batch=16; may be repeated")
	c.what, c.steps = all, 10
	f.Var(oneOf(&c.what, append(configs.Names(benchmarks), all)), "what", strings.Join(configs.Names(benchmarks), ", ")+" or "+all)
	f.Var(count(&c.steps), "steps", "steps to time, after those that are left out")
	f.BoolVar(&c.json, "json", false, "print one JSON object a line instead of text")
	backendFlag(cmd, &c.backend)
	cmd.AddCommand(newBenchRanks(a))
	return cmd
}

// check refuses flags that don't go together.
func (c *benchCommand) check(cmd *cobra.Command) error {
	switch {
	case c.what == "matmul" && (cmd.Flags().Changed("config") || c.set != nil):
		return errors.New("--what matmul: a configuration has no effect")
	case c.what != "matmul" && c.config == "":
		return errNoConfig
	}
	return nil
}

func (c *benchCommand) run(cmd *cobra.Command) error {
	what := []string{c.what}
	if c.what == all {
		what = configs.Names(benchmarks)
	}
	var config *configs.Config
	if c.config != "" {
		var err error
		if config, err = experiment.Load(c.config, c.set...); err != nil {
			return err
		}
	}
	b, choice, err := c.openBackend(c.backend)
	if err != nil {
		return err
	}
	defer b.Finalize()
	c.choice = choice
	for _, name := range what {
		timings, err := benchmarks[name](c, cmd.Context(), b, config)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		for _, t := range timings {
			t.Impl, t.What, t.Backend = "mcvd", name, choice.Name
			if name != "matmul" {
				t.Network, t.Batch = strings.TrimSuffix(filepath.Base(c.config), filepath.Ext(c.config)), config.Train.Batch
			}
			t.PeakRSSMB, t.Versions = peakRSS()/1e6, versions()
			maps.Copy(t.Versions, choice.Versions())
			if err := c.print(cmd, t); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *benchCommand) print(cmd *cobra.Command, t timing) error {
	if c.json {
		return json.NewEncoder(cmd.OutOrStdout()).Encode(t)
	}
	of, more := fmt.Sprintf("%-12s %-4s batch %-3d", t.Network, t.Backend, t.Batch), ""
	if t.Warmup > 0 {
		more = fmt.Sprintf(", %d after it left out", t.Warmup)
	}
	if t.N > 0 {
		of = fmt.Sprintf("%-12s %-4s size %-4d", t.Precision, t.Backend, t.N)
	}
	if t.GFLOP > 0 {
		more += fmt.Sprintf(", %.1f GFLOP/s", t.GFLOP/median(t.MS)*1e3)
	}
	if t.TFLOPS > 0 {
		more += fmt.Sprintf(", at best %.1f", t.TFLOPS*1e3)
	}
	if t.WindowMS > 0 {
		more += fmt.Sprintf(", %.1f ms once a window", t.WindowMS)
	}
	if t.FramesPerSecond > 0 {
		more += fmt.Sprintf(", %.0f frames/s", t.FramesPerSecond)
	}
	_, err := fmt.Fprintf(cmd.OutOrStdout(), "%-7s %s median %.1f ms, least %.1f, most %.1f, first %.0f%s\n",
		t.What, of, median(t.MS), slices.Min(t.MS), slices.Max(t.MS), t.FirstMS, more)
	return err
}

// size measures the network for a step of the configuration's batch.
func size(b compute.Backend, config *configs.Config) (models.Size, error) {
	m, err := models.New(config)
	if err != nil {
		return models.Size{}, err
	}
	return m.Declare(b, model.NewStore().Scope("/"+models.WeightsScope), config.Train.Batch)
}

func (c *benchCommand) train(ctx context.Context, b compute.Backend, config *configs.Config) ([]timing, error) {
	s, err := size(b, config)
	if err != nil {
		return nil, err
	}
	times, err := train.Benchmark(ctx, b, config, 1+warmup+c.steps)
	if err != nil {
		return nil, err
	}
	t := steady(times)
	t.Millions, t.GFLOP = float64(s.Parameters)/1e6, s.TrainingFLOPs(config.Train.Accumulate, false)/1e9
	return []timing{t}, nil
}

func (c *benchCommand) sample(ctx context.Context, b compute.Backend, config *configs.Config) ([]timing, error) {
	s, err := size(b, config)
	if err != nil {
		return nil, err
	}
	window, times, err := eval.Benchmark(ctx, b, config, config.Train.Batch, 1+warmup+c.steps)
	if err != nil {
		return nil, err
	}
	t := steady(times)
	t.Millions, t.GFLOP, t.WindowMS = float64(s.Parameters)/1e6, s.FLOPs/1e9, milliseconds(window)
	if s.Cached > 0 {
		t.GFLOP = 0 // some are of the window, not of the step
	}
	return []timing{t}, nil
}

// loaderBatches is the number of batches that the loader reads in place of a step of the other
// benchmarks.
const loaderBatches = 50

// loader times the reading of batches of training clips, as fast as they come. Videos are decoded
// into the cache before that.
func (c *benchCommand) loader(ctx context.Context, _ compute.Backend, config *configs.Config) ([]timing, error) {
	frames := config.Frames.Total()
	ds, err := data.Open(ctx, config, clips.Train, config.Frames.Span(), c.log)
	if err != nil {
		return nil, err
	}
	var times []time.Duration
	var took time.Duration // for all of them
	read, start := 0, time.Now()
	for _, err := range data.NewBatches(ds, config, c.log).Each(ctx, 0, 2) {
		if err != nil {
			return nil, err
		}
		read++
		switch now := time.Since(start); {
		case read == 1: // nothing of it was prepared ahead
			times, took = append(times, now), now
		case read%loaderBatches == 1: // they come in bursts of as many as are prepared at once, so only means tell the speed
			times, took = append(times, (now-took)/loaderBatches), now
		}
		if len(times) == 1+c.steps {
			break
		}
	}
	t := timed(times)
	t.FramesPerSecond = float64(read*config.Train.Batch*frames) / took.Seconds()
	return []timing{t}, nil
}

// matmul times matrix products. Those in bfloat16 come last, because scripts/bench takes the last
// one for the most that the device can do.
func (c *benchCommand) matmul(ctx context.Context, b compute.Backend, _ *configs.Config) (all []timing, err error) {
	for _, precision := range []string{"float32", "bfloat16"} {
		dtype, err := nn.Precision(b, precision)
		if err != nil {
			continue // the Go backend has no bfloat16
		}
		p, err := c.choice.Products(ctx, b, dtype, c.steps)
		if err != nil {
			return nil, err
		}
		t := timed(p.Times)
		t.Precision, t.N, t.GFLOP, t.TFLOPS = precision, p.N, p.FLOPs()/1e9, p.Best()/1e12
		all = append(all, t)
	}
	return all, nil
}

// warmup is the number of steps of training and sampling that are left out after the first.
const warmup = 5

// steady separates the first step from those after the warm-up.
func steady(times []time.Duration) timing {
	t := timed(append(times[:1:1], times[1+warmup:]...))
	t.Warmup = warmup
	return t
}

// timed separates the first step from the others.
func timed(times []time.Duration) timing {
	t := timing{FirstMS: milliseconds(times[0])}
	for _, d := range times[1:] {
		t.MS = append(t.MS, milliseconds(d))
	}
	return t
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1e3 }

// median is that of values, of which there is at least one.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// peakRSS is the most memory that the process has had so far, in bytes. On a system that doesn't
// say, it is what the Go runtime has.
func peakRSS() float64 {
	text, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(text)) {
		var kB float64
		if _, err := fmt.Sscanf(line, "VmHWM: %f kB", &kB); err == nil {
			return kB * 1024
		}
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.Sys)
}
