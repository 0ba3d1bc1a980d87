package train

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"mcvd/configs"
	"mcvd/configs/atomicfile"
	"mcvd/models/backend"
	"mcvd/models/backend/backendtest"
	"mcvd/train/runs"
)

// folderVariable names the folder in which this binary, started again by a test, trains instead of
// testing, and teacherVariable the run folder of a teacher from which it learns.
const (
	folderVariable  = "MCVD_TEST_TRAIN_IN"
	teacherVariable = "MCVD_TEST_TEACHER"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(folderVariable); dir != "" {
		os.Exit(trainAsProcess(dir))
	}
	os.Exit(m.Run())
}

// killed is the training that is killed: it writes a checkpoint after every step. It learns from a
// teacher, if there is one.
func killed(teacher string) *configs.Config {
	c, steps := toy(), 60
	if teacher != "" {
		c, steps = studentOf(teacher), 24
	}
	c.Train.Steps, c.Train.CheckpointEvery, c.Train.Keep, c.Train.ValidateEvery = steps, 1, 3, steps/2
	c.Train.Accumulate = 1
	return c
}

// trainAsProcess takes the run in dir to its end and prints each step when its checkpoint is about
// to be written.
func trainAsProcess(dir string) int {
	b, err := backend.Open("go")
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer b.Finalize()
	o := options(b, killed(os.Getenv(teacherVariable)), dir)
	o.Log = slog.New(slog.NewTextHandler(os.Stdout, nil))
	o.Report = func(l runs.Line) { fmt.Println("step", l.Step) }
	if _, err := Train(context.Background(), o); err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

// Five processes are killed, each after a random number of steps, when the checkpoint of the step
// is being written or shortly before or after that; a sixth one ends with the bytes of a run that
// nobody disturbed.
func TestKilledRunsEndAsOnesThatWereNeverKilled(t *testing.T) {
	killAgainAndAgain(t, "", 5)
}

func killAgainAndAgain(t *testing.T, teacher string, kills int) {
	b, c := backendtest.OpenGo(t), killed(teacher)
	undisturbed, dir := t.TempDir(), t.TempDir()
	mustTrain(t, options(b, c, undisturbed))
	rng := rand.New(rand.NewPCG(rand.Uint64(), 0))
	process := func(steps int) (last string, err error) {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), folderVariable+"="+dir, teacherVariable+"="+teacher)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for in := bufio.NewScanner(out); in.Scan(); {
			last = in.Text()
			if strings.HasPrefix(last, "step ") {
				if steps--; steps == 0 {
					// Some microseconds later the process is at another place in the writing.
					for range rng.IntN(1 << 20) {
					}
					cmd.Process.Kill()
				}
			}
		}
		return last, cmd.Wait()
	}
	for kill := range kills {
		last, err := process(1 + rng.IntN(9))
		if err == nil || !strings.Contains(err.Error(), "killed") {
			t.Fatalf("process %d: error %v after %q, want it killed", kill, err, last)
		}
		halves, _ := filepath.Glob(filepath.Join(dir, runs.CheckpointsDir, atomicfile.Prefix+"*"))
		t.Logf("killed after %q; halves of files left: %d", last, len(halves))
	}
	if last, err := process(0); err != nil {
		t.Fatalf("the last process: error %v after %q", err, last)
	}
	sameRuns(t, dir, undisturbed, c)
}
