package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"mcvd/configs"
	"mcvd/configs/experiment"
	"mcvd/models/diffusion"
	"mcvd/models/guidance"
	"mcvd/models/sampler"
	"mcvd/train"
)

func newSamplePlan(*app) *cobra.Command {
	var flags samplerFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "sample-plan RUN|CONFIG",
		Short: "Print the steps that sampling makes: noise levels, coefficients, network evaluations",
		Long: `Print the steps that sampling makes, of a run or of a configuration. Nothing is sampled, and no
weights are read. The columns are:

  step      its number, from pure noise on; the last line is where the last step ends
  signal    and noise: the level at which the step begins, x = signal x0 + noise eps
  log-SNR   ln(signal^2 / noise^2) there
  labels    the numbers by which the network is told the levels at which the step evaluates it
  c.NAME    the scalars of the step's formula, by their names in models/sampler
  NFE       network evaluations so far; guidance takes several at a level

With sampler.start, a second table has the steps of windows that start from the block before them.`,
		Example: `  mcvd sample-plan configs/tiny.yml
  mcvd sample-plan configs/demo.yml --sampler unipc --steps 8 --option order=2 --json`,
		Args: arguments(1, 1, "a run folder or a configuration file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			plans, err := flags.plans(args[0])
			if err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(plans)
			}
			return plans.write(cmd.OutOrStdout())
		},
	}
	flags.addTo(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON object with the same numbers; log_snr is null where it is infinite")
	return cmd
}

// samplePlans are what a sampler does in a window.
type samplePlans struct {
	Sampler configs.Sampler `json:"sampler"`
	NFE     int             `json:"nfe"`
	Steps   []plannedStep   `json:"steps"`
	// Later are the steps of a window that starts from the block before it, with sampler.start.
	Later []plannedStep `json:"later_windows,omitempty"`
}

// plannedStep is a step with its numbers. The last of a list has no labels and no coefficients: it
// is where the last step ends.
type plannedStep struct {
	Signal float64       `json:"signal"`
	Noise  float64       `json:"noise"`
	LogSNR *float64      `json:"log_snr"`
	Labels []float64     `json:"labels,omitempty"`
	Coefs  sampler.Coefs `json:"coefficients,omitempty"`
	NFE    int           `json:"nfe"` // with this step
}

// plans are those of a run folder or of a configuration file, with what the flags override.
func (s *samplerFlags) plans(path string) (*samplePlans, error) {
	config, err := runOrConfig(path)
	if err != nil {
		return nil, err
	}
	process, err := diffusion.New(config.Diffusion)
	if err != nil {
		return nil, err
	}
	c, err := s.sampler(config, process.Schedule)
	if err != nil {
		return nil, err
	}
	of, err := sampler.New(c)
	if err != nil {
		return nil, err
	}
	levels, err := sampler.Levels(process.Schedule, c)
	if err != nil {
		return nil, err
	}
	skip, err := sampler.Start(process.Schedule, levels, c)
	if err != nil {
		return nil, err
	}
	guide, err := guidance.New(c.Guidance, config.Frames)
	if err != nil {
		return nil, err
	}
	p := &samplePlans{Sampler: c}
	if skip > 0 {
		p.Later = planned(of, sampler.Plan(of, process.Schedule, levels[skip:], c), guide)
	}
	p.Steps = p.Later
	if skip == 0 || !c.PublishedStart { // otherwise the first window is as later ones
		p.Steps = planned(of, sampler.Plan(of, process.Schedule, levels, c), guide)
	}
	lag, err := sampler.NewLag(of, process.Schedule, c)
	if err != nil {
		return nil, err
	}
	p.NFE = p.Steps[len(p.Steps)-1].NFE + (config.Frames.Current-1)*lag.Turns
	return p, nil
}

// runOrConfig reads the experiment of a run folder or of a configuration file.
func runOrConfig(path string) (*configs.Config, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		run, err := train.OpenRun(path)
		if err != nil {
			return nil, err
		}
		return run.Config, nil
	}
	c, err := experiment.Load(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%w; want a run folder or a configuration file", err)
	}
	return c, err
}

// planned are a sampler's steps with their numbers, and where the last one ends.
func planned(of sampler.Sampler, steps []sampler.Step, guide *guidance.Plan) (list []plannedStep) {
	begin := func(l diffusion.Level, nfe int) plannedStep {
		p := plannedStep{Signal: l.Signal, Noise: l.Noise, NFE: nfe}
		if snr := l.LogSNR(); !math.IsInf(snr, 0) {
			p.LogSNR = &snr
		}
		return p
	}
	for i, step := range steps {
		p := begin(step.From, sampler.NFE(steps[:i+1])*guide.Evaluations())
		p.Coefs = of.Coefs(steps, i)
		for _, at := range step.At {
			p.Labels = append(p.Labels, at.Label)
		}
		list = append(list, p)
	}
	return append(list, begin(steps[len(steps)-1].To, sampler.NFE(steps)*guide.Evaluations()))
}

func (p *samplePlans) write(out io.Writer) error {
	guide := guidance.Describe(p.Sampler.Guidance)
	if guide != "" {
		guide = ", " + guide
	}
	fmt.Fprintf(out, "# %s, spacing %s, %d levels%s: %d network evaluations for a block\n", p.Sampler.Name, p.Sampler.Spacing, p.Sampler.Steps, guide, p.NFE)
	if lag := p.Sampler.FrameLag; lag > 0 {
		fmt.Fprintf(out, "# the steps of the first frame of a block; each frame is behind the one before it by steps: %d (sampler.frame_lag)\n", lag)
	}
	if err := writePlan(out, p.Steps); err != nil || p.Later == nil {
		return err
	}
	fmt.Fprintf(out, "\n# windows that start from the block before them (sampler.start %g)\n", p.Sampler.Start)
	return writePlan(out, p.Later)
}

// writePlan prints a list of steps as a table.
func writePlan(out io.Writer, steps []plannedStep) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprint(w, "step\tsignal\tnoise\tlog-SNR\tlabels")
	names := configs.Names(steps[0].Coefs)
	for _, name := range names {
		fmt.Fprintf(w, "\tc.%s", name)
	}
	fmt.Fprintln(w, "\tNFE")
	for i, s := range steps {
		number, labels, end := fmt.Sprint(i+1), []string{}, i == len(steps)-1
		if end {
			number = "end"
		}
		for _, label := range s.Labels {
			labels = append(labels, fmt.Sprint(math.Round(label*1e4)/1e4))
		}
		level := diffusion.Level{Signal: s.Signal, Noise: s.Noise}
		fmt.Fprintf(w, "%s\t%.5f\t%.5f\t%.3f\t%s", number, s.Signal, s.Noise, level.LogSNR(), strings.Join(labels, " "))
		for _, name := range names {
			if fmt.Fprint(w, "\t"); !end {
				fmt.Fprintf(w, "%.5g", s.Coefs[name]+0) // -0 becomes 0
			}
		}
		fmt.Fprintf(w, "\t%d\n", s.NFE)
	}
	return w.Flush()
}
