package experiment

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"mcvd/configs"
)

// Settings that a base wrote and that lost their effect since then are as if nobody had written them:
// the experiment is the same as without them, and what is stored of it is a file that can be loaded.
func TestInheritedSettingsWithoutEffectLeaveNoTrace(t *testing.T) {
	type idle struct{ base, cause, path string }
	all := []idle{
		{"frames: {mask: {past: 0.25}}\n", "frames.past=0", "frames.mask.past"},
		{"frames: {mask: {future: 0.25}}\n", "frames.future=0", "frames.mask.future"},
		{"data: {channels: 3, augment: {saturation: 0.25}}\n", "data.channels=1", "data.augment.saturation"},
		{"sampler: {published_last_denoise_label: true}\n", "sampler.last_denoise=false", "sampler.published_last_denoise_label"},
		{"sampler: {start: 0.5, published_start: true}\n", "sampler.start=0", "sampler.published_start"},
	}
	others := map[string]string{"data.path": "elsewhere", "data.fps": "5.0", "data.on_error": "fail",
		"train.teacher": "elsewhere", "train.sample_every": "7",
		"train.scores.every": "7", "train.scores.metrics": "[ssim]", "train.scores.clips": "7", "train.scores.frames": "7"}
	for _, table := range catalogue().Tables {
		for name, ignored := range table.Ignores {
			for _, path := range ignored.Paths {
				if others[path] == "" {
					t.Fatalf("%s: another value is missing here", path)
				}
				all = append(all, idle{nested(path, others[path]), table.Choice + "=" + name, path})
			}
		}
	}
	for _, i := range all {
		choice, name, _ := strings.Cut(i.cause, "=")
		cause := append(needs(choice, name), i.cause)
		if _, err := Load(write(t, i.base)); err != nil {
			t.Fatalf("%s: %v", i.path, err)
		}
		c, err := Load(write(t, "base: "+write(t, i.base)), cause...)
		if err != nil {
			t.Errorf("%s, %s: %v", i.path, i.cause, err)
			continue
		}
		without, err := Load(write(t, ""), cause...)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(c, without) {
			t.Errorf("%s, %s: differs from an experiment without it by %q", i.path, i.cause, configs.Diff(without, c))
		}
		path := write(t, string(c.YAML()))
		if _, err := Load(path); err != nil {
			text, _ := os.ReadFile(path)
			t.Errorf("%s, %s: what is stored can't be loaded: %v\n%s", i.path, i.cause, err, text)
		}
	}
	if len(all) < 7 {
		t.Errorf("only %d settings tried", len(all))
	}
}

// A schedule of the learning rate that never sets in is a mistake of who wrote it, but not of who cuts
// a training short, and a run that has one goes on.
func TestAScheduleThatNeverSetsIn(t *testing.T) {
	const short = "optimizer: {schedule: cosine, warmup_steps: 50}\ntrain: {steps: 50}\n"
	const long = "optimizer: {schedule: cosine, warmup_steps: 50}\ntrain: {steps: 51}\n"
	const want = `optimizer.schedule: "cosine" has no effect because training ends before the warm-up does (train.steps: 50, optimizer.warmup_steps: 50)`
	for _, tt := range []struct {
		text      string
		overrides []string
		refused   bool
	}{
		{short, nil, true},
		{short, []string{"optimizer.schedule=constant"}, false},
		{short, []string{"optimizer.options.final=1"}, false},
		{long, nil, false},
		{long, []string{"train.steps=50"}, false},
		{long, []string{"train.steps=50", "optimizer.schedule=cosine"}, true},
		{"base: " + write(t, long) + "\ntrain: {steps: 50}\n", nil, false},
		{"base: " + write(t, long) + "\ntrain: {steps: 50}\noptimizer: {schedule: cosine}\n", nil, true},
	} {
		_, err := Load(write(t, tt.text), tt.overrides...)
		if (err != nil) != tt.refused || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q, %q: error %v, want one: %t", tt.text, tt.overrides, err, tt.refused)
		}
	}
	if _, err := Parse("stored", []byte(short)); err != nil {
		t.Errorf("stored: %v", err)
	}
}
