package train

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute"

	"mcvd/configs"
	"mcvd/configs/experiment"
	"mcvd/models"
	"mcvd/models/backend/backendtest"
	"mcvd/models/weights"
	"mcvd/train/runs"
)

// taught changes an experiment into one that can be a teacher.
func taught() *configs.Config {
	c := toy()
	c.Diffusion.Target = "v"
	if err := experiment.Resolve(c); err != nil {
		panic(err)
	}
	return c
}

// studentOf is the experiment of a student with 2 steps.
func studentOf(teacher string) *configs.Config {
	c := taught()
	c.Train.Teacher, c.Diffusion.Weight = teacher, "truncated_snr"
	c.Sampler.Steps, c.Sampler.LastDenoise = 2, false
	if err := experiment.Resolve(c); err != nil {
		panic(err)
	}
	return c
}

// consistentOf is the experiment of a student that learns from 4 steps of its teacher to sample in one.
func consistentOf(teacher string) *configs.Config {
	c := studentOf(teacher)
	c.Train.Distillation, c.Train.TeacherSteps, c.Diffusion.Weight = "consistency", 4, "x0"
	c.Sampler.Name, c.Sampler.Steps, c.Sampler.Options = "consistency", 1, nil
	if err := experiment.Resolve(c); err != nil {
		panic(err)
	}
	return c
}

// teacherIn trains a teacher.
func teacherIn(t *testing.T, b compute.Backend) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "teacher")
	mustTrain(t, options(b, taught(), dir))
	return dir
}

// weightsIn are the weights of a scope in a checkpoint, joined.
func weightsIn(t *testing.T, path, scope string) (all []float32) {
	t.Helper()
	f, err := weights.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, of := range f.Tensors() { // in the order of their names
		if strings.HasPrefix(of.Name, scope+"/") {
			values, err := f.Float32s(of.Name)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, values...)
		}
	}
	return all
}

// A student starts with its teacher's averaged weights, which stay in its checkpoints. It is stopped,
// the teacher's run is removed, and it ends with the bytes of a student that nobody disturbed.
func TestStudentsAreResumedWithoutTheirTeachersRun(t *testing.T) {
	t.Run("progressive", func(t *testing.T) { resumeStudent(t, backendtest.Open(t), studentOf) })
	// Nothing else is known to the backend.
	t.Run("consistency", func(t *testing.T) { resumeStudent(t, backendtest.OpenGo(t), consistentOf) })
}

func resumeStudent(t *testing.T, b compute.Backend, studentOf func(teacher string) *configs.Config) {
	t.Helper()
	teacher := teacherIn(t, backendtest.OpenGo(t)) // of which only the weights matter
	of := weightsIn(t, newest(t, teacher), models.EMAScope)
	c := studentOf(teacher)
	c.Train.CheckpointEvery, c.Train.Keep = 1, c.Train.Steps
	undisturbed, dir := t.TempDir(), t.TempDir()
	mustTrain(t, options(b, c, undisturbed))
	ctx, o := stopAt(options(b, c, dir), 5)
	if _, err := Train(ctx, o); !errors.Is(err, ErrStopped) {
		t.Fatalf("error %v, want %v", err, ErrStopped)
	}
	if err := os.RemoveAll(teacher); err != nil {
		t.Fatal(err)
	}
	mustTrain(t, options(b, c, dir))
	sameRuns(t, dir, undisturbed, c)
	first := (&Run{Dir: undisturbed}).Checkpoints()[c.Train.Steps-1]
	for _, path := range []string{first, newest(t, dir)} {
		if got := weightsIn(t, path, models.TeacherScope); !slices.Equal(got, of) {
			t.Errorf("%s: the teacher's weights are not those of its average", path)
		}
	}
	if moved := relative(weightsIn(t, first, models.WeightsScope), of); !(moved > 0 && moved <= 1e-2) {
		t.Errorf("after one step the student is %g away from its teacher, want a little", moved)
	}
}

// Progressive students: the loss of the others does not fall, because their target moves with them.
func TestStudentsLearn(t *testing.T) {
	b := backendtest.Open(t)
	c := studentOf(teacherIn(t, backendtest.OpenGo(t)))
	c.Optimizer.LearningRate, c.Optimizer.WeightDecay = 1e-2, 0
	c.Train.Batch, c.Train.Accumulate, c.Train.Steps, c.Train.ValidateEvery = 8, 1, 60, 5
	dir := t.TempDir()
	o := options(b, c, dir)
	mustTrain(t, o)
	var losses []float64
	for _, line := range lines(t, dir) {
		if line.Validation != nil {
			losses = append(losses, float64(line.Loss))
		}
	}
	if end := losses[len(losses)-1]; !(end <= losses[0]/1.5) {
		t.Errorf("validation losses %v do not fall", losses)
	}
}

// A student that is killed ends as one that nobody killed.
func TestKilledStudents(t *testing.T) {
	killAgainAndAgain(t, teacherIn(t, backendtest.OpenGo(t)), 2)
}

// What can't be a teacher is refused before anything is written.
func TestTeachersThatCannotBe(t *testing.T) {
	b := backendtest.OpenGo(t)
	teacher := teacherIn(t, b)
	for want, change := range map[string]func(*configs.Config){
		"train.teacher: nowhere: no such run folder": func(c *configs.Config) { c.Train.Teacher = "nowhere" },
		"train.teacher: a network that predicts eps": func(c *configs.Config) { c.Diffusion.Target, c.Diffusion.Weight = "eps", "simple" },
		`diffusion.target: "v" -> "x0"`:              func(c *configs.Config) { c.Diffusion.Target = "x0" },
		"model.options.width: 4 -> 8":                func(c *configs.Config) { c.Model.Options["width"] = 8 },
		"frames.past: 1 -> 2":                        func(c *configs.Config) { c.Frames.Past = 2 },
		"has other noise levels than its student":    func(c *configs.Config) { c.Diffusion.Options["beta_end"] = 0.1 },
		"sampler.last_denoise: true, want false":     func(c *configs.Config) { c.Sampler.LastDenoise = true },
	} {
		c := studentOf(teacher)
		change(c)
		dir := filepath.Join(t.TempDir(), "student")
		_, err := Train(context.Background(), options(b, c, dir))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
		if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: the folder was made", want)
		}
	}
	// A run that has begun keeps its teacher.
	dir := filepath.Join(t.TempDir(), "student")
	c := studentOf(teacher)
	c.Train.Steps = 1
	mustTrain(t, options(b, c, dir))
	c.Train.Teacher = ""
	if _, err := Train(context.Background(), options(b, c, dir)); err == nil || !strings.Contains(err.Error(), "train.teacher: ") {
		t.Errorf("error %v, want that the teacher must not change", err)
	}
	if names := checkpoints(t, dir); !slices.Contains(names, runs.CheckpointName(1)) {
		t.Errorf("checkpoints %v", names)
	}
}
