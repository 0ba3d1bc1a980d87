package runs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/gofrs/flock"

	"mcvd/configs"
	"mcvd/configs/experiment"
)

// maxSmall is more than the small files of a run folder need.
const maxSmall = 1 << 20 // bytes

// Run is a run folder as it was at the last [Run.Update]. Nothing outside of the folder is read,
// whatever links lie in it. It is not for several goroutines at once.
type Run struct {
	// Name tells the run from others that are shown with it. Dir is its folder.
	Name, Dir string
	// Config is nil, and ConfigError says why, if it can't be read.
	Config      *configs.Config
	ConfigError error
	// Versions are what the run was last run with; Starts is how often it was started.
	Versions map[string]string
	Starts   int

	// Curves has the quantities that the log has shown so far, by name.
	Curves map[string]*Curve
	// Step and Skipped are how many steps were taken, and how many of them changed nothing.
	Step, Skipped int
	// Restarts is how often the log was cut back, or removed, and the curves began anew.
	Restarts int
	// BestLoss is the lowest validation loss, of step BestStep; 0 before the first validation.
	BestLoss float64
	BestStep int
	// Broken is the number of lines of the log that could not be read.
	Broken int
	// Logged is when the log was last written; zero if there is none.
	Logged time.Time
	// Training says that a process is training in the folder.
	Training bool

	// Unread says which folders of the run, or its lock, are there but can't be read; nil if none.
	Unread error

	// Samples are the steps with samples, in order. Checkpoints are the steps with checkpoints,
	// without the best one.
	Samples     []Sample
	Checkpoints []int

	root *os.Root
	tail tail
	read stamp // of the config that was read
}

// Sample holds the samples of a step: names in [SamplesDir], empty where there is none.
type Sample struct {
	Step        int
	Sheet, Film string
}

// stamp tells whether a file has changed.
type stamp struct {
	size     int64
	modified time.Time
}

// Open begins to follow a run folder. It only checks that the folder is one, and reads nothing else
// yet.
func Open(dir string) (*Run, error) {
	info, err := os.Stat(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%s: no such run folder", dir)
	}
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("%s: not a folder, want a run folder", dir)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	if _, err := root.Lstat(ConfigFile); err != nil {
		root.Close()
		if errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("%s: not a run folder: it has no %s", dir, ConfigFile)
		}
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	name := filepath.Base(dir)
	if path, err := filepath.Abs(dir); err == nil { // "." has a name, too
		name = filepath.Base(path)
	}
	return &Run{Name: name, Dir: dir, Curves: map[string]*Curve{}, root: root}, nil
}

// OpenAll opens run folders. Each gets the name of its folder, or its path if others have the same
// name.
func OpenAll(dirs []string) (all []*Run, err error) {
	defer func() {
		if err != nil {
			CloseAll(all)
		}
	}()
	names := map[string]int{}
	for _, dir := range dirs {
		r, err := Open(dir)
		if err != nil {
			return all, err
		}
		for _, other := range all {
			if same(r, other) {
				r.Close()
				return all, fmt.Errorf("%s and %s: the same run folder, want each once", other.Dir, dir)
			}
		}
		all = append(all, r)
		names[r.Name]++
	}
	for _, r := range all {
		if names[r.Name] > 1 {
			r.Name = filepath.Clean(r.Dir)
		}
	}
	return all, nil
}

func same(a, b *Run) bool {
	x, err := a.root.Stat(".")
	y, err2 := b.root.Stat(".")
	return err == nil && err2 == nil && os.SameFile(x, y)
}

// CloseAll closes runs.
func CloseAll(all []*Run) {
	for _, r := range all {
		r.Close()
	}
}

// Close stops following the run.
func (r *Run) Close() error { return r.root.Close() }

// Update reads what is new in the folder. Its error is about the log. Other files that can't be
// read are left out, because they may be half written; Unread names folders that can't be.
func (r *Run) Update(ctx context.Context) error {
	r.updateConfig()
	r.Versions, r.Starts = nil, 0
	if text, err := r.small(VersionsFile); err == nil {
		r.Versions = ParseVersions(text)
	}
	if text, err := r.small(CommandsFile); err == nil {
		r.Starts = countLines(text)
	}
	r.Checkpoints, r.Unread = nil, r.unread()
	for _, name := range r.names(CheckpointsDir) {
		if step, ok := CheckpointStep(name); ok {
			r.Checkpoints = append(r.Checkpoints, step)
		}
	}
	slices.Sort(r.Checkpoints)
	r.Samples = r.FindSamples()
	r.Training = Locked(r.Dir)
	return r.Lines(ctx, r.forget, r.take)
}

// Lines hands over the lines that were added to the log since the call before, in order. Lines that
// can't be read are only counted, in Broken. If the log was cut back, it calls restart and begins
// with the first line again.
func (r *Run) Lines(ctx context.Context, restart func(), line func(Line)) error {
	f, err := r.open(LogFile)
	if errors.Is(err, os.ErrNotExist) {
		if r.Step > 0 { // there is none any more
			r.forget()
		}
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil {
		r.Logged = info.ModTime()
	}
	err = r.tail.read(ctx, f, restart, line)
	r.Broken = r.tail.broken
	return err
}

// ReadSample reads a file of [SamplesDir], of at most so many bytes.
func (r *Run) ReadSample(name string, most int64) ([]byte, error) {
	return r.readAll(filepath.Join(SamplesDir, name), most)
}

// forget makes the run one of which nothing has been logged.
func (r *Run) forget() {
	r.Restarts++
	r.Curves, r.Step, r.Skipped, r.BestLoss, r.BestStep = map[string]*Curve{}, 0, 0, 0, 0
}

// take notes a line of the log.
func (r *Run) take(l Line) {
	r.Step, r.Skipped = max(r.Step, l.Step), r.Skipped+l.Skipped
	for _, q := range OfLine(l) {
		if x, ok := q.Of(l); ok {
			c := r.Curves[q.Name]
			if c == nil {
				if q.Score() && len(scored([]*Run{r})) >= maxScores {
					continue
				}
				c = &Curve{}
				r.Curves[q.Name] = c
			}
			c.add(Point{Step: l.Step, Time: float64(l.Time), Value: x})
		}
	}
	if x := float64(l.Loss); l.kind() == ofValidation && x-x == 0 && (r.BestStep == 0 || x < r.BestLoss) {
		r.BestLoss, r.BestStep = x, l.Step
	}
}

// updateConfig reads the experiment again if its file has changed.
func (r *Run) updateConfig() {
	info, err := r.root.Stat(ConfigFile)
	if err == nil {
		now := stamp{info.Size(), info.ModTime()}
		if now == r.read {
			return
		}
		r.read = now
	}
	text, err := r.small(ConfigFile)
	if err == nil {
		r.Config, err = experiment.Parse(filepath.Join(r.Dir, ConfigFile), text)
	}
	if r.ConfigError = err; err != nil {
		r.Config, r.read = nil, stamp{}
	}
}

// FindSamples lists the steps of which there are samples now, in order.
func (r *Run) FindSamples() (all []Sample) {
	of := map[int]Sample{}
	for _, name := range r.names(SamplesDir) {
		if step, ok := SampleStep(name, Sheet); ok {
			of[step] = Sample{step, name, of[step].Film}
		}
		if step, ok := SampleStep(name, Film); ok {
			of[step] = Sample{step, of[step].Sheet, name}
		}
	}
	for _, s := range of {
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b Sample) int { return a.Step - b.Step })
	return all
}

// Locked says whether a process is training in a folder. It holds the lock itself for a moment,
// shared with others who ask. Training waits longer than that for it.
func Locked(dir string) bool {
	path := filepath.Join(dir, LockFile)
	if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() {
		return false
	}
	lock := flock.New(path, flock.SetFlag(os.O_RDONLY))
	got, err := lock.TryRLock()
	if got {
		lock.Unlock()
	}
	lock.Close()
	return err == nil && !got
}

// Left is how long the steps that are missing take at the mean speed of the last lines, without
// what is done between steps. It is 0 if that can't be said.
func (r *Run) Left() time.Duration {
	speed := r.Curves["speed/clips"]
	if r.Config == nil || speed == nil || r.Step >= r.Config.Train.Steps {
		return 0
	}
	const last = 16
	clip, points := 0.0, 0.0 // seconds that a clip takes
	for _, p := range speed.Points[max(0, len(speed.Points)-last):] {
		if p.Value > 0 {
			clip, points = clip+1/p.Value, points+1
		}
	}
	if points == 0 {
		return 0
	}
	t := r.Config.Train
	seconds := float64(t.Steps-r.Step) * float64(t.Batch) * float64(t.Accumulate) * clip / points
	return time.Duration(min(seconds*float64(time.Second), math.MaxInt64/2))
}

// unread reports what can't be read although it is there: without a word, a run would seem to have no
// samples and no checkpoints, and to be at rest.
func (r *Run) unread() error {
	var problems []error
	for _, name := range []string{CheckpointsDir, SamplesDir, LockFile} {
		info, err := r.root.Stat(name)
		if err == nil && !info.IsDir() && !info.Mode().IsRegular() {
			continue // a named pipe would wait for somebody
		}
		f, err := r.root.Open(name)
		if err == nil {
			f.Close()
		}
		if errors.Is(err, os.ErrPermission) {
			problems = append(problems, fmt.Errorf("%s: %w", r.Dir, err))
		}
	}
	return errors.Join(problems...)
}

// names are those of the files in a folder of the run.
func (r *Run) names(dir string) (names []string) {
	entries, err := fs.ReadDir(r.root.FS(), dir)
	if err != nil {
		return nil
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func (r *Run) small(name string) ([]byte, error) { return r.readAll(name, maxSmall) }

func (r *Run) readAll(name string, most int64) ([]byte, error) {
	f, err := r.open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(text)) > most {
		err = fmt.Errorf("%s: more than %d bytes", filepath.Join(r.Dir, name), most)
	}
	return text, err
}

// open opens a regular file: opening a named pipe would wait for somebody who writes into it.
func (r *Run) open(name string) (*os.File, error) {
	info, err := r.root.Stat(name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.Dir, err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: not a regular file, want a run's own", filepath.Join(r.Dir, name))
	}
	f, err := r.root.Open(name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.Dir, err)
	}
	return f, nil
}

func countLines(text []byte) (n int) {
	for _, c := range text {
		if c == '\n' {
			n++
		}
	}
	return n
}
