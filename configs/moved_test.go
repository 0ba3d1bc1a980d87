package configs_test

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"mcvd/configs"
	"mcvd/configs/experiment"
)

// testdata/old holds what runs stored before settings moved into options, testdata/old/now the same
// experiments as they are written since.
func TestStoredFilesInTheOldSpellingMeanTheSame(t *testing.T) {
	for _, path := range glob(t, "testdata/old/*.yml") {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		want := mustLoad(t, filepath.Join("testdata/old/now", filepath.Base(path)))
		for way, read := range map[string]func() (*configs.Config, error){
			"Parse": func() (*configs.Config, error) { return experiment.Parse("stored", text) },
			"Load":  func() (*configs.Config, error) { return experiment.Load(path) },
		} {
			if got, err := read(); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%s: %s: error %v, differs by %q", path, way, err, configs.Diff(want, got))
			}
		}
	}
}

func TestOldSpellingsAreReadEverywhere(t *testing.T) {
	base := write(t, "model: {width: 24, attention: [8, 16], conditioning: spatin, spatin_width: 16}\ndiffusion: {beta_start: 0.002}\noptimizer: {ema_decay: 0.5}\n")
	c := mustLoad(t, write(t, "base: "+base+"\nmodel: {options: {width: 48}, blocks: 1}\nsampler: {eta: 0.5, start: 0.25, reference_start: true}\n"),
		"model.dropout=0", "model.options.head_channels=16", "sampler.reference_last_denoise_label=true", "diffusion.beta_end=0.03")
	want := standard(t)
	for key, value := range map[string]any{"width": 48, "attention": []any{8, 16}, "conditioning": "spatin", "spatin_width": 16, "blocks": 1,
		"dropout": 0.0, "head_channels": 16} {
		want.Model.Options[key] = value
	}
	want.Diffusion.Options["beta_start"], want.Diffusion.Options["beta_end"] = 0.002, 0.03
	want.Sampler.Options["eta"] = 0.5
	want.Optimizer.Options = configs.Options{"ema_decay": 0.5}
	want.Sampler.Start, want.Sampler.PublishedStart, want.Sampler.PublishedLastDenoiseLabel = 0.25, true, true
	if !reflect.DeepEqual(c, want) {
		t.Errorf("differs by %q", configs.Diff(want, c))
	}
}

func TestOldSpellingsWithMistakes(t *testing.T) {
	for _, tt := range []struct {
		text      string
		overrides []string
		want      string // the error; empty for none
	}{
		{text: "model:\n  width: 2\n", want: "c.yml:2:10: model.options.width: 2, want 4 to 4096"},
		{text: "model:\n  width: 32\n  width: 48\n", want: "c.yml:3:3: model.options.width: set twice, want it once (it is in line 2 too)"},
		{text: "model:\n  options: {width: 32}\n  width: 48\n", want: "c.yml:3:3: model.options.width: set twice, want it once (it is in line 2 too)"},
		{text: "model: {options: 3, width: 48}\n", want: "c.yml:1:18: model.options: 3, want a mapping\n" +
			"c.yml:1:21: model.width: unknown key, did you mean model.options.width?"},
		{text: "model: 3\n", want: "c.yml:1:8: model: 3, want a mapping of settings"},
		{text: "model: [width]\n", want: "c.yml:1:8: model: a list, want a mapping of settings"},
		{text: "sampler: {name: ddpm, eta: 0.5}\n", want: "c.yml:1:28: sampler.options.eta: 0.5 has no effect because sampler.name is ddpm"},
		{text: "sampler: {name: ddpm, eta: 0.0}\n"}, // what runs stored always says so
		{text: "optimizer: {ema: power, ema_decay: 0.9}\n", want: "c.yml:1:36: optimizer.options.ema_decay: 0.9 has no effect because optimizer.ema is power"},
		{text: "optimizer: {ema: power, ema_decay: 0.999}\n"},
		{text: "sampler: {name: ddpm}\n", overrides: []string{"sampler.eta=0.5"},
			want: `override "sampler.eta=0.5": sampler.options.eta: 0.5 has no effect because sampler.name is ddpm`},
	} {
		_, err := experiment.Load(write(t, tt.text), tt.overrides...)
		var got []string
		if err != nil {
			for line := range strings.SplitSeq(err.Error(), "\n") {
				if at := strings.Index(line, "c.yml:"); at > 0 {
					line = line[at:]
				}
				got = append(got, line)
			}
		}
		if strings.Join(got, "\n") != tt.want {
			t.Errorf("%q: error\n%v\nwant\n%s", tt.text, err, tt.want)
		}
	}
}

// Runs stored a decay beside an average that has none. They go on, and what they store is right.
func TestAStoredDecayOfAnotherAverageIsDropped(t *testing.T) {
	c, err := experiment.Parse("stored", []byte("optimizer: {ema: power, ema_decay: 0.9}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if want := (configs.Options{"sigma_rel": 0.1}); !reflect.DeepEqual(c.Optimizer.Options, want) {
		t.Errorf("options %v, want %v", c.Optimizer.Options, want)
	}
	mustLoad(t, write(t, string(c.YAML())))
}
