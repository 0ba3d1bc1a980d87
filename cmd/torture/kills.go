package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"
)

// moment is when a process is killed: after so many changes of the folder, or after a time.
type moment struct {
	changes int
	after   time.Duration // if changes is 0
}

func (m moment) String() string {
	if m.changes > 0 {
		return fmt.Sprintf("after %d changes of the folder", m.changes)
	}
	return fmt.Sprintf("after %v", m.after.Round(time.Millisecond))
}

// moments draws half of them by changes and half by time.
func moments(rng *rand.Rand, changes int, length time.Duration) moment {
	if rng.IntN(2) == 0 {
		return moment{changes: 1 + rng.IntN(max(1, changes))}
	}
	return moment{after: time.Duration(rng.Int64N(int64(length)))}
}

// kill runs the program and kills it at a moment, with all its children. It says whether it was still
// running.
func (a *arena) kill(ctx context.Context, m moment, dir string, args ...string) (killed bool, e ended, err error) {
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	watcher, err := fsnotify.NewBufferedWatcher(1 << 16)
	if err != nil {
		return false, e, err
	}
	defer watcher.Close()
	if err := watchAll(watcher, dir); err != nil {
		return false, e, err
	}
	cmd, said := a.command(limited, dir, args...)
	if err := cmd.Start(); err != nil {
		return false, e, err
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	var timer <-chan time.Time
	if m.changes == 0 {
		timer = time.After(m.after)
	}
	shoot := func() { killed = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) == nil }
	for n := 0; ; {
		select {
		case err := <-done:
			return killed, end(cmd, said, err, limited.Err() != nil && ctx.Err() == nil), nil
		case <-timer:
			shoot()
			timer = nil
		case event := <-watcher.Events:
			if event.Has(fsnotify.Create) {
				watchAll(watcher, event.Name) // a file is none, and a folder may be gone
			}
			if n++; n == m.changes {
				shoot()
			}
		}
	}
}

// watchAll watches a folder and those in it, but not the data set, which is only read.
func watchAll(w *fsnotify.Watcher, dir string) error {
	info, err := os.Stat(dir)
	if err != nil || !info.IsDir() || filepath.Base(dir) == "clips" {
		return err
	}
	if err := w.Add(dir); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := watchAll(w, filepath.Join(dir, e.Name())); err != nil && !errors.Is(err, os.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}

// runTree is what a run folder holds, without what depends on the time and on how often it was started.
func runTree(dir string) (map[string]string, error) {
	files, err := tree(dir, func(path string) bool {
		return path == "lock" || path == "commands.txt" || strings.HasPrefix(path, "events.out.tfevents")
	})
	if err != nil {
		return nil, err
	}
	// Which checkpoints are left beside the last one depends on when the run was stopped.
	for name := range files {
		if strings.HasPrefix(name, "checkpoints/step-") && name != fmt.Sprintf("checkpoints/step-%08d.safetensors", trainedSteps) {
			delete(files, name)
		}
	}
	return files, err
}

// training is the command that trains.
var training = []string{"train", "-c", "experiment.yml", "-o", "run"}

// killTraining kills a training up to three times, and compares what it ends with.
func killTraining(ctx context.Context, a *arena, rng *rand.Rand, times int, report func(try)) error {
	undisturbed, err := a.folder()
	if err != nil {
		return err
	}
	began := time.Now()
	if err := a.must(ctx, undisturbed, training...); err != nil {
		return err
	}
	length := time.Since(began)
	want, err := runTree(filepath.Join(undisturbed, "run"))
	if err != nil {
		return err
	}
	const changes = 120 // about as many as a whole training makes
	for done := 0; done < times; {
		dir, err := a.folder()
		if err != nil {
			return err
		}
		var t try
		for range 1 + rng.IntN(3) {
			m := moments(rng, changes, length)
			t.what += "; killed " + m.String()
			killed, e, err := a.kill(ctx, m, dir, training...)
			if err != nil {
				return err
			}
			if !killed {
				if t.failure = e.wrong(); t.failure == "" && e.code != 0 {
					t.failure = last(e.said)
				}
				break
			}
			done++
			if e.crashed() {
				t.failure = e.wrong()
				break
			}
		}
		if t.failure == "" {
			e := a.run(ctx, dir, training...)
			t.failure = e.wrong()
			if got, err := runTree(filepath.Join(dir, "run")); t.failure == "" && err != nil {
				t.failure = err.Error()
			} else if t.failure == "" && e.code != 0 {
				t.failure = fmt.Sprintf("exit status %d: %s", e.code, last(e.said))
			} else if t.failure == "" {
				t.failure = differ(got, want)
			}
		}
		t.what = strings.TrimPrefix(t.what, "; ")
		report(t)
		a.drop(dir, t)
	}
	return nil
}

// job is a command other than train that writes something.
type job struct {
	name string
	args []string
	out  string // what it writes, in the folder
}

var jobs = []job{
	{name: "predict", args: []string{"predict", "run", "--frames", "4", "--clips", "3", "-o", "out"}, out: "out"},
	{name: "predict as images", args: []string{"predict", "run", "--frames", "4", "--clips", "2", "--format", "png", "-o", "out"}, out: "out"},
	{name: "eval", args: []string{"eval", "run", "--clips", "3", "--frames", "2", "-o", "out/report.json"}, out: "out"},
	{name: "eval with records", args: []string{"eval", "run", "--clips", "3", "--frames", "2", "--batch", "1", "--records", "out"}, out: "out"},
	{name: "export", args: []string{"export", "run", "-o", "out/weights.safetensors"}, out: "out"},
	{name: "import", args: []string{"import", "run/checkpoints/best.safetensors", "--config", "run/config.yml", "-o", "out"}, out: "out"},
	{name: "data export", args: []string{"data", "export", "-c", "experiment.yml", "--clips", "4", "--frames", "3", "-o", "out"}, out: "out"},
	{name: "data convert", args: []string{"data", "convert", "experiment.yml", "out"}, out: "out"},
	{name: "the cache", args: []string{"data", "stats", "-c", "experiment.yml"}, out: "clips/.mcvd-cache"},
}

// trained is a new folder with a run that was trained to its end.
func (a *arena) trained(ctx context.Context) (string, error) {
	dir, err := a.folder()
	if err == nil {
		err = a.must(ctx, dir, training...)
	}
	return dir, err
}

// killOthers kills each of the jobs in turn.
func killOthers(ctx context.Context, a *arena, rng *rand.Rand, times int, report func(try)) error {
	trained, err := a.trained(ctx)
	if err != nil {
		return err
	}
	for k, n := 0, 0; n < times; k++ {
		j := jobs[k%len(jobs)]
		want, length, err := a.undisturbed(ctx, trained, j)
		if err != nil {
			return fmt.Errorf("%s: %w", j.name, err)
		}
		for range max(1, times/len(jobs)) {
			if n++; n > times {
				return nil
			}
			t, err := a.killJob(ctx, trained, j, moments(rng, 12, length), want)
			if err != nil {
				return err
			}
			report(t)
		}
	}
	return nil
}

// jobTree is what a job writes, without what differs from run to run.
func jobTree(dir string, j job) (map[string]string, error) {
	return tree(filepath.Join(dir, j.out), func(path string) bool {
		return path == "lock" || path == "commands.txt"
	})
}

// undisturbed is what a job writes where nothing happens, and how long it takes.
func (a *arena) undisturbed(ctx context.Context, trained string, j job) (map[string]string, time.Duration, error) {
	dir, err := a.ready(trained, j)
	if err != nil {
		return nil, 0, err
	}
	defer os.RemoveAll(dir)
	began := time.Now()
	if err := a.must(ctx, dir, j.args...); err != nil {
		return nil, 0, err
	}
	length := time.Since(began)
	want, err := jobTree(dir, j)
	if err == nil && len(want) == 0 {
		err = fmt.Errorf("it wrote nothing into %s", j.out)
	}
	return want, length, err
}

// ready is a folder with a trained run. The job of the cache finds none.
func (a *arena) ready(trained string, j job) (string, error) {
	dir, err := a.folder()
	if err != nil {
		return "", err
	}
	if err := copyTree(filepath.Join(trained, "run"), filepath.Join(dir, "run")); err != nil {
		return "", err
	}
	if j.name == "the cache" {
		return dir, os.RemoveAll(filepath.Join(dir, "clips", ".mcvd-cache"))
	}
	return dir, nil
}

// killJob kills a job at a moment, runs it again, and compares what it wrote.
func (a *arena) killJob(ctx context.Context, trained string, j job, m moment, want map[string]string) (try, error) {
	t := try{what: fmt.Sprintf("%s killed %s", j.name, m)}
	dir, err := a.ready(trained, j)
	if err != nil {
		return t, err
	}
	killed, e, err := a.kill(ctx, m, dir, j.args...)
	if err != nil {
		return t, err
	}
	if t.failure = e.wrong(); killed && !e.crashed() {
		e = a.run(ctx, dir, j.args...)
		t.failure = e.wrong()
	}
	if t.failure == "" && e.code != 0 && !(strings.Contains(e.said, "holds a run already") || strings.Contains(e.said, "it is there already")) {
		t.failure = fmt.Sprintf("exit status %d: %s", e.code, last(e.said))
	}
	if got, err := jobTree(dir, j); t.failure == "" && err != nil {
		return t, err
	} else if t.failure == "" {
		t.failure = differ(got, want)
	}
	a.drop(dir, t)
	return t, nil
}
