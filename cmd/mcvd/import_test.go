package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mcvd/models"
	"mcvd/models/weights"
	"mcvd/train"
)

// fixtures are networks that the published code saved, from the folder of a test.
const fixtures = "models/paritytest/testdata/unet"

// copied copies a file of a fixture.
func copied(t *testing.T, from, to string) {
	t.Helper()
	content, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, content, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// mustCall is call for a command line that must succeed.
func mustCall(t *testing.T, line string) (stdout, stderr string) {
	t.Helper()
	status, stdout, stderr := call(t, strings.Fields(line)...)
	if status != 0 {
		t.Fatalf("mcvd %s: status %d: %s", line, status, stderr)
	}
	return stdout, stderr
}

// newestOf is the path and the progress of a run's newest checkpoint.
func newestOf(t *testing.T, dir string) (string, train.Progress) {
	t.Helper()
	run, err := train.OpenRun(dir)
	if err != nil {
		t.Fatal(err)
	}
	f, p, err := run.OpenCheckpoint("", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	return f.Path(), p
}

// progressIn is what a file's metadata says.
func progressIn(t *testing.T, path string) (train.Progress, bool) {
	t.Helper()
	f, err := weights.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p, ok, err := train.ReadProgress(path, f.Metadata())
	if err != nil {
		t.Fatal(err)
	}
	return p, ok
}

// sameFiles fails unless two files are equal, byte for byte.
func sameFiles(t *testing.T, a, b string) {
	t.Helper()
	one, err := os.ReadFile(a)
	if err != nil {
		t.Fatal(err)
	}
	other, err := os.ReadFile(b)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(one, other) {
		t.Errorf("%s of %d bytes and %s of %d bytes differ", a, len(one), b, len(other))
	}
}

// A published checkpoint and its configuration make a run that samples and goes on training from
// the step of the checkpoint.
func TestImportedRunsSampleAndTrain(t *testing.T) {
	folder, err := filepath.Abs("../../" + fixtures)
	if err != nil {
		t.Fatal(err)
	}
	all, err := filepath.Glob(filepath.Join(folder, "*"))
	if err != nil || len(all) != 4 {
		t.Fatalf("fixtures %v, error %v", all, err)
	}
	for _, fixture := range all {
		t.Run(filepath.Base(fixture), func(t *testing.T) {
			inNewFolder(t)
			_, stderr := mustCall(t, "import "+fixture+"/checkpoint.pt --config "+fixture+
				"/config.yml -o runs/x --set train.batch=1 --set train.validate_every=0 --set train.sample_every=0 --set sampler.steps=2 --set train.steps=1239")
			for _, want := range []string{"million parameters, step 1234\n", "averaged weights in the file", "warms up again", "digits", "checksums in the file agree\n"} {
				if !strings.Contains(stderr, want) {
					t.Errorf("import says %q, want %q in it", stderr, want)
				}
			}
			stdout, _ := mustCall(t, "predict runs/x --clips 1 --frames 3 --format png -o out")
			if !strings.Contains(stdout, "predict-0000") {
				t.Errorf("predict prints %q", stdout)
			}
			mustCall(t, "train runs/x")
			if _, p := newestOf(t, "runs/x"); p.Step != 1239 || p.Updates != 5 {
				t.Errorf("step %d, updates %d, want 1239 and 5", p.Step, p.Updates)
			}
		})
	}
}

// All of a run, exported and imported, has the same progress, and training goes on to the same bytes:
// Adam's means and its number of updates, hence warm-up and bias correction, are in it.
func TestExportAllAndImport(t *testing.T) {
	inNewFolder(t)
	mustCall(t, "train -c configs/tiny.yml -o a --set train.steps=3 --set train.validate_every=3 --set train.sample_every=0 --set optimizer.warmup_steps=20")
	mustCall(t, "export a --weights all -o all.safetensors")
	_, stderr := mustCall(t, "import all.safetensors -o b")
	if !strings.Contains(stderr, "Adam's means in the file, of 3 updates") {
		t.Errorf("import says %q", stderr)
	}
	for _, steps := range []string{"3", "5"} {
		mustCall(t, "train a --set train.steps="+steps)
		mustCall(t, "train b --set train.steps="+steps)
		a, progress := newestOf(t, "a")
		b, other := newestOf(t, "b")
		if progress != other || progress.Updates != progress.Step || progress.BestStep == 0 {
			t.Errorf("progress %+v and %+v", progress, other)
		}
		if steps == "5" { // before that, only the first one says on which data it was trained
			sameFiles(t, a, b)
		}
	}
}

// Parts of a run, by own and by published names, are the weights and the average of the run that
// they become.
func TestExportPartsAndImport(t *testing.T) {
	inNewFolder(t)
	mustCall(t, "train -c configs/tiny.yml -o run --set train.steps=2")
	path, _ := newestOf(t, "run")
	original, err := weights.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer original.Close()
	for _, names := range []string{"own", "published"} {
		for _, scope := range []string{models.EMAScope, models.WeightsScope} {
			name := names + scope
			mustCall(t, "export run --names "+names+" --weights "+scope+" -o "+name+".safetensors")
			if p, ok := progressIn(t, name+".safetensors"); !ok || p != (train.Progress{Step: 2}) {
				t.Errorf("%s: progress %+v in the file, want step 2 alone: Adam's updates are not in it", name, p)
			}
			mustCall(t, "import "+name+".safetensors -o "+name)
			path, progress := newestOf(t, name)
			if progress != (train.Progress{Step: 2}) {
				t.Errorf("%s: progress %+v, want step 2 alone", name, progress)
			}
			f, err := weights.Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			parameters := 0
			for _, tensor := range f.Tensors() {
				for _, s := range []string{models.EMAScope, models.WeightsScope} {
					rest, ok := strings.CutPrefix(tensor.Name, s+"/")
					if !ok {
						continue
					}
					parameters++
					got, err := f.Read(tensor.Name)
					want, otherErr := original.Read(scope + "/" + rest)
					if err := errors.Join(err, otherErr); err != nil || !bytes.Equal(got, want) {
						t.Errorf("%s: %s differs from %s/%s (error %v)", name, tensor.Name, scope, rest, err)
					}
				}
			}
			if parameters != len(original.Tensors())/2 {
				t.Errorf("%s: %d parameters, want %d", name, parameters, len(original.Tensors())/2)
			}
		}
	}
	// A file of the average alone has no others to export, and samples as a checkpoint.
	if status, _, stderr := call(t, strings.Fields("export run --checkpoint ownema.safetensors --weights model -o none.safetensors")...); status != 1 ||
		!strings.Contains(stderr, "ownema.safetensors: has none of --weights model") {
		t.Errorf("status %d, says %q", status, stderr)
	}
	mustCall(t, "predict run --checkpoint ownema.safetensors --clips 1 --format png -o out")
}

// The configuration may be in either schema; the file's own gives way to --config and --set, and
// what then differs is said.
func TestImportConfigurations(t *testing.T) {
	inNewFolder(t)
	mustCall(t, "train -c configs/tiny.yml -o run --set train.steps=1")
	mustCall(t, "export run -o made/anew/own.safetensors")
	mustCall(t, "export run -o own.safetensors")
	mustCall(t, "export run --names published -o published.safetensors")
	_, stderr := mustCall(t, "import own.safetensors -o same --set data.flip=true")
	if strings.Contains(stderr, "another setting") {
		t.Errorf("says %q, though data.flip changes nothing of the weights", stderr)
	}
	for _, how := range []string{"--set diffusion.beta_end=0.1", "-c other.yml"} {
		if err := os.WriteFile("other.yml", []byte("base: configs/tiny.yml\ndiffusion:\n  beta_end: 0.1\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		for _, file := range []string{"own.safetensors", "published.safetensors"} {
			status, _, stderr := call(t, strings.Fields("import "+file+" -o none "+how)...)
			if status != 1 || !strings.Contains(stderr, "trained with another process:\n  diffusion.options.beta_end: 0.2 -> 0.1\n") || !strings.Contains(stderr, "--only '*'") {
				t.Errorf("%s, %s: status %d, says %q, want another process", file, how, status, stderr)
			}
		}
		_, stderr := mustCall(t, "import own.safetensors -o tuned"+how[1:2]+" --only * "+how)
		if !strings.Contains(stderr, "trained with another setting") || !strings.Contains(stderr, "diffusion.options.beta_end: 0.2 -> 0.1") {
			t.Errorf("%s: says %q, want that beta_end differs", how, stderr)
		}
	}
	_, stderr = mustCall(t, "import own.safetensors -o other --set diffusion.loss=l1")
	if !strings.Contains(stderr, `trained with another setting: file own.safetensors, difference diffusion.loss: "l2" -> "l1"`) {
		t.Errorf("another loss: says %q", stderr)
	}
	run, err := train.OpenRun("same")
	if err != nil {
		t.Fatal(err)
	}
	if !run.Config.Data.Flip || run.Config.Model.Options["width"] != 8 {
		t.Errorf("configuration %s", run.Config.YAML())
	}
	if _, err := os.Stat("none"); err == nil {
		t.Error("a refused import left a folder")
	}
}

// Adam's means without their number of updates would be corrected as if they were of one.
func TestAdamWithoutUpdatesIsRefused(t *testing.T) {
	inNewFolder(t)
	mustCall(t, "train -c configs/tiny.yml -o run --set train.steps=1")
	path, _ := newestOf(t, "run")
	f, err := weights.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var entries []weights.Entry
	for _, tensor := range f.Tensors() {
		entries = append(entries, weights.Entry{Tensor: tensor, Data: func() ([]byte, error) { return f.Read(tensor.Name) }})
	}
	if err := weights.Write("bare.safetensors", nil, entries); err != nil {
		t.Fatal(err)
	}
	status, _, stderr := call(t, strings.Fields("import bare.safetensors -c configs/tiny.yml -o new")...)
	if status != 1 || !strings.Contains(stderr, "bare.safetensors: Adam's means, but nothing says of how many updates") {
		t.Errorf("status %d, says %q", status, stderr)
	}
}

// A part of a run's weights is where another experiment's training begins: at step 0, with a table
// that says what is from where.
func TestImportOnly(t *testing.T) {
	inNewFolder(t)
	mustCall(t, "train -c configs/tiny.yml -o run --set train.steps=3")
	mustCall(t, "export run --weights all -o all.safetensors")
	stdout, stderr := mustCall(t, "import all.safetensors --only down* --only middle/0 --set frames.past=3 --set train.steps=1 -o part")
	for _, want := range []string{"from           layer  ", "file           middle/0  ", "first weights  in  ", "unused         -  ", " in\n"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("prints %q, want %q in it", stdout, want)
		}
	}
	for _, want := range []string{"frames.past: 2 -> 3", "parameters from the file, ", "with first weights; ", "; step 0\n", "checksums in the file agree"} {
		if !strings.Contains(stderr, want) {
			t.Errorf("says %q, want %q in it", stderr, want)
		}
	}
	if _, p := newestOf(t, "part"); p != (train.Progress{}) {
		t.Errorf("progress %+v, want none", p)
	}
	mustCall(t, "train part")
	if _, p := newestOf(t, "part"); p.Step != 1 || p.Updates != 1 {
		t.Errorf("progress %+v, want step 1", p)
	}
	// Another schedule is another use of the weights, but one to know of.
	copyFixture(t)
	_, stderr = mustCall(t, "import checkpoint.pt -c config.yml --set diffusion.beta_end=0.03 --only out -o scheduled")
	if !strings.Contains(stderr, "warning: checkpoint.pt: another schedule than the configuration's") {
		t.Errorf("says %q, want another schedule", stderr)
	}
	for line, want := range map[string]string{
		"import all.safetensors --only in --set frames.past=3 -o new":              "in/w: shape [3 3 6 8], want [3 3 7 8]",
		"import all.safetensors --only downn* -o new":                              `--only: all.safetensors: pattern "downn*": matches no parameter`,
		"import all.safetensors --only down[ --only in -o new":                     "syntax error in pattern",
		"import checkpoint.pt -c config.yml --set model.blocks=2 --only in -o new": "other layers than this configuration's",
	} {
		if status, stdout, stderr := call(t, strings.Fields(line)...); status != 1 || stdout != "" || !strings.Contains(stderr, want) {
			t.Errorf("mcvd %s: status %d, prints %q, says %q, want %q", line, status, stdout, stderr, want)
		}
	}
	if _, err := os.Stat("new"); err == nil {
		t.Error("a refused import left a folder")
	}
}

// A file in which there is nothing to check is said to be one: a safetensors file of another
// program, here.
func TestImportWithoutChecksums(t *testing.T) {
	inNewFolder(t)
	mustCall(t, "train -c configs/tiny.yml -o run --set train.steps=1")
	mustCall(t, "export run -o own.safetensors")
	f, err := weights.Open("own.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	header, data := []string(nil), []byte(nil)
	for _, tensor := range f.Tensors() {
		values, err := f.Read(tensor.Name)
		if err != nil {
			t.Fatal(err)
		}
		shape := strings.ReplaceAll(fmt.Sprint(tensor.Shape), " ", ",")
		header = append(header, fmt.Sprintf(`%q:{"dtype":"F32","shape":%s,"data_offsets":[%d,%d]}`, tensor.Name, shape, len(data), len(data)+len(values)))
		data = append(data, values...)
	}
	text := "{" + strings.Join(header, ",") + "}"
	content := slices.Concat(binary.LittleEndian.AppendUint64(nil, uint64(len(text))), []byte(text), data)
	if err := os.WriteFile("foreign.safetensors", content, 0o644); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{"own": "checksums in the file agree", "foreign": "checksums not in the file: there was nothing to check"} {
		if _, stderr := mustCall(t, "import "+file+".safetensors -c configs/tiny.yml -o "+file); !strings.Contains(stderr, want) {
			t.Errorf("%s: says %q, want %q", file, stderr, want)
		}
	}
}

// lasting is a context that ends after it was asked so many times.
type lasting struct {
	context.Context
	left int
}

func (l *lasting) Err() error {
	if l.left--; l.left < 0 {
		return context.Canceled
	}
	return nil
}

// A signal stops import and export between two tensors, and nothing is left of them.
func TestImportAndExportStop(t *testing.T) {
	inNewFolder(t)
	mustCall(t, "train -c configs/tiny.yml -o run --set train.steps=1")
	mustCall(t, "export run --weights all -o all.safetensors")
	before := listing(t)
	for _, line := range []string{"import all.safetensors -o new", "export run -o new.safetensors", "export run --names published -o new.safetensors"} {
		for _, asked := range []int{0, 20} {
			var stderr bytes.Buffer
			status := run(&lasting{context.Background(), asked}, strings.Fields(line), &stderr, &stderr)
			if status != exitStopped || !strings.Contains(stderr.String(), "stopped, nothing is written") {
				t.Errorf("mcvd %s: status %d, says %q", line, status, &stderr)
			}
			if after := listing(t); after != before {
				t.Errorf("mcvd %s: left %s, want %s", line, after, before)
			}
		}
	}
}

// Weights of the published code predict eps from its noise levels, whatever a configuration says.
func TestPublishedWeightsOfAnotherProcess(t *testing.T) {
	inNewFolder(t)
	copyFixture(t)
	own, _ := mustCall(t, "config translate config.yml --set diffusion.target=v")
	if err := os.WriteFile("own.yml", []byte(own), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, how := range []string{"-c config.yml --set diffusion.target=v", "-c own.yml"} {
		status, _, stderr := call(t, strings.Fields("import checkpoint.pt -o none "+how)...)
		if status != 1 || !strings.Contains(stderr, "checkpoint.pt: these weights were trained with another process:\n  diffusion.target: \"eps\" -> \"v\"\n") {
			t.Errorf("%s: status %d, says %q", how, status, stderr)
		}
		if _, err := os.Stat("none"); err == nil {
			t.Fatal("a refused import left a folder")
		}
		stdout, stderr := mustCall(t, "import checkpoint.pt -o tuned"+how[3:4]+" --only * "+how)
		if !strings.Contains(stderr, `diffusion.target: "eps" -> "v"`) || !strings.Contains(stderr, " 0 with first weights") || stdout == "" {
			t.Errorf("%s with --only: says %q", how, stderr)
		}
	}
	mustCall(t, "import checkpoint.pt -o same -c own.yml --set diffusion.target=eps")
}
