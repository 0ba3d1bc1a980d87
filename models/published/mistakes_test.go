package published

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mcvd/models"
	"mcvd/models/weights"
)

// What is no checkpoint at all is an error of Open that says what it is.
func TestWrongFiles(t *testing.T) {
	s := newSample(t)
	with := func(entry int, v any) list { l := s.checkpoint(); l[entry] = v; return l }
	adam := func(change func(parameter dict)) list {
		l := s.checkpoint()
		change(l[1].(dict)[0].value.(dict)[5].value.(dict))
		return l
	}
	group := func(v any) list {
		l := s.checkpoint()
		l[1].(dict)[1].value = v
		return l
	}
	state := s.state("module.", ofWeights, s.names)
	short := s.checkpoint()
	short[1].(dict)[0].value = short[1].(dict)[0].value.(dict)[1:]
	parameters := len(s.parameters())
	numbers := make(list, parameters)
	for i := range numbers {
		numbers[i] = i + 1
	}
	for _, tt := range []struct {
		name string
		root any
		want string
	}{
		{"two entries", list{state, s.adam(1)}, "a list of 2, want the published [model, optimizer, epoch, step, EMA]"},
		{"six entries", append(s.checkpoint(), 1), "a list of 6"},
		{"a tensor", s.tensor("betas", 0), "the file: got a tensor, want a dict of tensors"},
		{"an object", object{"torch.nn", "Linear"}, "the file: got an object of torch.nn.Linear, want a dict of tensors"},
		{"nothing", nil, "the file: got None"},
		{"a dict of dicts", dict{{"state_dict", state}}, "the file: entry state_dict is a dict, want tensors by name"},
		{"numbers for names", dict{{1, s.tensor("betas", 0)}}, "the file: entry 1 is a tensor, want tensors by name"},
		{"a list of numbers", list{1, 2, 3, 4}, "model state (entry 0 of the list): got the number 1"},
		{"the same name twice", append(state, pair{s.names[0], s.tensor("betas", 0)}), "betas: is in the file twice, with and without \"module.\""},
		{"step a text", with(3, "1234"), "step (entry 3 of the list): got a text, want a number of steps"},
		{"step a fraction", with(3, 1.5), "step (entry 3 of the list): got the number 1.5"},
		{"step below 0", with(3, -1), "step (entry 3 of the list): got -1, want 0 to"},
		{"step too high", with(3, 1<<40), "step (entry 3 of the list): got 1099511627776, want 0 to"},
		{"EMA a number", with(4, 3), "EMA state (entry 4 of the list): got the number 3"},
		{"no optimizer", with(1, nil), "optimizer state (entry 1 of the list): got None, want a dict"},
		{"an optimizer without state", with(1, dict{}), `optimizer state (entry 1 of the list): "state": got None`},
		{"state of too few", short, fmt.Sprintf("%d parameters, of which %d have a state; the model in the file has %[1]d", parameters, parameters-1)},
		{"no groups", group(nil), `"param_groups": got None, want a list of 1`},
		{"two groups", group(list{dict{}, dict{}}), `"param_groups": got a list of 2, want a list of 1`},
		{"a group without parameters", group(list{dict{{"lr", 1.0}}}), `"param_groups": "params": got None`},
		{"a parameter twice", group(list{dict{{"params", list{0, 0}}}}), `"params": entry 1 is 0`},
		{"parameters of another model", group(list{dict{{"params", list{0, 1}}}}), "2 parameters, of which"},
		{"other numbers", group(list{dict{{"params", numbers}}}), "parameter 135 (unet.all_modules.18.bias): state: got None, want a dict"},
		{"another optimizer", adam(func(p dict) { p[1].key = "momentum_buffer" }), "exp_avg: got None, want a tensor: not the state of Adam"},
		{"a mean that is no tensor", adam(func(p dict) { p[2].value = 1.0 }), "exp_avg_sq: got the number 1, want a tensor"},
		{"another step", adam(func(p dict) { p[0].value = 699 }), "step 699, want the 700 of unet.all_modules.0.weight"},
		{"no step", adam(func(p dict) { p[0].value = nil }), "parameter 5 (unet.all_modules.3.weight): step: got None"},
		{"a step below 0", adam(func(p dict) { p[0].value = -1 }), "step: got -1"},
		{"half a step", adam(func(p dict) { p[0].value = float32s([]float32{0.5}) }), "step: got [0.5], want one number of steps"},
		{"two steps", adam(func(p dict) { p[0].value = float32s([]float32{700, 700}, 2) }), "step: got [700 700], want one number"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := saved(t, tt.root)
			c, err := Open(path)
			if err == nil {
				c.Close()
				t.Fatalf("no error, want %q", tt.want)
			}
			if !strings.HasPrefix(err.Error(), path+": ") || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %q, want the path and %q in it", err, tt.want)
			}
		})
	}
}

// Files that neither PyTorch nor safetensors wrote.
func TestNoCheckpoint(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"empty": "", "text": "no weights\n", "json": `{"a": {"b": 1}}`, "brace": "\xff\xff\xff\xff\xff\xff\xff\x7f{}"} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(path); err == nil || !strings.HasPrefix(err.Error(), path) {
			t.Errorf("%s: error %v, want one that begins with the path", name, err)
		}
	}
	for _, path := range []string{dir, filepath.Join(dir, "missing.pt"), filepath.Join(dir, "text", "below.pt")} {
		if _, err := Open(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: error %v, want one with the path", path, err)
		}
	}
}

// All names that are missing, misshapen or too many are in one error, of the weights, the average
// and Adam's means.
func TestOtherWeights(t *testing.T) {
	s := newSample(t)
	mask, first := "unet.all_modules.2.weight", "unet.all_modules.0.weight"
	without := func(names ...string) []string {
		return slices.DeleteFunc(slices.Clone(s.names), func(n string) bool { return slices.Contains(names, n) })
	}
	more := func(state ordered, names ...string) ordered {
		for _, n := range names {
			state = append(state, pair{n, float32s(make([]float32, 6), 2, 3)})
		}
		return state
	}
	reshaped := func(state ordered, name string) ordered {
		i := slices.IndexFunc(state, func(p pair) bool { return p.key == name })
		v := state[i].value.(view)
		state[i].value = view{v.elements, 0, []int{v.count}, []int{1}}
		return state
	}
	all := s.state("", ofWeights, s.names)
	adam := func(mean int) list { // 1 for exp_avg, 2 for exp_avg_sq
		l := s.checkpoint()
		for _, parameter := range []int{3, 6} {
			l[1].(dict)[0].value.(dict)[parameter].value.(dict)[mean].value = float32s([]float32{1}, 1)
		}
		return l
	}
	for _, tt := range []struct {
		name string
		root any
		want []string
	}{
		{"missing", s.state("", ofWeights, without(mask, first)), []string{
			first + ": missing, want shape [32 8] (time0/w in mcvd)", mask + ": missing, want shape [2 4] (mask/w in mcvd)"}},
		{"unexpected", more(all, "unet.all_modules.99.weight", "extra"), []string{
			"unet.all_modules.99.weight: shape [2 3], not a parameter of this model", "extra: shape [2 3], not a parameter of this model"}},
		{"wrong shape", reshaped(s.state("", ofWeights, s.names), first), []string{first + ": shape [256], want [32 8]"}},
		{"missing in the average", list{all, dict{{"state", dict{}}}, 0, 1, s.state("", ofEMA, without(mask)[4:])}, []string{
			"EMA: " + mask + ": missing, want shape [2 4]"}},
		{"unexpected in the average", list{all, dict{{"state", dict{}}}, 0, 1, more(s.state("", ofEMA, s.parameters()), "extra")}, []string{
			"EMA: extra: shape [2 3], not a parameter"}},
		{"wrong shape in the average", list{all, dict{{"state", dict{}}}, 0, 1, reshaped(s.state("", ofEMA, s.parameters()), first)}, []string{
			"EMA: " + first + ": shape [256], want [32 8]"}},
		{"wrong shapes of Adam's means", adam(1), []string{"Adam's mean: unet.all_modules.1.bias: shape [1], want [32]",
			"Adam's mean: unet.all_modules.3.bias: shape [1], want [8]"}},
		{"wrong shapes of Adam's squares", adam(2), []string{"Adam's mean square: unet.all_modules.1.bias: shape [1], want [32]",
			"Adam's mean square: unet.all_modules.3.bias: shape [1], want [8]"}},
		{"weights and average wrong", list{s.state("", ofWeights, without(mask)), dict{{"state", dict{}}}, 0, 1, s.state("", ofEMA, without(mask)[4:])},
			[]string{"\n  " + mask + ": missing, want shape [2 4]"}},
	} {
		t.Run(tt.name, func(t *testing.T) { s.refuse(t, saved(t, tt.root), tt.want) })
	}
}

// refuse fails unless Entries has exactly these problems with a file.
func (s *sample) refuse(t *testing.T, path string, want []string) {
	t.Helper()
	_, err := opened(t, path).Entries(s.listing)
	if err == nil {
		t.Fatalf("no error, want %q", want)
	}
	first, problems, _ := strings.Cut(err.Error(), ":\n")
	problems = "\n" + problems
	if first != path+": not the weights of this configuration" {
		t.Errorf("error begins with %q", first)
	}
	if more := len(want) - 10; more > 0 {
		want = append(want[:10:10], fmt.Sprintf("\n  and %d more", more))
	}
	if got := strings.Count(problems, "\n"); got != len(want) {
		t.Errorf("%d problems, want %d:%s", got, len(want), problems)
	}
	for _, w := range want {
		if !strings.Contains(problems, w) {
			t.Errorf("want %q in:%s", w, problems)
		}
	}
}

// Own files are as strict: scopes must be whole, and nothing may be beside them.
func TestOtherOwnFiles(t *testing.T) {
	s := newSample(t)
	file := func(scopes ...string) map[string]weights.Entry {
		entries := map[string]weights.Entry{}
		for _, scope := range scopes {
			for _, w := range s.weights {
				name := scope + "/" + w.Path
				entries[name] = plain(name, w.Shape, s.want(w, ofWeights))
			}
		}
		return entries
	}
	sorted := func(entries map[string]weights.Entry, remove string, add ...weights.Entry) string {
		var all []weights.Entry
		for _, name := range slices.Sorted(maps.Keys(entries)) {
			if name != remove {
				all = append(all, entries[name])
			}
		}
		return written(t, append(all, add...))
	}
	extra := func(name string) weights.Entry { return plain(name, []int{1}, []float32{1}) }
	adam := []string{models.WeightsScope, models.AdamMeanScope, models.AdamSquareScope}
	for _, tt := range []struct {
		name, path string
		want       []string
	}{
		{"missing", sorted(file("model"), "model/mask/w"), []string{"mask/w: missing, want shape [2 4] (mask/w in mcvd)"}},
		{"unexpected", sorted(file("model"), "", extra("model/extra/w")), []string{"extra/w: shape [1], not a parameter"}},
		{"stray", sorted(file("model"), "", extra("extra/w")), []string{"extra/w: in none of the scopes of a checkpoint"}},
		{"missing in the average", sorted(file("model", "ema"), "ema/mask/w"), []string{"EMA: mask/w: missing"}},
		{"a mean missing", sorted(file(adam...), "adam/mean/mask/w"), []string{"Adam's mean: mask/w: missing"}},
		{"a square missing", sorted(file(adam...), "adam/square/mask/w"), []string{"Adam's mean square: mask/w: missing"}},
		{"a mean too many", sorted(file(adam...), "", extra("adam/mean/extra/w")), []string{"Adam's mean: extra/w: shape [1], not a parameter"}},
		{"means alone", sorted(file(adam[:2]...), ""), everyMissing(s, "Adam's mean square: ")},
		{"squares alone", sorted(file(adam[0], adam[2]), ""), everyMissing(s, "Adam's mean: ")},
	} {
		t.Run(tt.name, func(t *testing.T) { s.refuse(t, tt.path, tt.want) })
	}
	if _, err := Open(sorted(file(adam[1:]...), "")); err == nil || !strings.Contains(err.Error(), "no weights in it") {
		t.Errorf("Adam alone: error %v", err)
	}
}

func everyMissing(s *sample, what string) (want []string) {
	for _, w := range s.weights {
		want = append(want, what+w.Path+": missing")
	}
	return want
}

// Tensors of integers are an error where they are read.
func TestIntegersAreNoWeights(t *testing.T) {
	s := newSample(t)
	state := s.state("", ofWeights, s.names)
	v := state[5].value.(view)
	state[5].value = view{&elements{"LongStorage", v.count, nil}, 0, v.shape, v.stride}
	path := saved(t, state)
	entries, err := opened(t, path).Entries(s.listing)
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "out.safetensors")
	if err := weights.Write(out, nil, entries); err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "got I64") {
		t.Errorf("error %v, want the path and I64", err)
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("a file is left")
	}
}
