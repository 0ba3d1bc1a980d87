package main

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"mcvd/configs"
	"mcvd/configs/experiment"
	"mcvd/train"
)

// distillCommand trains students that sample in few steps.
type distillCommand struct {
	trainCommand     // of each round
	from, until      int
	teacher, folders string // the run that is distilled, and where those of the students are
}

func newDistill(a *app) *cobra.Command {
	c := &distillCommand{trainCommand: trainCommand{app: a}}
	cmd := &cobra.Command{
		Use:   "distill RUN",
		Short: "Train students that sample in few steps, each in half as many as its teacher",
		Long: `Train students that sample in few steps, by progressive distillation (Salimans and Ho 2022). The
first teacher is RUN, sampled by ddim with --from steps. A student starts from its teacher's
weights, and learns to do in one step what the teacher does in two. Then it is the teacher of the
next one, until a student takes --until steps.

DIR/steps-8 is the run folder of the student with 8 steps. Other commands take it as any other run;
its configuration says ddim with 8 steps. It is trained as RUN was, on the same data and for as many
steps, unless --set says otherwise. Its losses compare it with its teacher. The network must predict
something else than eps: see docs/few-steps.md.

The same command again goes on where it ended. On the same backend it ends with the same weights as
one that was never stopped.`,
		Example: `  mcvd train -c configs/tiny.yml -o runs/v --set diffusion.target=v
  mcvd distill runs/v -o runs/fast --from 4 --until 1 --set train.steps=20
  mcvd eval runs/fast/steps-1 --clips 4`,
		Args:    arguments(1, 1, "a run folder"),
		PreRunE: func(cmd *cobra.Command, args []string) error { return c.check() },
		RunE: func(cmd *cobra.Command, args []string) error {
			c.teacher = args[0]
			return c.run(cmd)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&c.folders, "out", "o", "", "folder for the students' run folders")
	f.Var(count(&c.from), "from", "steps of the first teacher: --until times a power of two (default: at most the sampler.steps of RUN)")
	c.until = 1
	f.Var(count(&c.until), "until", "steps of the last student")
	f.StringArrayVar(&c.set, "set", nil, "override a setting of all students, such as train.steps=1000; may be repeated")
	backendFlag(cmd, &c.backend)
	return cmd
}

// check refuses a command line that lacks something.
func (c *distillCommand) check() error {
	if c.folders == "" {
		return errors.New("no folder for the students: give --out DIR")
	}
	if c.from == 0 {
		return nil
	}
	if most := halved(c.from, c.until); most != c.from || c.from == c.until {
		return fmt.Errorf("--from %d: halving it doesn't lead to --until %d, want %d times 2, 4, 8 or another power of two", c.from, c.until, c.until)
	}
	return nil
}

// halved is the most, up to that many steps, that halving brings to until; until itself if there is
// none.
func halved(most, until int) int {
	steps := until
	for 2*steps <= most {
		steps *= 2
	}
	return steps
}

// student is one round of a distillation.
type student struct {
	dir    string
	config *configs.Config
}

func (c *distillCommand) run(cmd *cobra.Command) error {
	if err := notAmongRuns("--out", c.folders, c.folders); err != nil {
		return err
	}
	students, err := c.students()
	if err != nil {
		return err
	}
	if err := train.Check(students[0].dir, students[0].config); err != nil {
		return err
	}
	b, choice, err := c.openBackend(c.backend)
	if err != nil {
		return err
	}
	defer b.Finalize()
	with := versions()
	maps.Copy(with, choice.Versions())
	for _, s := range students {
		if err := errors.Join(train.Check(s.dir, s.config), train.CheckBackend(b, s.config)); err != nil {
			return err
		}
		fmt.Fprintf(c.stderr, "%s: learns in %s what %s does in %d\n", s.dir, plural(s.config.Sampler.Steps, "step"), s.config.Train.Teacher, 2*s.config.Sampler.Steps)
		c.out = s.dir
		if err := c.train(cmd.Context(), b, choice, s.config, with); err != nil {
			return err
		}
	}
	return nil
}

// students are the rounds, in order.
func (c *distillCommand) students() (all []student, err error) {
	run, err := train.OpenRun(c.teacher)
	if err != nil {
		return nil, err
	}
	from := c.from
	if from == 0 {
		if from = halved(run.Config.Sampler.Steps, c.until); from == c.until {
			return nil, fmt.Errorf("--until %d: %s samples in %s; give --from, the steps of the first teacher",
				c.until, c.teacher, plural(run.Config.Sampler.Steps, "step"))
		}
	}
	teacher := c.teacher
	for steps := from / 2; steps >= c.until; steps /= 2 {
		s := student{dir: filepath.Join(c.folders, fmt.Sprintf("steps-%d", steps))}
		if s.config, err = c.of(run.Config, teacher, steps); err != nil {
			return nil, err
		}
		all, teacher = append(all, s), s.dir
	}
	return all, nil
}

// of is the experiment of a student with that many steps: the first teacher's, but for how it samples,
// the weight of the loss, and what --set says.
func (c *distillCommand) of(first *configs.Config, teacher string, steps int) (*configs.Config, error) {
	base := *first
	base.Train.Teacher, base.Diffusion.Weight = teacher, "truncated_snr"
	base.Sampler = configs.Sampler{Name: "ddim", Steps: steps, Spacing: "uniform", Precision: first.Sampler.Precision, Clip: first.Sampler.Clip,
		Start: first.Sampler.Start, Guidance: configs.Guidance{Name: "none"}}
	config, err := experiment.Parse(filepath.Join(c.teacher, "config.yml"), base.YAML(), c.set...)
	if err != nil {
		return nil, err
	}
	if config.Train.Teacher != teacher || config.Sampler.Steps != steps {
		return nil, fmt.Errorf("--set %s: mcvd distill gives each student its own sampler.steps and train.teacher; see --from and --until", strings.Join(c.set, " --set "))
	}
	return config, nil
}
