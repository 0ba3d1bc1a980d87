package schema

import (
	"maps"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"mcvd/configs"
	reading "mcvd/configs/experiment"
)

// TestWhatCannotBeDoneIsAnError changes a key of a whole file: the one line of the error names it,
// what was got and what is wanted.
func TestWhatCannotBeDoneIsAnError(t *testing.T) {
	const scale = ": frames of mcvd are in [-1, 1], and nothing else is done to them"
	for change, want := range map[string]string{
		"model.arch: unetmore3d":               "unetmore3d, want unetmore: mcvd has no other published network",
		"model.arch: ":                         "missing, which means ncsn in the published code, want unetmore",
		"model.version: SMLD":                  "SMLD, want DDPM, DDIM or FPNDM",
		"model.gamma: true":                    "true, want false: noise is always Gaussian in mcvd",
		"model.noise_in_cond: true":            "true, want false: past and future frames stay clean in mcvd",
		"model.output_all_frames: true":        "true, want false: networks of mcvd predict only the current frames",
		"model.time_conditional: false":        "false, want true: networks of mcvd are always told the timestep",
		"model.sigma_dist: geometric":          "geometric, want linear or cosine",
		"data.rescaled: false":                 "false, want true" + scale,
		"data.logit_transform: true":           "true, want false" + scale,
		"data.uniform_dequantization: true":    "true, want false" + scale,
		"data.gaussian_dequantization: true":   "true, want false" + scale,
		"image_mean: [0.5]":                    "a list, want none" + scale,
		"optim.optimizer: SGD":                 "SGD, want Adam: mcvd has no other",
		"optim.amsgrad: true":                  "true, want false: mcvd has no such form of Adam",
		"optim.weight_decay: -0.01":            "-0.01, want 0 or more, and finite (optimizer.weight_decay in mcvd)",
		"model.ema_rate: 1":                    "1, want 0 to below 1 (optimizer.options.ema_decay in mcvd)",
		"optim.grad_clip: 0":                   "0, want more than 0 (or no such key): in the published code it makes all gradients 0",
		"sampling.data_init: true":             "true, want false: windows of mcvd start from noise or from the frames before them",
		"sampling.subsample: 0":                "0, want 1 or more",
		"data.prob_mask_sync: true":            "true, want false, because frames.mask.past (0.5) and frames.mask.future (0.25) differ (frames.mask.together in mcvd)",
		"model.ngf: ":                          "missing, want an integer",
		"model.ch_mult: ":                      "missing, want a list of integers such as [1, 2]",
		"model.num_res_blocks: ":               "missing, want an integer",
		"model.attn_resolutions: ":             "missing, want a list of integers such as [1, 2]",
		"model.n_head_channels: ":              "missing, want an integer",
		"model.num_classes: ":                  "missing, want an integer",
		"model.sigma_begin: ":                  "missing, want a finite number",
		"model.sigma_end: ":                    "missing, want a finite number",
		"data.image_size: ":                    "missing, want an integer",
		"data.channels: ":                      "missing, want an integer",
		"data.num_frames: ":                    "missing, want an integer",
		"data.num_frames_cond: ":               "missing, want an integer",
		"model.ch_mult: 3":                     "3, want a list of integers such as [1, 2]",
		"model.ch_mult: [1, x]":                "a list, want a list of integers such as [1, 2]",
		"model.ch_mult: []":                    "0 levels, want 1 to 13 (model.options.multipliers in mcvd)",
		"model.ch_mult: [1, 0]":                "0, want 1 to 64 (model.options.multipliers[1] in mcvd)",
		"model.ngf: 1.5":                       "1.5, want an integer",
		"model.ngf: '64'":                      `"64", want an integer`,
		"model.ngf: 064":                       "064, want an integer",
		"model.ngf: {a: 1}":                    "a mapping, want an integer",
		"model.ngf: null":                      "null, want an integer",
		"model.ngf: 99999999999999999999":      "99999999999999999999, want an integer nearer to 0",
		"model.ngf: 2":                         "2, want 4 to 4096 (model.options.width in mcvd)",
		"model.n_head_channels: -2":            "-2, want 1 to 4096 (model.options.head_channels in mcvd)",
		"model.gamma: maybe":                   "maybe, want true or false",
		"model.gamma: 'true'":                  `"true", want true or false`,
		"model.dropout: 1":                     "1, want 0 to below 1 (model.options.dropout in mcvd)",
		"model.dropout: .nan":                  ".nan, want a finite number",
		"model.dropout: inf":                   "inf, want a finite number",
		"model.dropout: 0x1p-2":                "0x1p-2, want a finite number",
		"model.sigma_end: 0.05":                "0.05, want at most beta_end, which is 0.02 (diffusion.options.beta_start in mcvd)",
		"model.version: [DDPM]":                "a list, want a name",
		"model.spade: [1]":                     "a list, want true or false",
		"data.image_size: 60":                  "60, want a multiple of 8, because the network halves it 3 times (data.size in mcvd)",
		"data.channels: 2":                     "2, want 1 (grey) or 3 (RGB) (data.channels in mcvd)",
		"data.num_frames: 0":                   "0, want 1 to 1024 (frames.current in mcvd)",
		"data.prob_mask_cond: 1.5":             "1.5, want 0 to 1 (frames.mask.past in mcvd)",
		"data.dataset: [KTH]":                  "a list, want a name",
		"sampling.init_prev_t: 1":              "1, want 0 to below 1 (sampler.start in mcvd)",
		"training.batch_size: 0":               "0, want 1 to 65536 (train.batch in mcvd)",
		"training.sample_freq: -5":             "-5, want 0 to 1000000000 (train.sample_every in mcvd)",
		"training.snapshot_freq: 0":            "0, want 1 to 1000000000 (train.checkpoint_every in mcvd)",
		"training.n_iters: 1.0e+6":             "1.0e+6, want an integer",
		"optim.lr: 0":                          "0, want more than 0, and finite (optimizer.learning_rate in mcvd)",
		"optim: 5":                             "5, want a mapping of settings",
		"sampling: \"a\\nb\"":                  `"a\nb", want a mapping of settings`,
		"model.n_head_channels: 9999999999999": "9999999999999, want 1 to 4096 (model.options.head_channels in mcvd)",
	} {
		key, value, _ := strings.Cut(change, ": ")
		file := whole()
		if !strings.Contains(key, ".") { // a whole section
			for k := range file {
				if strings.HasPrefix(k, key+".") {
					delete(file, k)
				}
			}
		}
		file = file.with(key, value)
		c, notes, err := Translate("config.yml", file.yaml())
		if err == nil || c != nil || notes != nil {
			t.Errorf("%s: no error", change)
			continue
		}
		lines := strings.Split(err.Error(), "\n")
		if !slices.ContainsFunc(lines, func(line string) bool {
			return strings.HasPrefix(line, "config.yml:") && strings.HasSuffix(line, ": "+want) && strings.Contains(line, " "+key)
		}) || len(lines) > 1 {
			t.Errorf("%s: error\n%v\nwant one line that ends in\n%s: %s", change, err, key, want)
		}
	}
}

func TestDigitsAreCounted(t *testing.T) {
	_, _, err := Translate("config.yml", whole().with("data.dataset", "StochasticMovingMNIST", "data.num_digits", "0").yaml())
	if err == nil || !strings.HasSuffix(err.Error(), ": data.num_digits: 0, want 1 to 100") {
		t.Errorf("error %v", err)
	}
}

// TestAllProblemsAreShown in the order of the file; what is missing comes last.
func TestAllProblemsAreShown(t *testing.T) {
	text := "model:\n  gamma: true\n  ngf: many\n  gamma: false\ndata: {image_size: 64, image_size: 32, channels: [3]}\n" +
		"? [a]\n: b\n<<: {c: d}\n"
	_, _, err := Translate("config.yml", []byte(text))
	const syntax = `config.yml:4:3: model.gamma: set twice, want it once (it is in line 2 too)
config.yml:5:24: data.image_size: set twice, want it once (it is in line 5 too)
config.yml:6:3: : a list as a key, want a name
config.yml:8:1: <<: << as a key, want a name`
	if err == nil || err.Error() != syntax {
		t.Errorf("error\n%v\nwant\n%s", err, syntax)
	}
	text = "model:\n  gamma: true\n  ngf: many\n  sigma_dist: cosine\n  arch: unet\ndata: {image_size: 64, channels: [3]}\n"
	_, _, err = Translate("config.yml", []byte(text))
	const all = `config.yml:2:10: model.gamma: true, want false: noise is always Gaussian in mcvd
config.yml:3:8: model.ngf: many, want an integer
config.yml:5:9: model.arch: unet, want unetmore: mcvd has no other published network
config.yml:6:34: data.channels: a list, want an integer
config.yml: data.num_frames: missing, want an integer
config.yml: data.num_frames_cond: missing, want an integer
config.yml: model.ch_mult: missing, want a list of integers such as [1, 2]
config.yml: model.num_res_blocks: missing, want an integer
config.yml: model.attn_resolutions: missing, want a list of integers such as [1, 2]
config.yml: model.n_head_channels: missing, want an integer
config.yml: model.num_classes: missing, want an integer`
	if err == nil || err.Error() != all {
		t.Errorf("error\n%v\nwant\n%s", err, all)
	}
}

// TestFilesThatAreNoConfiguration are refused in one line that names the file.
func TestFilesThatAreNoConfiguration(t *testing.T) {
	bomb := "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
	for _, name := range "bcdefghi" {
		item := "*" + string(name-1)
		bomb += string(name) + ": &" + string(name) + " [" + strings.Repeat(item+", ", 9) + item + "]\n"
	}
	for name, c := range map[string]struct{ text, want string }{
		"empty":            {"", "config.yml: empty, want sections"},
		"a comment":        {"# nothing\n", "config.yml: empty, want sections"},
		"null":             {"---\n", "config.yml:2:1: null, want sections"},
		"a list":           {"- 1\n- 2\n", "config.yml:1:1: a list, want sections"},
		"text":             {"weights", "config.yml:1:1: weights, want sections"},
		"two documents":    {"model: {ngf: 3}\n---\nmodel: {}\n", "config.yml:2: a second document, want one"},
		"broken":           {"model: [1, 2\n", "config.yml: not YAML: line 1"},
		"broken later":     {"model: {}\n---\n[", "config.yml: not YAML: "},
		"a tab":            {"model:\n\tngf: 3\n", "config.yml: not YAML: line 2"},
		"no anchor":        {"model: *gone\n", "config.yml: not YAML: unknown anchor"},
		"control":          {"a: \x01", "config.yml: not YAML: control characters"},
		"not UTF-8":        {"a: \xff", "config.yml: not YAML: "},
		"deep":             {strings.Repeat("[", 20000), "config.yml: not YAML: "},
		"deep mappings":    {strings.Repeat("{a: ", 20000), "config.yml: not YAML: "},
		"long":             {strings.Repeat("#", maxFile+1), "config.yml: 1048577 bytes, want a configuration of at most"},
		"an alias bomb":    {bomb + "model: *i\n", "config.yml:9:4: model: a list, want a mapping of settings"},
		"in itself":        {"model: &m\n  ngf: *m\n", "config.yml:1:8: model.ngf: a mapping, want an integer"},
		"a list in itself": {"model:\n  ch_mult: &m [*m]\n", "config.yml:2:12: model.ch_mult: a list, want a list of integers"},
		"of this project":  {string(configs.Default().YAML()), "config.yml: data.num_frames: missing"},
	} {
		got, notes, err := Translate("config.yml", []byte(c.text))
		if err == nil || got != nil || notes != nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
		if err != nil && len(err.Error()) > 10000 {
			t.Errorf("%s: an error of %d bytes", name, len(err.Error()))
		}
	}
}

func TestManyProblemsAreCutShort(t *testing.T) {
	_, _, err := Translate("config.yml", []byte("model:\n"+strings.Repeat("  ngf: 3\n", 200)))
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != maxProblems+1 || lines[maxProblems] != "config.yml: 149 more problems, which are not shown" {
		t.Errorf("%d lines, the last %q", len(lines), lines[len(lines)-1])
	}
}

// TestEveryKeyMatters removes and spoils each key of a whole file in turn: what is accepted is
// valid, and a wrong type is seen.
func TestEveryKeyMatters(t *testing.T) {
	for key := range whole() {
		if c, _, err := Translate("config.yml", whole().with(key, "").yaml()); err == nil {
			checkRoundTrip(t, "without "+key, c)
		}
		if _, _, err := Translate("config.yml", whole().with(key, "{a: [b]}").yaml()); err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%s as a mapping: error %v, want one that names it", key, err)
		}
	}
}

// FuzzTranslate checks that whatever is accepted is valid and survives being written and read.
func FuzzTranslate(f *testing.F) {
	text, err := os.ReadFile("testdata/config.yml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add(whole().yaml())
	for _, e := range experiments {
		f.Add(e.file().yaml())
	}
	rng := rand.New(rand.NewPCG(1, 2))
	values := []string{"0", "-1", "1e9", "true", "null", "[]", "[1, 1]", "cosine", "FPNDM", "*a", "&a 3", "!!python/tuple [1]", "9223372036854775807"}
	keys := slices.Sorted(maps.Keys(whole()))
	for range 20 { // all seeds are read before anything else is
		f.Add(whole().with(keys[rng.IntN(len(keys))], values[rng.IntN(len(values))], keys[rng.IntN(len(keys))], values[rng.IntN(len(values))]).yaml())
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		Is(text)
		c, _, err := Translate("config.yml", text)
		if err != nil {
			if c != nil || !strings.HasPrefix(err.Error(), "config.yml:") {
				t.Errorf("configuration %v with the error %v", c, err)
			}
			return
		}
		if err := reading.Resolve(c); err != nil {
			t.Error(err)
		}
		if again, err := reading.Parse("config.yml", c.YAML()); err != nil || !reflect.DeepEqual(again, c) {
			t.Errorf("read back (%v): %v", err, configs.Diff(c, again))
		}
	})
}

// FuzzRead reads any text as far as it goes without what there is to choose from, which takes most of
// the time of FuzzTranslate: it always reads the same, and each problem and each note is a line.
func FuzzRead(f *testing.F) {
	f.Add(whole().yaml())
	f.Add([]byte("data: &a {num_frames: 1, num_frames_cond: [1]}\nmodel: *a\noptim: !!python/object:x.y {lr: .inf}\n"))
	f.Add([]byte("data: [\n"))
	read := func(text []byte) (string, *configs.Config) {
		r := newReader("config.yml")
		if err := r.load(text); err != nil {
			return err.Error(), nil
		}
		c := r.translate()
		said := slices.Clone(r.notes)
		if err := r.err(); err != nil {
			said = append(said, err.Error())
		}
		return strings.Join(said, "\n"), c
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		said, c := read(text)
		if again, same := read(text); again != said || !reflect.DeepEqual(same, c) {
			t.Errorf("read twice: %q and %q", said, again)
		}
		if said != "" && slices.Contains(strings.Split(said, "\n"), "") {
			t.Errorf("an empty line in %q", said)
		}
	})
}
