package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// call runs a command line.
func call(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	status = run(context.Background(), args, &out, &err)
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
	copyFixture(t)
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

// Mistakes are one line that names what is wrong; 2 is the status of a wrong call, 1 of everything
// else.
func TestMistakes(t *testing.T) {
	inNewFolder(t)
	if status, _, stderr := call(t, "train", "-c", "configs/tiny.yml", "-o", "run", "--set", "train.steps=1"); status != 0 {
		t.Fatal(stderr)
	}
	if err := os.Mkdir("empty", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("text.mp4", []byte("no video\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	copyFixture(t)
	before := listing(t)
	for _, tt := range []struct {
		args   string
		status int
		want   string
	}{
		{"nonsense", 2, `unknown command "nonsense"`},
		{"config nonsense", 2, `unknown command "nonsense"`},
		{"train --nonsense", 2, "unknown flag: --nonsense"},
		{"train", 2, "no run folder"},
		{"train -n", 2, "no configuration"},
		{"train a -o b", 2, "two run folders"},
		{"train missing", 1, "missing: no such run folder"},
		{"train empty", 1, "empty: not a run folder"},
		{"train text.mp4", 1, "text.mp4: not a folder, want a run folder"},
		{"train -c configs/tiny.yml -o text.mp4", 1, "text.mp4: can't be a run folder, because text.mp4 is not a folder"},
		{"train -c configs/tiny.yml -o text.mp4/new", 1, "text.mp4/new: can't be a run folder, because text.mp4 is not a folder"},
		{"train -c missing.yml -o new", 1, "missing.yml"},
		{"train -c configs/tiny.yml -o new --set model.width=none", 1, `model.options.width`},
		{"train -c configs/tiny.yml -o new --set model.network=vit", 1, `model.network: unknown "vit" (known: `},
		{"train -c configs/tiny.yml -o new --set sampler.name=x", 1, `sampler.name: unknown "x" (known: ddim`},
		{"train -c configs/tiny.yml -o new --set optimizer.name=sgd", 1, `optimizer.name: unknown "sgd" (known: adam, adamw)`},
		{"train -c configs/tiny.yml -n --set optimizer.schedule=steps", 1, `optimizer.schedule: unknown "steps" (known: constant, cosine, linear)`},
		{"train -c configs/tiny.yml -o new --set data.name=x --set data.path=x", 1, `data.name: unknown "x"`},
		{"train -c configs/tiny.yml -o new --backend abacus", 1, `--backend: unknown "abacus" (known: auto, go`},
		{"train -c configs/tiny.yml -o run --set model.width=16", 1, "model.options.width: 8 -> 16"},
		{"train -c configs/tiny.yml -o new --set data.path=nowhere/", 1, `override "data.path=nowhere/": data.path: "nowhere/" has no effect because data.name is digits`},
		{"config check configs/tiny.yml --set data.fps=5", 1, `override "data.fps=5": data.fps: 5 has no effect because data.name is digits`},
		{"train -c configs/demo.yml -o new --set data.path=empty", 1, "no videos in it"},
		{"predict", 2, "0 arguments, want a run folder"},
		{"predict missing", 1, "no such run folder"},
		{"predict run --clips 0", 2, "--clips 0: want 1 to 1000000"},
		{"predict run --frames -1", 2, "--frames -1: want 1 to 1000000"},
		{"predict run --frames 0", 2, "--frames 0: want 1 to 1000000"},
		{"generate run --clips 99999999999", 2, "--clips 99999999999: want 1 to 1000000"},
		{"predict run --batch 99999999999", 2, "--batch"},
		{"predict run --trajectories 99999999999", 2, "--trajectories"},
		{"predict run --scale 9999", 1, "enlarged 9999 times"},
		{"predict run --scale 700", 1, "frames of 34x16"},
		{"predict run --fps 1000 --format gif", 1, "1000 frames a second, want 0.001 to 100"},
		{"predict run --video text.mp4 --start Inf", 2, "--start +Inf"},
		{"predict run --advance 3 --frames 4", 1, "advance 3 frames a window, want 1 to 2"},
		{"predict run --format avi", 2, `--format "avi": want `},
		{"predict run --quality best", 2, `--quality "best"`},
		{"predict run --fps 0", 2, "--fps 0"},
		{"predict run --fps NaN", 2, "--fps NaN"},
		{"predict run --start 2", 2, "--start 2"},
		{"predict run --sampler euler", 2, `sampler.name: unknown "euler"`},
		{"predict run --steps 1000", 2, "sampler.steps: 1000"},
		{"predict run --eta 0.5 --sampler ddpm", 2, "sampler.options.eta: 0.5 has no effect because sampler.name is ddpm"},
		{"predict run --checkpoint none.safetensors", 1, "none.safetensors"},
		{"predict run --video missing.mp4", 1, "missing.mp4"},
		{"predict run --video text.mp4", 1, "text.mp4"},
		{"predict run --video empty", 1, "empty"},
		{"interpolate run --frames 1", 1, "a gap of 1 frames is shorter than the model's block"},
		{"generate run --video text.mp4", 2, "unknown flag: --video"},
		{"eval run --task guess", 2, `task "guess": want one of`},
		{"eval run --split dev", 2, `unknown "dev"`},
		{"eval run --clips 0", 2, "--clips 0"},
		{"eval run --frames 99999999999", 2, "--frames"},
		{"eval run --metrics psnr,beauty", 2, `--metrics: unknown "beauty" (known: psnr`},
		{"eval run --windows some", 2, `--windows: unknown "some" (known: autoregressive, bridge)`},
		{"eval run --windows bridge", 1, "want interpolate"},
		{"eval run --records text.mp4 --clips 1", 1, "--records: mkdir text.mp4: not a directory"},
		{"eval run --shard 1/3", 2, "--shard 1/3: needs --records"},
		{"eval run --shard 3/3 --records new", 2, "want i/n with i from 0 to n-1"},
		{"eval run --shard auto --records new", 2, "no scheduler's variables are set"},
		{"eval run --shard 0/2 --records new -o report.json", 2, "eval merge"},
		{"eval merge", 2, "0 arguments, want a folder of records"},
		{"eval merge empty", 1, "empty: no records of an evaluation"},
		{"eval run -o text.mp4/report.json --clips 1", 1, "--out: mkdir text.mp4: not a directory"},
		{"eval run --set model.width=8", 2, "--set: model.width: can't be changed for weights that are trained"},
		{"eval run --set data.name=folder --set data.path=empty", 1, "no videos in it"},
		{"predict run -o text.mp4/new", 1, "--out: mkdir text.mp4: not a directory"},
		{"predict run --video text.mp4 --clips 2", 2, "--clips has no effect with --video"},
		{"predict run --video text.mp4 --set data.path=empty", 2, "--set data.path=empty has no effect with --video"},
		{"predict run --set data.size=8", 2, "--set: data.size: can't be changed"},
		{"generate run --set data.path=empty", 2, "unknown flag: --set"},
		{"import", 2, "0 arguments, want a checkpoint"},
		{"import checkpoint.pt", 2, "no run folder: give --out DIR"},
		{"import checkpoint.pt -o new", 2, "checkpoint.pt: says nothing of its configuration: give --config FILE"},
		{"import missing.pt -c config.yml -o new", 1, "missing.pt: no such file"},
		{"import empty -c config.yml -o new", 1, "empty: not a regular file"},
		{"import text.mp4 -c config.yml -o new", 1, "text.mp4: "},
		{"import checkpoint.pt -c missing.yml -o new", 1, "missing.yml"},
		{"import checkpoint.pt -c text.mp4 -o new", 1, "text.mp4"},
		{"import checkpoint.pt -c configs/tiny.yml -o new", 1, "checkpoint.pt: a schedule of 1000 steps, the configuration (diffusion.steps, model.num_classes) says 100"},
		{"import checkpoint.pt -c config.yml -o new --set diffusion.beta_end=0.03", 1, "checkpoint.pt: another schedule than the configuration's"},
		{"import checkpoint.pt -c config.yml -o new --set model.width=12", 1,
			"times channels; the configuration says concat, width 12, 2 current frames and 3 of past and future, times channels:\n  unet.all_modules.0.weight: shape [32 8], want [48 12]"},
		{"import checkpoint.pt -c config.yml -o new --set model.width=none", 1, "model.options.width"},
		{"import checkpoint.pt -c config.yml -o new --set sampler.name=x", 1, `sampler.name: unknown "x" (known: ddim`},
		{"import checkpoint.pt -c config.yml -o new --set data.name=x --set data.path=x", 1, `data.name: unknown "x"`},
		{"import checkpoint.pt -c config.yml -o run", 1, "run: holds a run already; use another folder"},
		{"import checkpoint.pt -c config.yml -o text.mp4", 1, "text.mp4 is not a folder"},
		{"import checkpoint.pt -c config.yml -o text.mp4/new", 1, "text.mp4 is not a folder"},
		{"export", 2, "0 arguments, want a run folder"},
		{"export run", 2, "no file to write: give --out FILE.safetensors"},
		{"export run -o new --names theirs", 2, "--names theirs: want own or published"},
		{"export run -o new --weights best", 2, "--weights best: want ema, model or all"},
		{"export run -o new --weights all --names published", 2, "--weights all: a published state dict holds one set of weights"},
		{"export missing -o new", 1, "missing: no such run folder"},
		{"export run -o new --checkpoint none.safetensors", 1, "none.safetensors"},
		{"export run -o new --checkpoint text.mp4", 1, "text.mp4"},
		{"export run -o missing/new", 1, "--out missing/new: missing is not a folder"},
		{"export run -o text.mp4/new", 1, "--out text.mp4/new: text.mp4 is not a folder"},
		{"export run -o empty", 1, "empty: not a regular file"},
		{"export run -o run/checkpoints/step-00000001.safetensors", 1, "lies in the run folder"},
		{"export run -o run/config.yml", 1, "lies in the run folder"},
		{"config check missing.yml", 1, "missing.yml"},
		{"config show", 2, "0 arguments, want one file"},
		{"config translate configs/tiny.yml", 1, "configs/tiny.yml: not in the published schema, which has sections such as training and sampling"},
		{"config translate config.yml --set model.width=none", 1, `override "model.width=none"`},
		{"config translate missing.yml", 1, "missing.yml"},
		{"config translate", 2, "0 arguments, want one file"},
		{"list colours", 2, `unknown "colours"`},
		{"bench", 2, "no configuration: give --config FILE"},
		{"bench -c configs/tiny.yml --what speed", 2, `--what: unknown "speed" (known: loader, matmul, sample, train)`},
		{"bench -c configs/tiny.yml --what matmul", 2, "--what matmul: a configuration has no effect"},
		{"data peek", 2, "no configuration"},
		{"data peek -c configs/tiny.yml --clips 0", 2, "--clips 0"},
		{"data peek -c configs/tiny.yml --frames 99999999999", 2, "--frames"},
		{"data peek -c configs/tiny.yml -o config.yml/peek.png", 1, "config.yml: not a directory"},
		{"data export -c configs/tiny.yml", 2, "no folder"},
	} {
		status, _, stderr := call(t, strings.Fields(tt.args)...)
		if status != tt.status || !strings.Contains(stderr, tt.want) || strings.Contains(stderr, "goroutine") {
			t.Errorf("mcvd %s: status %d, want %d; says %q, want %q in it", tt.args, status, tt.status, stderr, tt.want)
		}
	}
	if after := listing(t); after != before {
		t.Errorf("mistakes left files:\n%s\nbefore:\n%s", after, before)
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
