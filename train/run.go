package train

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/gofrs/flock"

	"mcvd/configs"
	"mcvd/configs/atomicfile"
	"mcvd/models/weights"
)

// Files of a run folder.
const (
	configFile     = "config.yml"    // the resolved experiment
	commandsFile   = "commands.txt"  // how the run was started, a line for each start
	versionsFile   = "versions.json" // what it was last run with
	logFile        = "log.jsonl"     // one JSON object a line
	lockFile       = "lock"          // held while training
	checkpointsDir = "checkpoints"
	samplesDir     = "samples"
)

// Run is a run folder: an experiment and everything that training made of it.
type Run struct {
	Dir    string
	Config *configs.Config
}

// OpenRun reads a run folder's experiment.
func OpenRun(dir string) (*Run, error) {
	path := filepath.Join(dir, configFile)
	text, err := os.ReadFile(path)
	if err != nil {
		if info, statErr := os.Stat(dir); statErr == nil && info.IsDir() {
			return nil, fmt.Errorf("%s: not a run folder: it has no %s", dir, configFile)
		}
		return nil, fmt.Errorf("%s: no such run folder (`mcvd train -c CONFIG.yml -o %s` makes one)", dir, dir)
	}
	config, err := configs.Parse(path, text)
	if err != nil {
		return nil, err
	}
	return &Run{dir, config}, nil
}

// SamplePath is where the samples of a step go.
func (r *Run) SamplePath(step int) string {
	return filepath.Join(r.Dir, samplesDir, fmt.Sprintf("step-%08d.png", step))
}

// start makes the folder or continues it, and locks it. Another experiment in the folder is an error that shows the difference;
// only train.steps may grow.
func start(dir string, c *configs.Config, command []string, versions map[string]string) (run *Run, unlock func(), err error) {
	if err := checkSameExperiment(dir, c); err != nil { // before anything is made
		return nil, nil, err
	}
	lock, err := claim(dir)
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if err != nil {
			lock.Unlock()
		}
	}()
	if err := checkSameExperiment(dir, c); err != nil {
		return nil, nil, err
	}
	removeLeftovers(dir)
	run = &Run{dir, c}
	if err := run.describe(command, versions); err != nil {
		return nil, nil, err
	}
	return run, func() { lock.Unlock() }, nil
}

// claim makes a run folder's folders and takes its lock.
func claim(dir string) (*flock.Flock, error) {
	for _, d := range []string{dir, filepath.Join(dir, checkpointsDir), filepath.Join(dir, samplesDir)} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return nil, fmt.Errorf("run folder: %w", err)
		}
	}
	lock := flock.New(filepath.Join(dir, lockFile))
	locked, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("%s: locking the run folder: %w", dir, err)
	}
	if !locked {
		return nil, fmt.Errorf("%s: another process is training in this run folder", dir)
	}
	return lock, nil
}

// describe writes the experiment, what it is run with, and how it was started.
func (r *Run) describe(command []string, versions map[string]string) error {
	about, err := json.MarshalIndent(versions, "", "  ")
	if err != nil {
		return err
	}
	err = errors.Join(
		writeFile(filepath.Join(r.Dir, versionsFile), append(about, '\n')),
		appendLine(filepath.Join(r.Dir, commandsFile), strings.Join(command, " ")),
		writeFile(filepath.Join(r.Dir, configFile), r.Config.YAML()))
	if err != nil {
		return fmt.Errorf("run folder: %w", err)
	}
	return nil
}

// Create makes a run folder of weights that were made elsewhere: training goes on from them. The entries are those of a checkpoint. A folder
// that holds a run is an error; if anything fails, no run is left.
func Create(dir string, c *configs.Config, p Progress, entries []weights.Entry, command []string, versions map[string]string) (err error) {
	if err := CheckNew(dir); err != nil {
		return err
	}
	made := missing(dir)
	defer func() {
		if err != nil && made != "" {
			os.RemoveAll(made)
		}
	}()
	lock, err := claim(dir)
	if err != nil {
		return err
	}
	defer lock.Unlock()
	run := &Run{dir, c}
	removeLeftovers(dir)
	if err := run.saveEntries(stepName(p.Step), entries, p); err != nil {
		return err
	}
	return run.describe(command, versions)
}

// CheckNew reports a folder that holds a run or parts of one.
func CheckNew(dir string) error {
	run := &Run{Dir: dir}
	if _, err := os.Stat(filepath.Join(dir, configFile)); err == nil || len(run.Checkpoints()) > 0 {
		return fmt.Errorf("%s: holds a run already; use another folder", dir)
	}
	return nil
}

// missing is the topmost folder on the way to dir that does not exist; empty if dir does.
func missing(dir string) (top string) {
	for d := filepath.Clean(dir); ; d = filepath.Dir(d) {
		if _, err := os.Stat(d); err == nil || d == filepath.Dir(d) {
			return top
		}
		top = d
	}
}

func checkSameExperiment(dir string, c *configs.Config) error {
	if _, err := os.Stat(filepath.Join(dir, configFile)); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	old, err := OpenRun(dir)
	if err != nil {
		return err
	}
	same := *old.Config
	same.Train.Steps = max(c.Train.Steps, same.Train.Steps)
	if diff := configs.Diff(&same, c); len(diff) > 0 {
		return fmt.Errorf("%[1]s: holds another experiment; use another folder, go on with its own settings (`mcvd train %[1]s`), or give the same (only train.steps may grow):\n  %s",
			dir, strings.Join(diff, "\n  "))
	}
	return nil
}

// removeLeftovers removes temporary files that a killed process left; the lock says that nobody is writing them.
func removeLeftovers(dir string) {
	for _, d := range []string{dir, filepath.Join(dir, checkpointsDir), filepath.Join(dir, samplesDir)} {
		entries, _ := os.ReadDir(d)
		for _, e := range entries {
			if strings.HasPrefix(e.Name(), atomicfile.Prefix) {
				os.RemoveAll(filepath.Join(d, e.Name()))
			}
		}
	}
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
