package runs

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gofrs/flock"

	"mcvd/configs"
	"mcvd/configs/experiment"
)

// folder makes a run folder with an experiment and nothing else.
func folder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	c := configs.Default()
	c.Data = configs.Data{Name: "digits", Size: 64, Channels: 1, Stride: 1, Start: "random", Windows: 1, OnError: "skip"}
	if err := experiment.Resolve(c); err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{CheckpointsDir, SamplesDir} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write(t, dir, ConfigFile, string(c.YAML()))
	return dir
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func add(t *testing.T, dir, text string) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(dir, LogFile), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

// logged is a line of a log.
func logged(l Line) string {
	text, err := json.Marshal(l)
	if err != nil {
		panic(err)
	}
	return string(text) + "\n"
}

func open(t *testing.T, dir string) *Run {
	t.Helper()
	r, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func update(t *testing.T, r *Run) {
	t.Helper()
	if err := r.Update(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// losses are the steps and values of a curve, such as "10:0.5 20:0.25".
func show(c *Curve) string {
	if c == nil {
		return ""
	}
	var all []string
	for _, p := range c.Points {
		all = append(all, fmt.Sprintf("%d:%g", p.Step, p.Value))
	}
	return strings.Join(all, " ")
}

func TestARunIsFollowedWhileItsLogGrowsAndIsCutBack(t *testing.T) {
	dir := folder(t)
	r := open(t, dir)
	want := func(step int, loss, validation string) {
		t.Helper()
		update(t, r)
		if got := show(r.Curves["train/loss"]); got != loss || r.Step != step {
			t.Errorf("step %d, losses %q, want step %d, %q", r.Step, got, step, loss)
		}
		if got := show(r.Curves["validation/loss"]); got != validation {
			t.Errorf("validation %q, want %q", got, validation)
		}
	}
	want(0, "", "") // there is no log yet
	add(t, dir, logged(Line{Step: 10, Loss: 8, Time: 100})+logged(Line{Step: 10, Loss: 7, Validation: []Number{1, 2, 3, 4, 5}, X0: 0.5}))
	want(10, "10:8", "10:7")
	if got := show(r.Curves["validation/fifth_5"]); got != "10:5" || r.BestLoss != 7 || r.BestStep != 10 {
		t.Errorf("noisiest fifth %q, best %g of step %d", got, r.BestLoss, r.BestStep)
	}
	add(t, dir, logged(Line{Step: 10, Loss: Number(math.NaN()), Scores: map[string]Number{"psnr": 20, "fvd": Number(math.NaN())}}))
	want(10, "10:8", "10:7") // scores are neither
	if psnr, fvd := show(r.Curves["score/psnr"]), show(r.Curves["score/fvd"]); psnr != "10:20" || fvd != "10:NaN" || r.BestLoss != 7 {
		t.Errorf("scores %q and %q, best %g, want 10:20, 10:NaN, 7", psnr, fvd, r.BestLoss)
	}
	var titles []string
	for _, q := range Quantities(r) {
		if q.Score() {
			titles = append(titles, q.Title)
		}
	}
	if want := []string{"fvd of generated videos", "psnr of generated videos"}; !slices.Equal(titles, want) || len(Quantities()) != len(Quantities(r))-2 {
		t.Errorf("scores of the run are %q, want %q beside what every run has", titles, want)
	}
	torn := logged(Line{Step: 20, Loss: 4, Time: 101})
	add(t, dir, torn[:9])
	want(10, "10:8", "10:7") // a last line without its end waits
	add(t, dir, torn[9:])
	want(20, "10:8 20:4", "10:7")
	want(20, "10:8 20:4", "10:7") // and nothing is read twice

	// A process goes on from step 10 and logs more than there was before the update.
	log, err := os.ReadFile(filepath.Join(dir, LogFile))
	if err != nil {
		t.Fatal(err)
	}
	kept := string(log[:bytes.LastIndex(log, []byte(torn))])
	write(t, dir, LogFile, kept+logged(Line{Step: 20, Loss: 4, Time: 202})+logged(Line{Step: 30, Loss: 2, Time: 203}))
	want(30, "10:8 20:4 30:2", "10:7")
	if at := r.Curves["train/loss"].Points[1].Time; at != 202 {
		t.Errorf("the line of step 20 is that of time %g, want 202: the one that was cut off is gone", at)
	}
	write(t, dir, LogFile, kept)
	want(10, "10:8", "10:7")
	if err := os.Remove(filepath.Join(dir, LogFile)); err != nil {
		t.Fatal(err)
	}
	want(0, "", "")
	if r.BestStep != 0 {
		t.Errorf("best of step %d without a log", r.BestStep)
	}
}

// many are scores of so many metrics, whose names begin with a number.
func many(n int) map[string]Number {
	scores := map[string]Number{}
	for i := range n {
		scores[fmt.Sprintf("%d-of-%d", i, n)] = 1
	}
	return scores
}

// A log of somebody else may name as many metrics as it likes; a curve for each would fill memory.
func TestScoresOfAnyNumberOfMetricsTakeBoundedMemory(t *testing.T) {
	dir := folder(t)
	for i := range maxScores {
		add(t, dir, logged(Line{Step: i + 1, Scores: many(i + 1)}))
	}
	r := open(t, dir)
	if update(t, r); len(r.Curves) != maxScores || r.Broken != 0 {
		t.Errorf("%d curves, %d lines broken, want %d, 0", len(r.Curves), r.Broken, maxScores)
	}
}

func TestLinesThatAreNoneAreCountedAndPassedOver(t *testing.T) {
	dir := folder(t)
	first, last := logged(Line{Step: 5, Loss: 1}), logged(Line{Step: 6, Loss: Number(math.NaN()), Skipped: 1})
	for name, text := range map[string]string{
		"no JSON": "loss 3\n", "bytes": "\x00\xff\xfe\n", "an empty line": "\n", "a list": "[1,2]\n", "a step that is none": `{"step":1e300,"loss":1}` + "\n",
		"a step that was": logged(Line{Step: 5, Loss: 3}), "a negative one": logged(Line{Step: -1, Loss: 3}),
		"too many fifths": logged(Line{Step: 7, Loss: 1, Validation: make([]Number, 100)}),
		"too many scores": logged(Line{Step: 7, Scores: many(maxScores + 1)}),
		"too long":        strings.Repeat("x", maxLine+1) + "\n", "much too long": strings.Repeat("[", 3*maxLine) + "\n",
	} {
		write(t, dir, LogFile, first+text+last)
		r := open(t, dir)
		update(t, r)
		if got := show(r.Curves["train/loss"]); got != "5:1 6:NaN" || r.Broken != 1 || r.Skipped != 1 {
			t.Errorf("%s: losses %q, %d broken, %d skipped, want 5:1 6:NaN, 1, 1", name, got, r.Broken, r.Skipped)
		}
		add(t, dir, logged(Line{Step: 7, Loss: 2}))
		if update(t, r); r.Step != 7 || r.Broken != 1 {
			t.Errorf("%s: then step %d, %d broken, want 7, 1", name, r.Step, r.Broken)
		}
	}
}

// A long line without its end is not read again at every update, and what follows it is found.
func TestALongLineThatGrows(t *testing.T) {
	dir := folder(t)
	r := open(t, dir)
	add(t, dir, logged(Line{Step: 1, Loss: 1}))
	for range 5 {
		add(t, dir, strings.Repeat("x", maxLine))
		update(t, r)
	}
	add(t, dir, "\n"+logged(Line{Step: 2, Loss: 2}))
	if update(t, r); show(r.Curves["train/loss"]) != "1:1 2:2" || r.Broken != 1 {
		t.Errorf("losses %q, %d broken, want 1:1 2:2, 1", show(r.Curves["train/loss"]), r.Broken)
	}
}

func TestAHugeLogIsThinned(t *testing.T) {
	dir := folder(t)
	const lines = 5*maxPoints + 3
	var log strings.Builder
	sum := 0.0
	for i := 1; i <= lines; i++ {
		log.WriteString(logged(Line{Step: i, Loss: Number(i % 7)}))
		sum += float64(i % 7)
	}
	write(t, dir, LogFile, log.String())
	r := open(t, dir)
	update(t, r)
	c := r.Curves["train/loss"]
	if len(c.Points) > maxPoints || len(c.Points) < maxPoints/2 || c.Width != 8 {
		t.Errorf("%d points of %d values each, want %d to %d, of 8", len(c.Points), c.Width, maxPoints/2, maxPoints)
	}
	mean, values := 0.0, 0
	for _, p := range c.Points {
		mean, values = mean+p.Value*float64(p.finite), values+p.finite
	}
	if values != lines || !(math.Abs(mean-sum) <= 1e-6*sum) {
		t.Errorf("%d values with the sum %g, want %d with %g", values, mean, lines, sum)
	}
	if last := c.Points[len(c.Points)-1].Step; last != lines || c.Last != lines%7 {
		t.Errorf("ends at step %d with %g, want %d with %d", last, c.Last, lines, lines%7)
	}
	for i, p := range c.Points[:len(c.Points)-1] {
		if p.Step != (i+1)*8 || p.finite != 8 {
			t.Fatalf("point %d: step %d, of %d values, want %d, 8", i, p.Step, p.finite, (i+1)*8)
		}
	}
}

func TestMeansLeaveOutWhatIsNotFinite(t *testing.T) {
	c := Curve{Width: 4}
	for i, x := range []float64{1, math.NaN(), 3, math.Inf(1), math.NaN(), math.NaN(), math.Inf(-1), math.NaN(), math.NaN(), 6} {
		c.add(Point{Step: i, Value: x})
	}
	if got := show(&c); got != "3:2 7:NaN 9:6" {
		t.Errorf("%s, want 3:2 7:NaN 9:6", got)
	}
}

func TestSmoothing(t *testing.T) {
	nan := math.NaN()
	got := Smooth([]float64{nan, 4, 4, nan, 8}, 0.5)
	// Weights of the last value: 1/2, 1/4, 1/8, by their sum.
	for i, want := range []float64{nan, 4, 4, nan, (8*0.5 + 4*0.25 + 4*0.125) / 0.875} {
		if !(math.Abs(got[i]-want) <= 1e-12) && !(math.IsNaN(want) && math.IsNaN(got[i])) {
			t.Errorf("value %d: %g, want %g", i, got[i], want)
		}
	}
	if got := Smooth([]float64{1, 5, 2}, 0); !slices.Equal(got, []float64{1, 5, 2}) {
		t.Errorf("without weight: %v, want the values", got)
	}
}

func TestWhatLiesInTheFolder(t *testing.T) {
	dir := folder(t)
	for _, name := range []string{"checkpoints/step-00000050.safetensors", "checkpoints/step-00000025.safetensors", "checkpoints/best.safetensors",
		"checkpoints/step-7.safetensors", "samples/step-00000025.png", "samples/step-00000025.gif", "samples/step-00000050.gif", "samples/x.png"} {
		write(t, dir, name, "")
	}
	write(t, dir, VersionsFile, `{"commit": "abc"}`)
	write(t, dir, CommandsFile, "mcvd train\nmcvd train\n")
	r := open(t, dir)
	update(t, r)
	if want := []Sample{{25, "step-00000025.png", "step-00000025.gif"}, {50, "", "step-00000050.gif"}}; !slices.Equal(r.Samples, want) {
		t.Errorf("samples %v, want %v", r.Samples, want)
	}
	if want := []int{25, 50}; !slices.Equal(r.Checkpoints, want) {
		t.Errorf("checkpoints %v, want %v", r.Checkpoints, want)
	}
	if r.Versions["commit"] != "abc" || r.Starts != 2 || r.Config == nil || r.Config.Data.Name != "digits" {
		t.Errorf("versions %v, %d starts, config %v", r.Versions, r.Starts, r.ConfigError)
	}
	write(t, dir, ConfigFile, "seed: many")
	write(t, dir, VersionsFile, `[`)
	if update(t, r); r.Config != nil || r.ConfigError == nil || r.Versions != nil {
		t.Errorf("config %v, error %v, versions %v, want those of what can't be read", r.Config, r.ConfigError, r.Versions)
	}
}

func TestWhetherARunIsBeingTrained(t *testing.T) {
	dir := folder(t)
	r := open(t, dir)
	if update(t, r); r.Training {
		t.Error("training without a lock")
	}
	lock := flock.New(filepath.Join(dir, LockFile))
	if got, err := lock.TryLock(); !got || err != nil {
		t.Fatal(got, err)
	}
	if update(t, r); !r.Training {
		t.Error("not training, while the lock is held")
	}
	lock.Unlock()
	if update(t, r); r.Training {
		t.Error("training after the lock is free")
	}
	if got, err := lock.TryLock(); !got || err != nil {
		t.Errorf("the lock was kept: %v, %v", got, err)
	}
}

func TestTheTimeLeftIsThatOfTheStepsLeft(t *testing.T) {
	dir := folder(t)
	r := open(t, dir)
	if update(t, r); r.Left() != 0 {
		t.Errorf("%v left without a speed, want none", r.Left())
	}
	c := r.Config.Train
	add(t, dir, logged(Line{Step: 90, Loss: 1, ClipsPerSecond: 64})+logged(Line{Step: 95, Loss: 1})+logged(Line{Step: 100, Loss: 1, ClipsPerSecond: 64.0 / 3}))
	update(t, r) // a clip took 1/64 s, then 3/64 s: 1/32 s in the mean
	if want := time.Duration(c.Steps-100) * time.Duration(c.Batch) * time.Second / 32; (r.Left() - want).Abs() > time.Second {
		t.Errorf("%v left, want %v", r.Left(), want)
	}
	add(t, dir, logged(Line{Step: c.Steps, Loss: 1, ClipsPerSecond: 32}))
	if update(t, r); r.Left() != 0 {
		t.Errorf("%v left at the end", r.Left())
	}
}

func TestNothingOutsideOfTheFolderIsRead(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte(logged(Line{Step: 1, Loss: 1})), 0o644); err != nil {
		t.Fatal(err)
	}
	dir := folder(t)
	for _, name := range []string{LogFile, "samples/step-00000001.png"} {
		if err := os.Symlink(secret, filepath.Join(dir, name)); err != nil {
			t.Skip("no symbolic links here:", err)
		}
	}
	r := open(t, dir)
	if err := r.Update(context.Background()); err == nil || r.Step != 0 {
		t.Errorf("step %d, error %v, want none and an error", r.Step, err)
	}
	for _, name := range []string{"step-00000001.png", "../config.yml/../../secret", "../../secret", secret} {
		if text, err := r.ReadSample(name, 1<<20); err == nil {
			t.Errorf("%s: read %q", name, text)
		}
	}
	write(t, dir, "samples/step-00000002.png", "abc")
	if text, err := r.ReadSample("step-00000002.png", 3); err != nil || string(text) != "abc" {
		t.Errorf("read %q, error %v, want abc", text, err)
	}
	if _, err := r.ReadSample("step-00000002.png", 2); err == nil {
		t.Error("no error for a file that is too large")
	}
}

func TestFoldersThatAreNoRuns(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]string{file + "x": "no such run folder", file: "not a folder", t.TempDir(): "it has no config.yml"} {
		if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one that says %q", dir, err, want)
		}
	}
}

func TestRunsAreToldApart(t *testing.T) {
	a, b := folder(t), folder(t)
	all, err := OpenAll([]string{a, b})
	if err != nil {
		t.Fatal(err)
	}
	CloseAll(all)
	if all[0].Name == all[1].Name {
		t.Errorf("both are called %s", all[0].Name)
	}
	if _, err := OpenAll([]string{a, b, a + "/."}); err == nil || !strings.Contains(err.Error(), "want each once") {
		t.Errorf("error %v, want one about the same folder twice", err)
	}
}

// Many folders have a file config.yml; a run has a log or versions, too.
func TestWhatIsARun(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, ConfigFile, "seed: 1")
	if err := os.Mkdir(filepath.Join(dir, LogFile), 0o755); err != nil {
		t.Fatal(err)
	}
	if Is(dir) || Is(filepath.Join(dir, "missing")) {
		t.Error("a configuration alone is said to be a run, or nothing is")
	}
	write(t, dir, VersionsFile, "{}")
	if !Is(dir) {
		t.Error("a configuration with versions is said to be no run")
	}
}
