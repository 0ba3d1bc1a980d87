package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mcvd/models/backend/backendtest"
	"mcvd/train/ranks"
	"mcvd/train/runs"
)

// mpi runs the program as two ranks.
func mpi(t *testing.T, args ...string) (said string, err error) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd, err := ranks.Command(context.Background(), 2, self, args...)
	if errors.Is(err, ranks.ErrNoMPI) && os.Getenv("MCVD_CI") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	cmd.Env = append(cmd.Env, backendVariable+"="+backendtest.Name())
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// Two processes that mpirun starts train as one, say everything once, and leave one run folder.
func TestTwoRanks(t *testing.T) {
	inNewFolder(t)
	args := strings.Fields("train -c configs/tiny.yml --set train.steps=8 --set train.checkpoint_every=4 --set train.validate_every=4 --set train.sample_every=4 --set train.scores.every=8 -o")
	said, err := mpi(t, append(args, "together")...)
	if err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	if n := strings.Count(said, "together: trained 8 steps"); n != 1 {
		t.Errorf("it said %d times that it trained:\n%s", n, said)
	}
	o := program(t, []string{backendVariable + "=" + backendtest.Name()}, append(args, "alone")...)
	if o.status != 0 {
		t.Fatal(o.stderr)
	}
	got, want := logOf(t, "together"), logOf(t, "alone")
	if len(got) != len(want) {
		t.Fatalf("%d lines, want %d", len(got), len(want))
	}
	for i := range want {
		for what, pair := range map[string][2]runs.Number{"loss": {got[i].Loss, want[i].Loss}, "psnr": {got[i].Scores["psnr"], want[i].Scores["psnr"]}} {
			both := math.IsNaN(float64(pair[0])) && math.IsNaN(float64(pair[1])) // a line of scores has no loss
			if d := math.Abs(float64(pair[0] - pair[1])); !both && !(d <= 1e-4) {
				t.Errorf("step %d: %s is %v, want %v", want[i].Step, what, pair[0], pair[1])
			}
		}
	}
	for _, name := range []string{"step-00000004.png", "step-00000008.gif"} {
		if _, err := os.Stat(filepath.Join("together", runs.SamplesDir, name)); err != nil {
			t.Error(err)
		}
	}
	text, err := os.ReadFile(filepath.Join("together", runs.CommandsFile))
	if err != nil || strings.Count(string(text), "\n") != 1 || !strings.HasSuffix(string(text), " # in each of 2 ranks\n") {
		t.Errorf("commands %q, %v: want one, in each of 2 ranks", text, err)
	}
}

func logOf(t *testing.T, dir string) (all []runs.Line) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, runs.LogFile))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var l runs.Line
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatal(err)
		}
		all = append(all, l)
	}
	return all
}

// What both ranks refuse is said once, and they end with its status; what one of two processes should do is
// refused by both.
func TestWhatRanksRefuse(t *testing.T) {
	inNewFolder(t)
	for want, args := range map[string]string{
		"train.batch: 5, want a multiple of the 2 ranks":    "train -c configs/tiny.yml --set train.batch=5 -o run",
		"started several processes, each of which would do": "data stats -c configs/tiny.yml",
		"or --shard auto and --records DIR":                 "eval run",
	} {
		said, err := mpi(t, strings.Fields(args)...)
		if err == nil || !strings.Contains(said, want) {
			t.Errorf("%s: %v, says\n%s\nwant %q", args, err, said, want)
		}
		if strings.HasPrefix(args, "train") && strings.Count(said, want) != 1 {
			t.Errorf("%s says it more than once:\n%s", args, said)
		}
	}
}

// A step that a scheduler started in several processes that don't see each other would train several times.
func TestProcessesThatDoNotSeeEachOther(t *testing.T) {
	inNewFolder(t)
	o := program(t, []string{"SLURM_STEP_NUM_TASKS=2", "SLURM_PROCID=1"}, strings.Fields("train -c configs/tiny.yml -o run")...)
	if o.status != 1 || !strings.Contains(o.stderr, "srun started 2 processes, but they don't see each other") {
		t.Errorf("status %d, says %s", o.status, o.stderr)
	}
	if _, err := os.Stat("run"); err == nil {
		t.Error("a run folder was made")
	}
	o = program(t, []string{"SLURM_STEP_NUM_TASKS=2", "SLURM_PROCID=1"}, "eval", "run")
	if o.status != 1 || !strings.Contains(o.stderr, "srun started 2 processes, but they don't see each other") {
		t.Errorf("an evaluation by each: status %d, says %s", o.status, o.stderr)
	}
	if o := program(t, []string{"MCVD_RANKS=OFF"}, "list"); o.status != 1 || !strings.Contains(o.stderr, "MCVD_RANKS=OFF: want off, or nothing") {
		t.Errorf("status %d, says %s", o.status, o.stderr)
	}
}

// A job that loses a rank, or in which one hangs, ends with the status of one that hangs.
func TestTheStatusOfALostRank(t *testing.T) {
	for err, want := range map[error]int{
		fmt.Errorf("rank 1 on b %w for 20s", ranks.ErrSilent):                    exitHung,
		errors.Join(errors.New("step 3"), ranks.CantGoOnError{Status: exitHung}): exitHung,
		ranks.CantGoOnError{Status: exitFailure}:                                 exitFailure,
	} {
		if got := statusOf(t.Context(), err); got != want {
			t.Errorf("%v: status %d, want %d", err, got, want)
		}
	}
}

// What would be trained is printed once.
func TestADryRunOfRanks(t *testing.T) {
	inNewFolder(t)
	said, err := mpi(t, "train", "-c", "configs/tiny.yml", "--dry-run")
	if err != nil || strings.Count(said, "\ntrain:") != 1 {
		t.Errorf("%v, says\n%s", err, said)
	}
	said, err = mpi(t, "train", "-c", "configs/tiny.yml", "--set", "train.batch=5", "--dry-run")
	if err == nil || !strings.Contains(said, "train.batch: 5, want a multiple of the 2 ranks") {
		t.Errorf("%v, says\n%s", err, said)
	}
}

// The sums of two ranks are timed.
func TestBenchRanks(t *testing.T) {
	inNewFolder(t)
	said, err := mpi(t, "bench", "ranks", "--millions", "0.01", "--rounds", "1", "--json")
	if err != nil || strings.Count(said, `"seconds":`) != len(sums) {
		t.Errorf("%v, says\n%s", err, said)
	}
	if o := program(t, nil, "bench", "ranks"); o.status != 1 || !strings.Contains(o.stderr, "started alone") {
		t.Errorf("alone: status %d, says %s", o.status, o.stderr)
	}
}
