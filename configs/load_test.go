package configs_test

import (
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"mcvd/configs"
	"mcvd/configs/experiment"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares got to a file, which -update writes.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (go test -update writes it)", err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", path, got, want)
	}
}

// write makes a file of the test and returns its path.
func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "c.yml")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func mustLoad(t *testing.T, path string, overrides ...string) *configs.Config {
	t.Helper()
	c, err := experiment.Load(path, overrides...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// standard is the experiment that an empty file means.
func standard(t *testing.T) *configs.Config {
	t.Helper()
	c := configs.Default()
	if err := experiment.Resolve(c); err != nil {
		t.Fatal(err)
	}
	return c
}

func glob(t testing.TB, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %d files, error %v", pattern, len(files), err)
	}
	return files
}

func TestShippedFilesResolve(t *testing.T) {
	for _, path := range glob(t, "*.yml") {
		c := mustLoad(t, path)
		resolved := c.YAML()
		golden(t, filepath.Join("testdata", strings.TrimSuffix(path, ".yml")+".golden"), string(resolved))
		for way, again := range map[string]func() (*configs.Config, error){
			"Parse": func() (*configs.Config, error) { return experiment.Parse("stored", resolved) },
			"Load":  func() (*configs.Config, error) { return experiment.Load(write(t, string(resolved))) },
		} {
			if read, err := again(); err != nil || !reflect.DeepEqual(read, c) {
				t.Errorf("%s: %s of the resolved form: %v, error %v", path, way, read, err)
			}
		}
	}
}

func TestEveryBadFileHasItsMessage(t *testing.T) {
	for _, path := range glob(t, "testdata/bad/*.yml") {
		_, err := experiment.Load(path)
		if err == nil {
			t.Errorf("%s: no error", path)
			continue
		}
		golden(t, strings.TrimSuffix(path, ".yml")+".txt", filepath.ToSlash(err.Error())+"\n")
		for line := range strings.Lines(err.Error()) {
			if !strings.HasPrefix(line, "testdata/bad/") && !strings.HasPrefix(line, "default: ") {
				t.Errorf("%s: the line %q doesn't say where", path, line)
			}
		}
	}
}

func TestFilesThatCannotBeRead(t *testing.T) {
	if _, err := experiment.Load("testdata/none.yml"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: error %v", err)
	}
	if _, err := experiment.Load("testdata"); err == nil || !strings.Contains(err.Error(), "testdata") {
		t.Errorf("a folder: error %v", err)
	}
	huge := write(t, "# "+strings.Repeat("x", 1<<20))
	if _, err := experiment.Load(huge); err == nil || !strings.Contains(err.Error(), "more than 1048576 bytes") {
		t.Errorf("a huge file: error %v", err)
	}
}

func TestFilesThatSayNothingAreTheDefault(t *testing.T) {
	for _, text := range []string{"", "\n\n", "# only a comment\n", "---\n", "{}", "\ufeffseed: 1\n", "seed: 1\r\n"} {
		if c := mustLoad(t, write(t, text)); !reflect.DeepEqual(c, standard(t)) {
			t.Errorf("%q: differs from the default by %q", text, configs.Diff(standard(t), c))
		}
	}
}

func TestDefaultIsValid(t *testing.T) {
	if err := configs.Default().Validate(); err != nil {
		t.Error(err)
	}
}

func TestBasesAndOverridesLieOnTopOfEachOther(t *testing.T) {
	c := mustLoad(t, "testdata/base/child.yml", "data.options.valid=0.25", "seed=8", "model.options.multipliers=[1, 2]",
		"data.path=a=b", "model.options.attention=[]")
	want := standard(t)
	want.Seed = 8                    // the override, over the grandparent
	want.Data.Path = "a=b"           // an override
	want.Data.Size = 32              // the grandparent
	want.Model.Options["width"] = 24 // the parent, over the grandparent
	want.Model.Options["attention"] = []any{}
	want.Model.Options["multipliers"] = []any{1, 2}
	want.Diffusion.Options["beta_start"] = 0.002
	// Options of all four documents are there.
	for key, value := range (configs.Options{"crop": "whole", "test": 0.0, "cache": "c", "valid": 0.25}) {
		want.Data.Options[key] = value
	}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("differs by %q", configs.Diff(want, c))
	}
}

func TestABaseIsRelativeToItsFileOrAbsolute(t *testing.T) {
	below, err := filepath.Abs("testdata/base/grandparent.yml")
	if err != nil {
		t.Fatal(err)
	}
	if c := mustLoad(t, write(t, "base: "+below+"\n")); c.Seed != 7 {
		t.Errorf("seed %d, want the base's 7", c.Seed)
	}
}

func TestLoadingLeavesTheDefaultAsItWas(t *testing.T) {
	mustLoad(t, "testdata/base/child.yml")
	if got := configs.Default().Data.Options; got != nil {
		t.Errorf("loading changed the default options to %v", got)
	}
}

func TestBadOverridesAreNamed(t *testing.T) {
	for _, tt := range []struct{ override, want string }{
		{"frames.pst=10", `override "frames.pst=10": frames.pst: unknown key, did you mean past?`},
		{"frames.past", `override "frames.past": no equals sign, want path=value such as frames.past=10`},
		{"frames.past=", `override "frames.past=": frames.past: null, want an integer such as 10`},
		{"frames.past=1.5", `override "frames.past=1.5": frames.past: 1.5, want an integer such as 10`},
		{"frames.past.x=1", `override "frames.past.x=1": frames.past: a mapping, want an integer such as 10`},
		{"frames=3", `override "frames=3": frames: 3, want a mapping of settings`},
		{"model.width=2", `override "model.width=2": model.options.width: 2, want 4 to 4096`},
		{"model.multipliers=[1", `override "model.multipliers=[1": not YAML near here, want key: value lines ` +
			`(did not find expected ',' or ']')`},
		{"seed=1\n---\n2", `override "seed=1\n---\n2": a second document, want one`},
		{"base=tiny.yml", `override "base=tiny.yml": base: unknown key, want one of seed, frames, data, model, ` +
			`diffusion, optimizer, train, sampler`},
		{"data.size=36", `override "data.size=36": data.size: 36, want a multiple of 8, because the network halves it 3 times`},
		{"model.options.attention=[7]", `override "model.options.attention=[7]": model.options.attention[0]: 7 has no effect because ` +
			`the network's sizes are 64, 32, 16, 8`},
		{"diffusion.steps=50", `override "diffusion.steps=50": sampler.steps: 100, want at most diffusion.steps, which is 50`},
	} {
		if _, err := experiment.Load(write(t, ""), tt.override); err == nil || err.Error() != tt.want {
			t.Errorf("%s: error\n%v\nwant\n%s", tt.override, err, tt.want)
		}
	}
}

func TestProblemsOfAllDocumentsComeTogether(t *testing.T) {
	path := write(t, "seed: x\nframes: {pst: 1}\n")
	_, err := experiment.Load(path, "train.steps=many", "zebra=1")
	if err == nil || strings.Count(err.Error(), "\n") != 3 {
		t.Errorf("error %v, want 4 lines", err)
	}
}

func TestAFileThatIsSomethingElseEndsAfterSomeProblems(t *testing.T) {
	_, err := experiment.Load(write(t, strings.Repeat("a: b\n", 1000)))
	if err == nil {
		t.Fatal("no error")
	}
	lines := strings.Split(err.Error(), "\n")
	want := "c.yml:51:1: more problems from here on, which are not shown"
	if last := lines[len(lines)-1]; len(lines) != 51 || !strings.HasSuffix(last, want) {
		t.Errorf("%d lines, the last %s", len(lines), last)
	}
}

func TestSettingsWithoutEffect(t *testing.T) {
	cosine := write(t, "diffusion: {schedule: linear, options: {beta_start: 0.01}}\n")
	for _, tt := range []struct {
		name      string
		text      string
		overrides []string
		want      string // in the error; empty for none
	}{
		{name: "the default attention fits every size", text: "data: {size: 16}"},
		{name: "the default mask needs no future frames", text: "frames: {future: 0}"},
		{name: "hiding nothing is no setting", text: "frames: {past: 0, mask: {past: 0}}"},
		{name: "no frames at all are an unconditional model", text: "frames: {past: 0, future: 0}"},
		{name: "what a base set before its cause", text: "base: " + cosine + "\ndiffusion: {schedule: cosine}"},
		{name: "an override of the cause", text: "diffusion: {options: {beta_start: 0.01}}", overrides: []string{"diffusion.schedule=cosine"}},
		{name: "a value after its cause", text: "diffusion: {schedule: cosine}", overrides: []string{"diffusion.options.beta_end=0.01"},
			want: `override "diffusion.options.beta_end=0.01": diffusion.options.beta_end: 0.01 has no effect because`},
		{name: "both by overrides", overrides: []string{"diffusion.options.beta_end=0.01", "diffusion.schedule=cosine"},
			want: "diffusion.options.beta_end: 0.01 has no effect because"},
		{name: "attention that another size made useless", text: "model: {options: {attention: [32]}}", overrides: []string{"data.size=16"},
			want: "c.yml:1:31: model.options.attention[0]: 32 has no effect because the network's sizes are 16, 8, 4, 2"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := experiment.Load(write(t, tt.text), tt.overrides...)
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

func TestTheDefaultAttentionIsResolvedToTheSizesOfTheNetwork(t *testing.T) {
	if got := mustLoad(t, write(t, "data: {size: 16}")).Model.Options["attention"]; !reflect.DeepEqual(got, []any{8, 16}) {
		t.Errorf("attention %v, want 8 and 16 of 16, 8, 4, 2", got)
	}
}

func TestOptionsMergeAlsoInside(t *testing.T) {
	base := write(t, "data: {options: {speed: 1, fonts: {bold: true, size: 20}}}\n")
	c, err := configs.Catalogue{}.Load(write(t, "base: "+base+"\ndata: {options: {speed: 1.0, fonts: {size: 24}}}\n"), "data.options.fonts.bold=false")
	if err != nil {
		t.Fatal(err)
	}
	want := configs.Options{"speed": 1.0, "fonts": map[string]any{"bold": false, "size": 24}}
	if !reflect.DeepEqual(c.Data.Options, want) {
		t.Errorf("options %v, want %v", c.Data.Options, want)
	}
}

// Only problems that overrides have by themselves are theirs: with another file they are the same.
func TestProblemsOfOverridesAlone(t *testing.T) {
	for _, tt := range []struct {
		file      string
		overrides []string
		alone     bool
	}{
		{"", []string{"frames.past"}, true},
		{"", []string{"frames.pasta=1"}, true},
		{"", []string{"model.options.widht=8"}, true},
		{"", []string{"model.options.width=wide"}, true},
		{"", []string{"model.options.multipliers=[1, 0]"}, true},
		{"", []string{"frames.past=-1"}, true},
		{"", []string{"sampler.name=magic"}, true},
		{"", []string{"sampler.name=heun", "sampler.options.eta=0.5"}, true},
		{"sampler: {name: heun}\n", []string{"sampler.options.eta=0.5"}, false},
		{"", []string{"sampler.steps=20", "diffusion.steps=10"}, true},
		{"diffusion: {steps: 50}\n", []string{"sampler.steps=60"}, false},
		{"", []string{"sampler.steps=1001"}, false}, // only the default says that it is too many
		{"frames: {past: -1}\n", []string{"frames.future=0"}, false},
	} {
		_, err := experiment.Load(write(t, tt.file), tt.overrides...)
		if alone := errors.As(err, new(configs.OverrideError)); err == nil || alone != tt.alone {
			t.Errorf("%q over %q: error %v of the overrides alone: %t, want %t", tt.overrides, tt.file, err, alone, tt.alone)
		}
	}
}
