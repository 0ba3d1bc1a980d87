package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// arena is where the campaigns take place: a folder with a small data set, and an experiment that
// trains in a second.
type arena struct {
	options
	dir  string
	free int // the number of the next folder
}

// experiment is small, and has everything that a run can write.
const experiment = `frames: {past: 1, current: 1, future: 1}
data: {name: folder, path: clips, size: 8, channels: 1}
model: {network: mlp, options: {width: 8, layers: 1}}
diffusion: {steps: 20, options: {beta_start: 1e-3, beta_end: 0.5}}
optimizer: {warmup_steps: 5, options: {ema_decay: 0.9}}
train: {batch: 2, steps: 12, checkpoint_every: 3, validate_every: 4, sample_every: 6, keep: 2}
sampler: {name: ddim, steps: 3}
`

const (
	trainedSteps = 12
	// patience is the time after which a process hangs. The longest takes seconds.
	patience = 5 * time.Minute
)

// newArena makes the folder, the data set and the experiment.
func newArena(ctx context.Context, o options) (*arena, error) {
	var err error
	if o.mcvd, err = absolute(o.mcvd); err != nil {
		return nil, fmt.Errorf("-mcvd: %w (`make build` makes it)", err)
	}
	dir, err := os.MkdirTemp("", "torture-")
	if err != nil {
		return nil, err
	}
	a := &arena{options: o, dir: dir}
	digits := strings.Replace(experiment, "name: folder, path: clips", "name: digits", 1)
	err = os.WriteFile(a.path("digits.yml"), []byte(digits), 0o644)
	if err == nil {
		err = a.must(ctx, dir, "data", "export", "-c", "digits.yml", "--clips", "6", "--frames", "9", "-o", "clips")
	}
	if err != nil {
		a.close()
		return nil, err
	}
	return a, nil
}

func (a *arena) close() {
	if !a.keep {
		os.RemoveAll(a.dir)
	}
}

func (a *arena) path(name string) string { return filepath.Join(a.dir, name) }

// folder is a new folder with the experiment and the data set.
func (a *arena) folder() (string, error) {
	a.free++
	dir := a.path(fmt.Sprintf("%05d", a.free))
	if err := os.Mkdir(dir, 0o755); err != nil {
		return "", err
	}
	if err := copyTree(a.path("clips"), filepath.Join(dir, "clips")); err != nil {
		return "", err
	}
	return dir, os.WriteFile(filepath.Join(dir, "experiment.yml"), []byte(experiment), 0o644)
}

// copyTree makes a new folder of what another holds, with the times of all files: caches know the files
// that they were made from by these.
func copyTree(from, to string) error {
	if out, err := exec.Command("cp", "-a", from, to).CombinedOutput(); err != nil {
		return fmt.Errorf("cp -a %s %s: %w: %s", from, to, err, out)
	}
	return nil
}

// drop removes the folder of a try, unless it failed and is to be kept.
func (a *arena) drop(dir string, t try) {
	if t.failure == "" || !a.keep {
		os.RemoveAll(dir)
	}
}

// ended is how a process ended.
type ended struct {
	code int // -1 for a signal
	hung bool
	said string // stdout and stderr
	most int64  // bytes of memory
}

// command prepares a run of the program in a folder.
func (a *arena) command(ctx context.Context, dir string, args ...string) (*exec.Cmd, *bytes.Buffer) {
	cmd := exec.CommandContext(ctx, a.mcvd, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "MCVD_BACKEND="+a.backend, "MCVD_REEXEC=off")
	said := &bytes.Buffer{}
	cmd.Stdout, cmd.Stderr = said, said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) } // with its ffmpeg
	cmd.WaitDelay = 5 * time.Second
	return cmd, said
}

// run runs the program to its end.
func (a *arena) run(ctx context.Context, dir string, args ...string) ended {
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	cmd, said := a.command(limited, dir, args...)
	err := cmd.Run()
	return end(cmd, said, err, limited.Err() != nil && ctx.Err() == nil)
}

func end(cmd *exec.Cmd, said *bytes.Buffer, err error, hung bool) ended {
	e := ended{hung: hung, said: said.String()}
	if cmd.ProcessState == nil {
		e.code, e.said = -1, fmt.Sprint(err)
		return e
	}
	e.code = cmd.ProcessState.ExitCode()
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		e.most = usage.Maxrss * 1024
	}
	return e
}

// must runs what can't fail.
func (a *arena) must(ctx context.Context, dir string, args ...string) error {
	if e := a.run(ctx, dir, args...); e.code != 0 {
		return fmt.Errorf("mcvd %s: exit status %d: %s", strings.Join(args, " "), e.code, last(e.said))
	}
	return nil
}

// wrong says what is wrong with how a process ended, whatever was done to it: it hung, crashed, or took
// too much memory. "" is nothing.
func (e ended) wrong() string {
	const most = 2 << 30
	switch {
	case e.hung:
		return "it hung: " + last(e.said)
	case e.crashed():
		return "it crashed: " + last(e.said)
	case e.code < 0:
		return "a signal ended it: " + last(e.said)
	case e.most > most:
		return fmt.Sprintf("it took %d MB of memory", e.most>>20)
	case e.code != 0 && strings.TrimSpace(e.said) == "":
		return fmt.Sprintf("exit status %d without a word", e.code)
	}
	for _, c := range e.said {
		if c < ' ' && c != '\n' && c != '\t' && c != '\r' {
			return fmt.Sprintf("a raw control character %q reached the terminal", c)
		}
	}
	return ""
}

// crashed says whether a process did, also one that was killed after that.
func (e ended) crashed() bool {
	return strings.Contains(e.said, "goroutine ") || strings.Contains(e.said, "panic:") || strings.Contains(e.said, "fatal error:")
}

// last are the last words of a text.
func last(said string) string {
	lines := strings.Split(strings.TrimSpace(said), "\n")
	return strings.Join(lines[max(0, len(lines)-3):], " | ")
}

// tree is a folder's files by their paths, without those that skip says, and of logs and records without
// what depends on the time that things take.
func tree(dir string, skip func(path string) bool) (map[string]string, error) {
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		if skip != nil && skip(name) {
			return nil
		}
		if d.IsDir() {
			return nil
		}
		content, err := os.ReadFile(path)
		switch files[name] = string(content); filepath.Ext(name) {
		case ".jsonl", ".json":
			files[name] = timeless(files[name])
		}
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return files, err
}

// timeless is a report, or the lines of a log or of records, without numbers that depend on time. What is
// no JSON stays as it is.
func timeless(text string) string {
	var out strings.Builder
	lines := strings.SplitAfter(text, "\n")
	if json.Valid([]byte(text)) {
		lines = []string{text}
	}
	for _, line := range lines {
		var value any
		if json.Unmarshal([]byte(line), &value) != nil {
			out.WriteString(line)
			continue
		}
		again, _ := json.Marshal(steady(value)) // it was JSON before
		out.Write(append(again, '\n'))
	}
	return out.String()
}

// timing are the names of numbers that depend on time.
var timing = regexp.MustCompile(`^(time|clips_per_second|flops|peak_share|waiting|exchanging|lagging|saving|seconds.*)$`)

// steady is a value of JSON without them.
func steady(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for key, of := range v {
			if v[key] = steady(of); timing.MatchString(key) {
				delete(v, key)
			}
		}
	case []any:
		for i := range v {
			v[i] = steady(v[i])
		}
	}
	return value
}

// differ says in what two trees differ, "" if in nothing.
func differ(got, want map[string]string) string {
	for name, content := range want {
		switch other, ok := got[name]; {
		case !ok:
			return name + " is missing"
		case other != content:
			return fmt.Sprintf("%s differs (%d bytes, want %d)", name, len(other), len(content))
		}
	}
	for name := range got {
		if _, ok := want[name]; !ok {
			return name + " is left"
		}
	}
	return ""
}
