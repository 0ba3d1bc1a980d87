package train

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"mcvd/configs"
	"mcvd/models"
	"mcvd/models/diffusion"
	"mcvd/train/optimizer"
	"mcvd/train/runs"
)

// A run with a teacher learns from the teacher's averaged weights. They are in each of its
// checkpoints, so that it goes on as it began, whatever has become of the teacher's run.

// objectiveOf is what the steps of an experiment minimize.
func objectiveOf(m *models.Model, c *configs.Config) (objective, error) {
	switch {
	case m.Classes() != nil:
		return models.Classifier{Model: m}, nil
	case c.Train.Teacher == "":
		return m, nil
	}
	return models.NewDistillation(m, c)
}

// scopesOf are the scopes of a run's checkpoints.
func scopesOf(u *optimizer.Update, c *configs.Config) []string {
	scopes := u.Scopes()
	if outer(c) {
		scopes = append(scopes, outerScope)
	}
	if c.Train.Teacher != "" {
		scopes = append(scopes, models.TeacherScope)
	}
	return scopes
}

// remembered are the scopes of what updates remember of each weight: zeros at first.
func remembered(u *optimizer.Update, c *configs.Config) []string {
	if outer(c) {
		return append(u.Remembered(), outerScope)
	}
	return u.Remembered()
}

// checkTeacher reports why an experiment can't learn from the teacher that it names: there is none,
// the network can't be distilled, or the teacher's is another or sees other noise levels.
func checkTeacher(c *configs.Config) error {
	if c.Train.Teacher == "" {
		return nil
	}
	m, err := models.New(c)
	if err != nil {
		return err
	}
	student, err := models.NewDistillation(m, c)
	if err != nil {
		return err
	}
	teacher, err := OpenRun(c.Train.Teacher)
	if err != nil {
		return fmt.Errorf("train.teacher: %w", err)
	}
	path := filepath.Join(teacher.Dir, runs.ConfigFile)
	if diff := configs.Diff(common(teacher.Config), common(c)); len(diff) > 0 {
		return fmt.Errorf("train.teacher: %s is of another network or process than its student's, want the same:\n  %s", path, strings.Join(diff, "\n  "))
	}
	process, err := diffusion.New(teacher.Config.Diffusion)
	if err != nil {
		return fmt.Errorf("train.teacher: %s: %w", path, err)
	}
	for _, l := range student.Levels() {
		if l != diffusion.Clean && process.Schedule.OfLabel(l.Label) != m.Schedule.OfLabel(l.Label) {
			return fmt.Errorf("train.teacher: %s has other noise levels than its student (%v at label %g, want %v): want the same options of diffusion.schedule",
				path, process.Schedule.OfLabel(l.Label), l.Label, m.Schedule.OfLabel(l.Label))
		}
	}
	return nil
}

// common is the part of an experiment that a student has in common with its teacher, but for the
// options of the schedule.
func common(c *configs.Config) *configs.Config {
	f, d := c.Frames, c.Diffusion
	return &configs.Config{Model: c.Model, Frames: configs.Frames{Past: f.Past, Current: f.Current, Future: f.Future},
		Data:      configs.Data{Size: c.Data.Size, Width: c.Data.Width, Channels: c.Data.Channels},
		Diffusion: configs.Diffusion{Steps: d.Steps, Schedule: d.Schedule, Target: d.Target, Variance: d.Variance}}
}

// teach makes a first state that of a student: all weights are the teacher's averaged ones.
func teach(backend compute.Backend, store *model.Store, m *models.Model, c *configs.Config, log *slog.Logger) error {
	if err := checkTeacher(c); err != nil {
		return err
	}
	run, err := OpenRun(c.Train.Teacher)
	if err != nil {
		return fmt.Errorf("train.teacher: %w", err)
	}
	f, p, err := run.OpenCheckpoint("", log)
	if err != nil {
		return fmt.Errorf("train.teacher: %w", err)
	}
	defer f.Close()
	teacher, err := m.Load(backend, f, models.EMAScope)
	if err != nil {
		return fmt.Errorf("train.teacher: %s: %w", f.Path(), err)
	}
	defer teacher.Finalize()
	if _, err := m.Declare(backend, store.Scope("/"+models.TeacherScope), 1); err != nil {
		return err
	}
	for v := range teacher.IterVariables() {
		value, err := v.Value()
		if err != nil {
			return err
		}
		flat, err := tensors.CopyFlatData[float32](value)
		if err != nil {
			return err
		}
		for _, scope := range []string{models.WeightsScope, models.EMAScope, models.TeacherScope} {
			of := store.GetVariable("/" + scope + strings.TrimPrefix(v.Path(), "/"+models.EMAScope))
			if err := of.SetValue(tensors.FromFlatDataAndDimensions(slices.Clone(flat), v.Shape().Dimensions...)); err != nil {
				return err
			}
		}
	}
	log.Info("learning from a teacher", "checkpoint", f.Path(), "step", p.Step)
	return nil
}
