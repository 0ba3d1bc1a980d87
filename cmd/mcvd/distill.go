package main

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"mcvd/configs"
	"mcvd/configs/experiment"
	"mcvd/models"
	"mcvd/train"
)

// The kinds of distillation, which are the values of train.distillation.
const (
	progressive = "progressive"
	consistency = "consistency"
)

// targetDecay is the decay of a consistent student's average, from which it learns. What the last level
// says goes from level to level only as fast as the average follows. The paper has 0.9 to 0.999.
const targetDecay = 0.95

// distillCommand trains students that sample in few steps.
type distillCommand struct {
	trainCommand           // of each round
	from, until            int
	kind, teacher, folders string // the run that is distilled, and where those of the students are
}

func newDistill(a *app) *cobra.Command {
	c := &distillCommand{trainCommand: trainCommand{app: a}}
	cmd := &cobra.Command{
		Use:   "distill RUN",
		Short: "Train students that sample in few steps from a run that needs many",
		Long: `Train students that sample in few steps. The first teacher is RUN, sampled by ddim with --from
steps. A student starts from its teacher's weights.

--kind progressive (Salimans and Ho 2022): a student learns to do in one step what its teacher does
in two. Then it is the teacher of the next one, until a student takes --until steps. DIR/steps-8 is
the run folder of the student with 8 steps; its configuration says ddim with 8 steps.

--kind consistency (Song et al. 2023): a single student learns to predict at every noise level where
the teacher's steps end. Its run folder is DIR/consistency; its configuration says consistency with
--until steps, and any other number can be tried on it.

Other commands take these folders as any other run. Students are trained as RUN was, on the same
data and for as many steps, unless --set says otherwise. Their losses compare them with their
teachers. The network must predict something else than eps: see docs/few-steps.md.

The same command again goes on where it ended. On the same backend it ends with the same weights as
one that was never stopped.`,
		Example: `  mcvd train -c configs/tiny.yml -o runs/v --set diffusion.target=v
  mcvd distill runs/v -o runs/fast --from 4 --until 1 --set train.steps=20
  mcvd eval runs/fast/steps-1 --clips 4
  mcvd distill runs/v -o runs/fast --kind consistency --from 4 --set train.steps=20`,
		Args:    arguments(1, 1, "a run folder"),
		PreRunE: func(cmd *cobra.Command, args []string) error { return c.check() },
		RunE: func(cmd *cobra.Command, args []string) error {
			c.teacher = args[0]
			return c.run(cmd)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&c.folders, "out", "o", "", "folder for the students' run folders")
	c.kind = progressive
	f.Var(oneOf(&c.kind, models.Distillations()), "kind", strings.Join(models.Distillations(), " or "))
	f.Var(count(&c.from), "from", "steps of the first teacher; for progressive --until times a power of two (default: at most the sampler.steps of RUN)")
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
	if c.kind == consistency {
		if least := max(2, c.until); c.from < least {
			return fmt.Errorf("--from %d: want %d or more steps of a teacher whose student takes --until %d", c.from, least, c.until)
		}
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

func (c *distillCommand) run(cmd *cobra.Command) (err error) {
	if err := notAmongRuns("--out", c.folders, c.folders); err != nil {
		return err
	}
	students, err := c.students()
	if err != nil {
		return err
	}
	if err := train.Check(students[0].dir, students[0].config, false); err != nil {
		return err
	}
	b, choice, err := c.openBackend(c.backend)
	if err != nil {
		return err
	}
	defer func() { finalize(b, err) }()
	with := c.programs(choice)
	for _, s := range students {
		if err := errors.Join(train.Check(s.dir, s.config, false), train.CheckBackend(b, s.config, nil)); err != nil {
			return err
		}
		of := cmp.Or(s.config.Train.TeacherSteps, 2*s.config.Sampler.Steps)
		fmt.Fprintf(c.stderr, "%s: learns in %s what %s does in %d\n", s.dir, plural(s.config.Sampler.Steps, "step"), s.config.Train.Teacher, of)
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
	m, err := models.New(run.Config)
	if err != nil {
		return nil, err
	}
	if err := m.CheckGenerates(); err != nil {
		return nil, fmt.Errorf("%s: %w", c.teacher, err)
	}
	if most := m.Schedule.Steps(); most > 0 && from > most {
		return nil, fmt.Errorf("--from %d: want at most %d steps, the noise levels of %s (diffusion.steps)", from, most, c.teacher)
	}
	if c.kind == consistency {
		s := student{dir: filepath.Join(c.folders, consistency)}
		s.config, err = c.of(run.Config, c.teacher, c.until, cmp.Or(from, run.Config.Sampler.Steps))
		return []student{s}, err
	}
	if from == 0 {
		if from = halved(run.Config.Sampler.Steps, c.until); from == c.until {
			return nil, fmt.Errorf("--until %d: %s samples in %s; give --from, the steps of the first teacher",
				c.until, c.teacher, plural(run.Config.Sampler.Steps, "step"))
		}
	}
	teacher := c.teacher
	for steps := from / 2; steps >= c.until; steps /= 2 {
		s := student{dir: filepath.Join(c.folders, fmt.Sprintf("steps-%d", steps))}
		if s.config, err = c.of(run.Config, teacher, steps, 0); err != nil {
			return nil, err
		}
		all, teacher = append(all, s), s.dir
	}
	return all, nil
}

// of is the experiment of a student with that many steps: the first teacher's, but for how it samples,
// the weight of the loss, and what --set says. teacherSteps is how many of its teacher a student of
// consistency distillation learns from, and 0 for others.
func (c *distillCommand) of(first *configs.Config, teacher string, steps, teacherSteps int) (*configs.Config, error) {
	base := *first
	name, weight := "ddim", "truncated_snr"
	if c.kind == consistency {
		name, weight = consistency, "x0" // the paper's: all levels alike
		if base.Optimizer.EMA == "constant" {
			base.Optimizer.Options = maps.Clone(base.Optimizer.Options)
			base.Optimizer.Options["ema_decay"] = targetDecay
		}
	}
	base.Train.Teacher, base.Train.Distillation, base.Train.TeacherSteps, base.Diffusion.Weight = teacher, c.kind, teacherSteps, weight
	base.Sampler = configs.Sampler{Name: name, Steps: steps, Spacing: "uniform", Precision: first.Sampler.Precision, Clip: first.Sampler.Clip,
		Start: first.Sampler.Start, Guidance: configs.Guidance{Name: "none"}}
	config, err := experiment.Parse(filepath.Join(c.teacher, "config.yml"), base.YAML(), c.set...)
	if err != nil {
		return nil, err
	}
	if t := config.Train; t.Teacher != teacher || t.Distillation != c.kind || t.TeacherSteps != teacherSteps || config.Sampler.Steps != steps {
		return nil, fmt.Errorf("--set %s: mcvd distill gives each student its own sampler.steps and what train says of teachers; see --kind, --from and --until", strings.Join(c.set, " --set "))
	}
	return config, nil
}
