package configs_test

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"mcvd/configs"
	"mcvd/configs/experiment"
)

// anyConfig draws valid configurations, in which settings without effect have their defaults.
func anyConfig(t *rapid.T) *configs.Config {
	count := func(low, high int, name string) int { return rapid.IntRange(low, high).Draw(t, name) }
	real := func(low, high float64, name string) float64 { return rapid.Float64Range(low, high).Draw(t, name) }
	flag := func(name string) bool { return rapid.Bool().Draw(t, name) }
	pick := func(name string, known ...string) string { return rapid.SampledFrom(known).Draw(t, name) }
	c := configs.Default()
	c.Seed = rapid.Uint64().Draw(t, "seed")
	c.Frames.Past, c.Frames.Current, c.Frames.Future = count(0, 3, "past"), count(1, 9, "current"), count(0, 3, "future")
	if c.Frames.Past > 0 {
		c.Frames.Mask.Past = real(0, 1, "mask past")
	}
	if c.Frames.Future > 0 {
		c.Frames.Mask.Future = real(0, 1, "mask future")
	}
	c.Data = configs.Data{Name: pick("data", "digits", "folder", "true", "no"), Path: rapid.StringN(1, -1, -1).Draw(t, "path"),
		Size: count(1, 9, "size"), Width: 10 * count(0, 9, "width"), Channels: 1, FPS: real(0, 60, "fps"),
		Stride: count(1, 1024, "stride"), Start: pick("start", "random", "even"), Windows: count(1, 1e6, "windows"),
		Augment: configs.Augment{Reverse: flag("reverse"), FlipVertical: flag("flip vertical"), Zoom: real(0, 0.9, "zoom"),
			Brightness: real(0, 1, "brightness"), Contrast: real(0, 1, "contrast")},
		Flip: flag("flip"), OnError: pick("on error", "skip", "fail"), Options: anyOptions().Draw(t, "options")}
	if len(c.Data.Options) == 0 {
		c.Data.Options = nil
	}
	c.Model.Options = anyOptions().Draw(t, "model options")
	if len(c.Model.Options) == 0 {
		c.Model.Options = nil
	}
	c.Diffusion.Steps, c.Diffusion.Schedule, c.Diffusion.Loss = count(2, 2000, "T"), pick("schedule", "linear", "cosine", "1.0"), pick("loss", "l1", "l2")
	c.Optimizer.LearningRate, c.Optimizer.Epsilon = real(1e-300, 1e300, "rate"), real(1e-300, 1, "epsilon")
	c.Sampler.Steps, c.Sampler.Clip = count(1, c.Diffusion.Steps, "steps"), flag("clip")
	c.Sampler.LastDenoise = flag("last denoise")
	c.Sampler.PublishedLastDenoiseLabel = c.Sampler.LastDenoise && flag("label")
	c.Sampler.Start = min(real(0, 1, "sampler start"), float64(c.Sampler.Steps-1)/float64(c.Diffusion.Steps)/2)
	c.Sampler.PublishedStart = c.Sampler.Start > 0 && flag("published start")
	return c
}

// anyOptions draws what a file can say below options: all but nulls.
func anyOptions() *rapid.Generator[configs.Options] {
	scalar := rapid.OneOf(rapid.Int().AsAny(), rapid.Bool().AsAny(), rapid.String().AsAny(),
		rapid.Float64().AsAny(), rapid.SampledFrom([]any{"null", "1", "~", "<<", "yes", "0x1", "2024-01-02", " ", 1.0, -0.5}))
	list := rapid.Map(rapid.SliceOfN(scalar, 0, 3), func(l []any) any { return l })
	inner := rapid.Map(rapid.MapOfN(rapid.String(), rapid.OneOf(scalar, list), 0, 3),
		func(m map[string]any) any { return m })
	return rapid.Map(rapid.MapOfN(rapid.String(), rapid.OneOf(scalar, list, inner), 0, 3),
		func(m map[string]any) configs.Options { return m })
}

func TestParseReadsWhatYAMLWrites(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := anyConfig(t)
		if err := c.Validate(); err != nil {
			t.Fatalf("the test draws an invalid config: %v", err)
		}
		text := c.YAML()
		read, err := configs.Catalogue{}.Parse("stored", text) // which leaves options alone
		if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		if !reflect.DeepEqual(read, c) || len(configs.Diff(read, c)) > 0 {
			t.Fatalf("differs by %q in\n%s", configs.Diff(c, read), text)
		}
	})
}

func TestYAMLLeavesOutWhatHasNoEffectAndItsDefault(t *testing.T) {
	c := mustLoad(t, "digits.yml")
	if text := string(c.YAML()); strings.Contains(text, "path:") || strings.Contains(text, "fps:") || strings.Contains(text, "on_error:") || !strings.Contains(text, "beta_start:") {
		t.Errorf("want no path and the betas in\n%s", text)
	}
	c.Data.Path = "elsewhere/"
	if text := string(c.YAML()); !strings.Contains(text, "path: elsewhere/") {
		t.Errorf("want the path, which isn't the default, in\n%s", text)
	}
}

func TestParseAcceptsStoredSettingsWithoutEffectButNoBase(t *testing.T) {
	if _, err := experiment.Parse("stored", []byte("data: {name: digits, path: x/}\n")); err != nil {
		t.Error(err)
	}
	for text, want := range map[string]string{
		"base: tiny.yml\n":       "stored:1:1: base: unknown key, want one of seed,",
		"frames: {current: 0}\n": "stored:1:19: frames.current: 0, want 1 to 1024",
	} {
		if _, err := experiment.Parse("stored", []byte(text)); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: error %v, want %s", text, err, want)
		}
	}
}

// FuzzParse looks for text on which the decoder panics or never ends, and for accepted text that
// isn't a valid config.
func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"testdata/bad/*.yml", "testdata/old/*.yml", "testdata/*.golden", "testdata/base/*.yml"} {
		for _, path := range glob(f, pattern) {
			text, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(text)
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := experiment.Parse("fuzz", text)
		if err != nil {
			if strings.Contains(err.Error(), "\n\n") || err.Error() == "" {
				t.Errorf("error %q has an empty line", err)
			}
			return
		}
		if err := experiment.Resolve(c); err != nil {
			t.Error(err)
		}
		read, err := experiment.Parse("fuzz", c.YAML())
		if err != nil || len(configs.Diff(c, read)) > 0 {
			t.Errorf("error %v reading back\n%s", err, c.YAML())
		}
	})
}

// FuzzOverride reads any text and an override over it, without implementations, whose settings
// FuzzParse reads. A mistake is that of the override or of the text, and what is accepted can be
// written and read back.
func FuzzOverride(f *testing.F) {
	f.Add("seed: 1\nframes: {past: 2, current: 3}\n", "frames.past=10")
	f.Add("data: {options: {a: {b: 1}}}\n", "data.options={a: {c: [1, x, 2.5]}}")
	f.Add("", "model.options.attention=[32]")
	f.Add("data: {name: digits}", "data.options.a.b.c.d=")
	f.Add("{", "=&a *a")
	f.Add("", "..=1")
	f.Fuzz(func(t *testing.T, text, override string) {
		c, err := configs.Catalogue{}.Parse("fuzz", []byte(text), override)
		if err != nil {
			for line := range strings.SplitSeq(err.Error(), "\n") {
				if line == "" {
					t.Errorf("error %q has an empty line", err)
				}
			}
			return
		}
		read, err := configs.Catalogue{}.Parse("fuzz", c.YAML())
		if err != nil || len(configs.Diff(c, read)) > 0 {
			t.Errorf("error %v reading back\n%s", err, c.YAML())
		}
	})
}
