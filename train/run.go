package train

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"mcvd/configs"
	"mcvd/configs/atomicfile"
	"mcvd/configs/experiment"
	"mcvd/models/weights"
	"mcvd/train/runs"
)

// Run is a run folder: an experiment and everything that training wrote for it.
type Run struct {
	Dir     string
	Config  *configs.Config
	claimed *claimed // what this process holds while it writes into the folder; nil if it only reads
	data    splits   // what is trained on; nil if that is unknown
}

// OpenRun reads a run folder's experiment.
func OpenRun(dir string) (*Run, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return nil, fmt.Errorf("%s: no such run folder (`mcvd train -c CONFIG.yml -o %s` makes one)", dir, dir)
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("%s: not a folder, want a run folder", dir)
	}
	path := filepath.Join(dir, runs.ConfigFile)
	text, err := configs.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%s: not a run folder: it has no %s", dir, runs.ConfigFile)
	}
	if err != nil {
		return nil, err
	}
	config, err := experiment.Parse(path, text)
	if err != nil {
		return nil, err
	}
	return &Run{Dir: dir, Config: config}, nil
}

// SamplePath is where the samples of a step go.
func (r *Run) SamplePath(step int) string {
	return filepath.Join(r.Dir, runs.SamplesDir, runs.SampleName(step, runs.Sheet))
}

// start makes the folder or opens it again, and locks it. If the folder holds another experiment,
// the error shows the difference.
func start(dir string, c *configs.Config, accept bool) (run *Run, unlock func(), err error) {
	if err := Check(dir, c, accept); err != nil { // before anything is made
		return nil, nil, err
	}
	claimed, err := claim(dir, flockOf)
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if err != nil {
			claimed.unlock()
		}
	}()
	if err := checkSameExperiment(dir, c, accept); err != nil {
		return nil, nil, err
	}
	removeLeftovers(dir)
	return &Run{Dir: dir, Config: c, claimed: claimed}, claimed.unlock, nil
}

// versions describe what the run was last run on; nil if that is not known.
func (r *Run) versions() map[string]string {
	text, err := configs.ReadFile(filepath.Join(r.Dir, runs.VersionsFile))
	if err != nil {
		return nil
	}
	return runs.ParseVersions(text)
}

// describe writes the experiment, what it is run with, and how it was started.
func (r *Run) describe(command []string, versions map[string]string) error {
	about, err := json.MarshalIndent(versions, "", "  ")
	if err == nil {
		err = r.guard()
	}
	if err != nil {
		return err
	}
	for _, write := range []func() error{
		func() error { return writeFile(filepath.Join(r.Dir, runs.VersionsFile), append(about, '\n')) },
		func() error { return appendLine(filepath.Join(r.Dir, runs.CommandsFile), strings.Join(command, " ")) },
		func() error { return writeFile(filepath.Join(r.Dir, runs.ConfigFile), r.Config.YAML()) },
	} {
		if err := write(); err != nil {
			return fmt.Errorf("run folder: %w", err)
		}
	}
	return nil
}

// Create makes a run folder from weights that come from elsewhere; training goes on from them. The
// entries are those of a checkpoint. It is an error if the folder holds a run. If anything fails,
// everything stays as it was.
func Create(dir string, c *configs.Config, p Progress, entries []weights.Entry, command []string, versions map[string]string) (err error) {
	if err := CheckNew(dir); err != nil {
		return err
	}
	run := &Run{Dir: dir, Config: c}
	checkpoint := filepath.Join(runs.CheckpointsDir, runs.CheckpointName(p.Step))
	folders := missing(append(above(dir), dir, filepath.Join(dir, runs.CheckpointsDir), filepath.Join(dir, runs.SamplesDir)))
	var files []string
	for _, name := range []string{runs.LockFile, checkpoint, runs.VersionsFile, runs.CommandsFile, runs.ConfigFile} {
		files = append(files, filepath.Join(dir, name))
	}
	files = missing(files)
	claimed, err := claim(dir, flockOf)
	if err != nil {
		return err // what claim made stays, because it may belong to another process by now
	}
	defer claimed.unlock()
	run.claimed = claimed
	defer func() {
		if err != nil {
			remove(folders)
		}
	}()
	if err := CheckNew(dir); err != nil { // another process may have been faster
		return err
	}
	defer func() {
		if err != nil {
			remove(files)
		}
	}()
	unmark, err := mark(dir)
	if err != nil {
		return err
	}
	defer unmark()
	removeLeftovers(dir)
	if err := run.save(runs.CheckpointName(p.Step), entries, p); err != nil {
		return err
	}
	return run.describe(command, versions) // last, because a folder is a run once it has config.yml
}

// unfinished is a file in a folder that [Create] has not made a run yet. If it is there although nobody
// holds the lock, what checkpoints there are were left by a process that was killed.
const unfinished = ".mcvd-unfinished"

// mark makes that file, and removes what a killed process left.
func mark(dir string) (unmark func(), err error) {
	path := filepath.Join(dir, unfinished)
	if _, err := os.Lstat(path); err == nil {
		for _, left := range (&Run{Dir: dir}).Checkpoints() {
			if err := os.Remove(left); err != nil {
				return nil, err
			}
		}
	}
	return func() { os.Remove(path) }, writeFile(path, nil)
}

// above are the folders that a path is in, the outermost first.
func above(path string) (folders []string) {
	for d := filepath.Dir(filepath.Clean(path)); d != "." && d != filepath.Dir(d); d = filepath.Dir(d) {
		folders = append(folders, d)
	}
	slices.Reverse(folders)
	return folders
}

// missing are the paths at which there is nothing.
func missing(paths []string) []string {
	return slices.DeleteFunc(paths, func(path string) bool {
		_, err := os.Lstat(path)
		return !errors.Is(err, os.ErrNotExist)
	})
}

// remove removes files and empty folders, the last first.
func remove(paths []string) {
	for _, path := range slices.Backward(paths) {
		os.Remove(path)
	}
}

// removeLeftovers removes temporary files that killed processes have left.
func removeLeftovers(dir string) {
	for _, d := range []string{dir, filepath.Join(dir, runs.CheckpointsDir), filepath.Join(dir, runs.SamplesDir)} {
		atomicfile.Clean(d)
	}
}

// removeSamplesBehind removes the samples of later steps, which a process that was killed left: those
// steps come again.
func (r *Run) removeSamplesBehind(step int) error {
	dir := filepath.Join(r.Dir, runs.SamplesDir)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		for _, extension := range []string{runs.Sheet, runs.Film} {
			if of, ok := runs.SampleStep(e.Name(), extension); ok && of > step {
				err = errors.Join(err, os.Remove(filepath.Join(dir, e.Name())))
			}
		}
	}
	return err
}

func writeFile(path string, content []byte) error {
	return atomicfile.Write(path, func(f *os.File) error {
		_, err := f.Write(content)
		return err
	})
}

func appendLine(path, line string) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteString(line + "\n")
	return errors.Join(err, f.Close())
}

// warnOfRoundings says that a run goes on where its numbers are rounded in another way, so that it
// doesn't end with the bytes of a run that was never stopped.
func (r *Run) warnOfRoundings(log *slog.Logger, now map[string]string) {
	before := r.versions()
	ranks := "the number of ranks of this run was %s, and is %s now: its numbers are rounded in another way"
	if outer(r.Config) {
		ranks = "the number of ranks of this run was %s, and is %s now: with rounds of local steps, this is another training"
	}
	for _, of := range []struct{ key, warning string }{
		{"backend", "this run was trained on %s, and goes on on %s: its numbers are rounded in another way"},
		{"kernels", "this run was trained with kernels %q, and goes on with %q: its numbers are rounded in another way"},
		{"ranks", ranks},
	} {
		if b, n := before[of.key], now[of.key]; b != "" && n != "" && b != n {
			log.Warn(fmt.Sprintf(of.warning, b, n))
			return
		}
	}
}
