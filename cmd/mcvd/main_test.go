package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"mcvd/train/ranks"
)

// call runs a command line.
func call(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	ctx := context.Background()
	if args[0] == "watch" { // it ends when it is told to
		ended, end := context.WithCancel(ctx)
		end()
		ctx = ended
	}
	status = run(ctx, args, &out, &err)
	return status, out.String(), err.String()
}

// inNewFolder runs the rest of the test in a folder that has the configurations and a trained tiny
// run.
func inNewFolder(t *testing.T) string {
	t.Helper()
	shipped, err := filepath.Abs("../../configs")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	t.Chdir(dir)
	t.Setenv("XDG_CACHE_HOME", t.TempDir()) // not the user's
	if err := os.Symlink(shipped, "configs"); err != nil {
		t.Fatal(err)
	}
	return dir
}

// copyFixture puts a checkpoint of the published code and its configuration into the current
// folder.
func copyFixture(t *testing.T) {
	t.Helper()
	shipped, err := filepath.EvalSymlinks("configs")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"checkpoint.pt", "config.yml"} {
		copied(t, filepath.Join(filepath.Dir(shipped), fixtures, "concat_past_future", name), name)
	}
}

// All examples in the help run as they are written, in the order in which the commands are listed.
func TestExamplesInTheHelpRun(t *testing.T) {
	inNewFolder(t)
	if status, _, stderr := call(t, "data", "export", "-c", "configs/tiny.yml", "--clips", "1", "--frames", "40", "-o", "own"); status != 0 {
		t.Fatal(stderr)
	}
	if err := os.Rename("own/00000.mp4", "clip.mp4"); err != nil {
		t.Fatal(err)
	}
	for _, image := range []string{"first.png", "last.png"} {
		if status, _, stderr := call(t, "data", "peek", "-c", "configs/tiny.yml", "--clips", "1", "-o", image); status != 0 {
			t.Fatal(stderr)
		}
	}
	copyFixture(t)
	writeAlexNet(t)
	for i, path := range []string{"real.npy", "generated.npy"} {
		writeNPY(t, path, 40, 3, func(row, number int) float64 { return math.Sin(float64(row*row*(number+2) + i)) })
	}
	t.Setenv(weightsVariable, t.TempDir())
	examples := 0
	var visit func(cmd *cobra.Command)
	visit = func(cmd *cobra.Command) {
		if cmd.Runnable() && cmd.Example == "" && !cmd.HasSubCommands() {
			t.Errorf("%s: no example in its help", cmd.CommandPath())
		}
		for line := range strings.Lines(cmd.Example) {
			line, _, _ = strings.Cut(strings.TrimSpace(line), " > ")
			args := strings.Fields(line)[1:]
			if strings.Contains(line, "configs/*.yml") {
				files, err := filepath.Glob("configs/*.yml")
				if err != nil {
					t.Fatal(err)
				}
				args = append([]string{"config", "check"}, files...)
			}
			examples++
			if strings.HasPrefix(line, "mpirun -n 2 mcvd ") {
				if _, ok := ranks.Mpirun(); !ok {
					t.Logf("left out, without an MPI: %s", line)
				} else if said, err := mpi(t, args[3:]...); err != nil {
					t.Errorf("%s: %v: %s", line, err, said)
				}
				continue
			}
			if status, _, stderr := call(t, args...); status != 0 {
				t.Errorf("%s: status %d: %s", line, status, stderr)
			}
		}
		for _, sub := range cmd.Commands() {
			visit(sub)
		}
	}
	root := newRoot(os.Stderr)
	train, _, err := root.Find([]string{"train"})
	if err != nil {
		t.Fatal(err)
	}
	visit(train) // the others need its run
	root.RemoveCommand(train)
	visit(root)
	if examples < 15 {
		t.Errorf("%d examples found", examples)
	}
}

// Lines that don't arrive are an error, of every command.
func TestFullOutput(t *testing.T) {
	inNewFolder(t)
	for _, args := range []string{"list", "--help", "doctor", "config check configs/tiny.yml", "config show configs/tiny.yml", "config schema",
		"data peek -c configs/tiny.yml"} {
		var stderr bytes.Buffer
		if status := run(context.Background(), strings.Fields(args), full{}, &stderr); status != 1 || !strings.Contains(stderr.String(), "disk is full") {
			t.Errorf("mcvd %s: status %d, says %q, want 1 and that the disk is full", args, status, &stderr)
		}
	}
}

// full is an output on a full disk.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("disk is full") }

// listing is the names of all files below the current folder but those of the run, whose log of
// commands grows.
func listing(t *testing.T) string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		names = append(names, path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(names, "\n")
}

// The JSON report holds what the numbers depend on, and is what --json prints.
func TestReport(t *testing.T) {
	inNewFolder(t)
	if status, _, stderr := call(t, "train", "-c", "configs/tiny.yml", "-o", "run", "--set", "train.steps=1"); status != 0 {
		t.Fatal(stderr)
	}
	status, stdout, stderr := call(t, "eval", "run", "--clips", "3", "--trajectories", "2", "--json", "-o", "new/folder/report.json", "--records", "other/folder/records", "--metrics", "ssim,psnr", "--steps", "2", "--seed", "9")
	if status != 0 {
		t.Fatal(stderr)
	}
	file, err := os.ReadFile("new/folder/report.json")
	if err != nil {
		t.Fatal(err)
	}
	if string(file) != stdout {
		t.Error("--json prints something else than the file holds")
	}
	var r struct {
		Protocol struct {
			Task                string
			Clips, Trajectories int
			Seed                int
		}
		Metrics []struct{ Name string }
		Step    int
		NFE     int
		Dataset string
		Path    string
		Sampler struct{ Steps int }
		Results []struct {
			Method string
			Scores map[string]struct{ Best struct{ N int } }
		}
	}
	if err := json.Unmarshal(file, &r); err != nil {
		t.Fatal(err)
	}
	if r.Protocol.Clips != 3 || r.Protocol.Trajectories != 2 || r.Protocol.Seed != 9 || r.Step != 1 || r.NFE != 3 {
		t.Errorf("report %+v", r)
	}
	if r.Dataset != "digits" || r.Path != "" {
		t.Errorf("data set %s in %q, want digits, which lie nowhere", r.Dataset, r.Path)
	}
	if len(r.Metrics) != 2 || r.Metrics[0].Name != "ssim" {
		t.Errorf("metrics %+v, want those asked for, in their order", r.Metrics)
	}
	records, err := os.ReadFile("other/folder/records/clips-00000-00002.jsonl")
	if err != nil || bytes.Count(records, []byte("\n")) != 3*2+3+1 || !bytes.Contains(records, []byte(`"method":"copy last"`)) {
		t.Errorf("records\n%s\n%v, want 9 lines and the end", records, err)
	}
	status, again, stderr := call(t, "eval", "merge", "other/folder/records", "--json")
	if status != 0 || again != stdout {
		t.Errorf("merge prints\n%s%s\nwant the same report", again, stderr)
	}
	if len(r.Results) != 2 || r.Results[0].Method != "model" || r.Results[0].Scores["psnr"].Best.N != 3 {
		t.Errorf("results %+v", r.Results)
	}
}
