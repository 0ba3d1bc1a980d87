package experiment

import (
	"os"
	"reflect"
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
		{"sampler: {published_last_denoise_label: true}\n", "sampler.last_denoise=false", "sampler.published_last_denoise_label"},
		{"sampler: {start: 0.5, published_start: true}\n", "sampler.start=0", "sampler.published_start"},
	}
	others := map[string]string{"data.path": "elsewhere", "data.fps": "5.0", "data.on_error": "fail"}
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
		if _, err := Load(write(t, i.base)); err != nil {
			t.Fatalf("%s: %v", i.path, err)
		}
		c, err := Load(write(t, "base: "+write(t, i.base)), i.cause)
		if err != nil {
			t.Errorf("%s, %s: %v", i.path, i.cause, err)
			continue
		}
		without, err := Load(write(t, ""), i.cause)
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
