package schema

import (
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"mcvd/configs"
	reading "mcvd/configs/experiment"
)

// published holds what one published experiment has of its own.
type published struct {
	name                  string
	dataset               string
	size, channels        int
	past, current, future int
	maskPast, maskFuture  float64
	width, spatin, head   int // spatin 0 is concat
	multipliers           []int
	blocks                int
	attention             []int // as it must arrive
	dropout               float64
	batch, warmup         int
	rate                  float64
	steps                 int // of the sampler
}

var (
	four  = []int{1, 2, 3, 4}
	five  = []int{1, 1, 2, 3, 4}
	usual = []int{8, 16, 32}
)

// experiments are those of the paper and of the published files.
var experiments = []published{
	{"SMMNIST concat", "StochasticMovingMNIST", 64, 1, 5, 5, 0, 0, 0, 64, 0, 64, four, 2, usual, 0.1, 64, 1000, 2e-4, 100},
	{"SMMNIST SPATIN", "StochasticMovingMNIST", 64, 1, 5, 5, 0, 0, 0, 64, 128, 64, four, 2, usual, 0.1, 64, 1000, 2e-4, 1000},
	{"SMMNIST past masked", "StochasticMovingMNIST", 64, 1, 5, 5, 0, 0.5, 0, 64, 0, 64, four, 2, usual, 0.1, 64, 1000, 2e-4, 100},
	{"SMMNIST interpolation", "StochasticMovingMNIST", 64, 1, 5, 10, 5, 0, 0, 64, 128, 64, four, 2, usual, 0.1, 64, 1000, 2e-4, 100},
	{"SMMNIST general", "StochasticMovingMNIST", 64, 1, 5, 5, 5, 0.5, 0.5, 64, 128, 64, four, 2, usual, 0.1, 64, 1000, 2e-4, 100},
	{"KTH concat", "KTH", 64, 1, 10, 5, 0, 0, 0, 96, 0, 96, four, 2, usual, 0.1, 64, 5000, 2e-4, 100},
	{"KTH SPATIN", "KTH", 64, 1, 10, 5, 0, 0, 0, 192, 192, 96, four, 2, usual, 0.1, 64, 5000, 2e-4, 100},
	{"KTH prediction and interpolation", "KTH", 64, 1, 10, 10, 5, 0, 0.5, 96, 128, 96, four, 2, usual, 0.1, 64, 5000, 2e-4, 100},
	{"KTH general", "KTH", 64, 1, 5, 5, 5, 0.5, 0.5, 96, 0, 96, four, 2, usual, 0.1, 64, 5000, 2e-4, 100},
	{"BAIR concat", "BAIR", 64, 3, 1, 5, 0, 0, 0, 192, 0, 192, four, 2, usual, 0.1, 64, 5000, 1e-4, 100},
	{"BAIR past masked", "BAIR", 64, 3, 2, 5, 0, 0.5, 0, 192, 0, 192, four, 2, usual, 0.1, 64, 5000, 1e-4, 100},
	{"BAIR SPATIN", "BAIR", 64, 3, 1, 5, 0, 0.5, 0, 192, 128, 192, four, 2, usual, 0.1, 64, 5000, 1e-4, 100},
	{"BAIR general", "BAIR", 64, 3, 2, 5, 2, 0.5, 0.5, 192, 0, 192, four, 2, usual, 0.1, 64, 5000, 1e-4, 100},
	{"BAIR small", "BAIR", 64, 3, 2, 10, 0, 0, 0, 32, 0, 64, []int{1, 2, 2, 2}, 3, usual, 0.1, 64, 5000, 1e-4, 100},
	{"Cityscapes concat", "Cityscapes", 128, 3, 2, 5, 0, 0, 0, 192, 0, 192, five, 2, usual, 0, 32, 5000, 1e-4, 100},
	{"Cityscapes SPATIN", "Cityscapes", 128, 3, 2, 5, 2, 0.5, 0, 256, 128, 256, five, 2, usual, 0, 16, 5000, 1e-4, 100},
	{"Cityscapes small", "Cityscapes", 128, 3, 2, 2, 0, 0, 0, 32, 0, 64, []int{1, 2, 2, 2}, 3, []int{16, 32}, 0, 64, 5000, 1e-4, 100},
	{"UCF-101 concat", "UCF101", 64, 3, 4, 4, 0, 0, 0, 288, 0, 288, four, 2, usual, 0.1, 32, 5000, 1e-4, 100},
	{"UCF-101 SPATIN", "UCF101", 64, 3, 4, 4, 4, 0.5, 0.5, 288, 192, 288, four, 2, usual, 0.1, 32, 5000, 1e-4, 100},
}

// file writes an experiment in the published schema.
func (e published) file() settings {
	list := func(v []int) string { return strings.ReplaceAll(fmt.Sprint(v), " ", ", ") }
	s := whole()
	for key, v := range map[string]any{
		"data.dataset": e.dataset, "data.image_size": e.size, "data.channels": e.channels, "data.num_frames": e.current,
		"data.num_frames_cond": e.past, "data.num_frames_future": e.future, "data.prob_mask_cond": e.maskPast,
		"data.prob_mask_future": e.maskFuture, "model.ngf": e.width, "model.n_head_channels": e.head, "model.ch_mult": list(e.multipliers),
		"model.num_res_blocks": e.blocks, "model.attn_resolutions": list(usual), "model.dropout": e.dropout, "training.batch_size": e.batch,
		"optim.warmup": e.warmup, "optim.lr": e.rate, "sampling.subsample": e.steps, "model.spade": e.spatin > 0,
	} {
		s[key] = fmt.Sprint(v)
	}
	if e.spatin > 0 {
		s["model.spade_dim"] = fmt.Sprint(e.spatin)
	}
	return s
}

// want is the same experiment in this project's terms.
func (e published) want() *configs.Config {
	c := configs.Default()
	c.Frames = configs.Frames{Past: e.past, Current: e.current, Future: e.future,
		Mask: configs.Mask{Kind: "blocks", Past: e.maskPast, Future: e.maskFuture}, Times: configs.Times{Kind: "consecutive"}}
	c.Data.Size, c.Data.Channels = e.size, e.channels
	if e.dataset == "StochasticMovingMNIST" {
		c.Data.Name, c.Data.Flip = "digits", false
	}
	c.Model = configs.Model{Network: "unet", Options: configs.Options{"conditioning": "concat", "width": e.width, "multipliers": e.multipliers,
		"blocks": e.blocks, "attention": e.attention, "head_channels": e.head, "dropout": e.dropout, "mask_embedding": false, "self_conditioning": false, "level_per_frame": false, "frame_times": false, "past_noise": false}}
	if e.spatin > 0 {
		c.Model.Options["conditioning"], c.Model.Options["spatin_width"] = "spatin", e.spatin
	}
	c.Diffusion = configs.Diffusion{Steps: 1000, Schedule: "linear", Options: configs.Options{"beta_start": 0.0001, "beta_end": 0.02}, Target: "eps", Weight: "simple", Levels: "uniform", FrameLevels: "equal", Loss: "l2", Variance: "fixed"}
	c.Optimizer = configs.Optimizer{Name: "adamw", Schedule: "constant", EMA: "constant", LearningRate: e.rate, WarmupSteps: e.warmup, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, ClipNorm: 1,
		Options: configs.Options{"ema_decay": 0.999}}
	c.Train = configs.Train{Distillation: "progressive", Precision: "float32", Devices: 1, Batch: e.batch, Steps: 3000001, Ranks: configs.Ranks{Name: "gradients"}, Accumulate: 1, CheckpointEvery: 1000, Keep: 3, Patience: 3600, OnDivergence: "stop", ValidateEvery: 1000, TensorBoard: true, Scores: c.Train.Scores,
		SampleEvery: 50000}
	c.Sampler = configs.Sampler{Precision: "float32", Spacing: "uniform", Name: "ddpm", Steps: e.steps, Clip: true, LastDenoise: true,
		Guidance: configs.Guidance{Name: "none"}}
	return c
}

func TestPublishedExperimentsAreTranslatedKeyByKey(t *testing.T) {
	for _, e := range experiments {
		got, notes := e.file().translate(t)
		want := e.want()
		complete(t, e.name, want)
		complete(t, e.name, got)
		if diff := configs.Diff(want, got); len(diff) > 0 || !reflect.DeepEqual(want, got) {
			t.Errorf("%s: differs from what it must be:\n%s", e.name, strings.Join(diff, "\n"))
		}
		if !mentions(notes, "data.dataset: "+e.dataset) || mentions(notes, "sampling.denoise: ") != (e.steps < 1000) {
			t.Errorf("%s: notes %q, want one about the data set and one about the last denoising", e.name, notes)
		}
		if slices.ContainsFunc(notes, func(n string) bool { return strings.Contains(n, "unknown") || strings.Contains(n, "missing") }) {
			t.Errorf("%s: notes %q, want nothing unknown or missing", e.name, notes)
		}
		checkRoundTrip(t, e.name, got)
	}
}

// complete fills in the options of data, too.
func complete(t *testing.T, name string, c *configs.Config) {
	t.Helper()
	if err := reading.Resolve(c); err != nil {
		t.Errorf("%s: %v", name, err)
	}
}

// checkRoundTrip writes c and reads it again, as a run folder's configuration and as somebody's own
// file.
func checkRoundTrip(t *testing.T, name string, c *configs.Config) {
	t.Helper()
	complete(t, name, c)
	again, err := reading.Parse("config.yml", c.YAML())
	if err != nil || !reflect.DeepEqual(again, c) {
		t.Errorf("%s: read back (%v) differs:\n%s", name, err, strings.Join(configs.Diff(c, again), "\n"))
	}
	path := t.TempDir() + "/config.yml"
	if err := os.WriteFile(path, c.YAML(), 0o644); err != nil {
		t.Fatal(err)
	}
	if again, err = reading.Load(path); err != nil || !reflect.DeepEqual(again, c) {
		t.Errorf("%s: loaded strictly (%v), it differs", name, err)
	}
}

// TestSavedFixture reads the configuration of a network fixture, which the published code wrote.
func TestSavedFixture(t *testing.T) {
	text, err := os.ReadFile("testdata/config.yml")
	if err != nil {
		t.Fatal(err)
	}
	c, notes, err := Translate("testdata/config.yml", text)
	if err != nil {
		t.Fatal(err)
	}
	if !Is(text) || Is(c.YAML()) {
		t.Error("the schemas are taken for each other")
	}
	want := configs.Model{Network: "unet", Options: configs.Options{"conditioning": "spatin", "spatin_width": 10, "width": 12,
		"multipliers": []any{1, 1, 2}, "blocks": 2, "attention": []any{4, 8}, "head_channels": 12, "dropout": 0.0, "mask_embedding": false, "self_conditioning": false, "level_per_frame": false, "frame_times": false, "past_noise": false}}
	if !reflect.DeepEqual(c.Model, want) {
		t.Errorf("model %+v, want %+v", c.Model, want)
	}
	if c.Frames != (configs.Frames{Past: 1, Current: 3, Mask: configs.Mask{Kind: "blocks", Past: 0.5}, Times: configs.Times{Kind: "consecutive"}}) || c.Data.Size != 16 || c.Data.Channels != 3 {
		t.Errorf("frames %+v, data %+v", c.Frames, c.Data)
	}
	if c.Sampler.Steps != 10 || c.Train.Batch != 4 || c.Train.Steps != configs.Default().Train.Steps || c.Optimizer.WarmupSteps != 10 {
		t.Errorf("sampler %+v, train %+v, optimizer %+v", c.Sampler, c.Train, c.Optimizer)
	}
	for _, start := range []string{"data.prob_mask_future: 0.5 has no effect", "missing, so these keep their defaults: training.n_iters (train.steps), training.snapshot_freq"} {
		if !mentions(notes, start) {
			t.Errorf("notes %q, want one that begins with %q", notes, start)
		}
	}
	checkRoundTrip(t, "fixture", c)
}

func TestIsTellsTheSchemasApart(t *testing.T) {
	for text, want := range map[string]bool{
		string(whole().yaml()):           true,
		string(configs.Default().YAML()): false,
		"model: {ngf: 64}":               true,
		"data: {dataset: KTH}":           true,
		"training: {batch_size: 3}":      true,
		"optim: {}":                      true,
		"!!python/object:argparse.Namespace\nsampling: !!python/object:argparse.Namespace\n  subsample: 10\n": true,
		"train: {batch: 3}\ntraining: {}": false, // a slip in one of our own files
		"base: demo.yml\noptim: {}":       false,
		"data: {name: digits}":            false,
		"model: {width: 8}":               false,
		"":                                false,
		"- a list":                        false,
		"training: [":                     false,
		"training: {}\n---\n":             false,
	} {
		if got := Is([]byte(text)); got != want {
			t.Errorf("Is(%.40q) = %v, want %v", text, got, want)
		}
	}
}

// TestDumpOfNamespaces reads what Python writes of its own objects: tags, tuples, anchors and
// aliases.
func TestDumpOfNamespaces(t *testing.T) {
	plain := whole()
	want, _ := plain.translate(t)
	text := "!!python/object:argparse.Namespace\n" + string(plain.with("model.ch_mult", "&id001 !!python/tuple\n  - 1\n  - 2\n  - 3\n  - 4",
		"device", "!!python/object/apply:torch.device\n- cuda").yaml()) + "test: *id001\n"
	text = strings.ReplaceAll(text, "model:\n", "model: !!python/object:argparse.Namespace\n")
	got, notes, err := Translate("config.yml", []byte(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if diff := configs.Diff(want, got); len(diff) > 0 {
		t.Errorf("differs: %v", diff)
	}
	if strings.Contains(strings.Join(notes, "\n"), "unknown") {
		t.Errorf("notes %q, want nothing unknown", notes)
	}
	aliased := plain.with("model.ch_mult", "*list", "aaa", "&list [1, 2, 3, 4]").yaml()
	if got, _, err = Translate("config.yml", aliased); err != nil || len(configs.Diff(want, got)) > 0 {
		t.Errorf("an alias of a list: error %v", err)
	}
}
