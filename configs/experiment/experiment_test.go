package experiment

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"mcvd/configs"
)

// write makes a file of the test and returns its path.
func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "c.yml")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// nested writes a setting at a YAML path as a document in one line.
func nested(path, value string) string {
	parts := strings.Split(path, ".")
	return strings.Join(parts, ": {") + ": " + value + strings.Repeat("}", len(parts)-1) + "\n"
}

// flow writes an option's default as YAML.
func flow(value any) string {
	if items, ok := value.([]any); ok {
		texts := make([]string, len(items))
		for i, item := range items {
			texts[i] = flow(item)
		}
		return "[" + strings.Join(texts, ", ") + "]"
	}
	if text, ok := value.(string); ok {
		return fmt.Sprintf("%q", text)
	}
	return fmt.Sprint(value)
}

// options are the options of an implementation, nil if it has none.
func options(t configs.Table, name string) configs.Options {
	switch v := reflect.Indirect(reflect.ValueOf(t.Options[name])); {
	case v.Kind() != reflect.Struct:
		return nil
	default:
		for f := range v.Type().Fields() {
			if f.Tag.Get("yaml") != "" {
				return configs.OptionsOf(t.Options[name])
			}
		}
		return nil
	}
}

// needs are the settings without which an implementation is refused.
func needs(choice, name string) []string {
	switch name {
	case "classifier": // as a network
		if choice != "model.network" {
			return nil
		}
		return []string{"frames.past=0", "frames.future=0", "model.options.classes=[a]"}
	case "flow": // as a schedule, its noisiest level has no signal
		return []string{"diffusion.target=x0"}
	case "independent", "monotone": // levels for frames
		return []string{"model.options.level_per_frame=true"}
	case "strides", "random", "scales": // times of frames
		return []string{"model.options.frame_times=true", "frames.times.span=100"}
	case "consistency": // which samples students
		return []string{"train.teacher=run", "train.distillation=consistency"}
	case "bair", "cityscapes", "ucf101": // whose frames have colours
		return []string{"data.channels=3"}
	}
	return nil
}

// For every table, every implementation refuses the options of all others, unless they were
// inherited.
func TestOptionsOfOtherImplementationsAreRefused(t *testing.T) {
	tried := 0
	for _, table := range catalogue().Tables {
		for _, name := range configs.Names(table.Options) {
			own := options(table, name)
			for _, other := range configs.Names(table.Options) {
				for key, value := range options(table, other) {
					if _, has := own[key]; has {
						continue
					}
					tried++
					path, choose := table.Section+"."+key, table.Choice+"="+name
					set := path + "=" + flow(value)
					want := fmt.Sprintf("override %q: %s: ", set, path)
					_, err := Load(write(t, ""), choose, set)
					if err == nil || !strings.HasPrefix(err.Error(), want) || !strings.Contains(err.Error(), "has no effect because "+table.Choice+" is "+name) {
						t.Errorf("%s with %s: error %v, want %s... has no effect", choose, set, err, want)
					}
					base := write(t, nested(table.Choice, other))
					text, err := os.ReadFile(base)
					if err != nil {
						t.Fatal(err)
					}
					below := write(t, "base: "+write(t, "base: "+write(t, string(text))+"\n"+nested(path, flow(value))))
					c, err := Load(below, append(needs(table.Choice, name), choose)...)
					if err != nil {
						t.Errorf("%s after a base with %s: %v", choose, set, err)
						continue
					}
					if strings.Contains(string(c.YAML()), " "+key+":") {
						t.Errorf("%s after a base with %s: the option is still there:\n%s", choose, set, c.YAML())
					}
				}
			}
		}
	}
	if tried < 15 {
		t.Errorf("only %d options tried", tried)
	}
}

func TestEveryImplementationTakesItsOwnOptionsAndListsThemAll(t *testing.T) {
	for _, table := range catalogue().Tables {
		for _, name := range configs.Names(table.Options) {
			own := options(table, name)
			set := append(needs(table.Choice, name), table.Choice+"="+name)
			for _, key := range configs.Names(own) {
				option := table.Section + "." + key + "="
				needed := slices.ContainsFunc(set, func(s string) bool { return strings.HasPrefix(s, option) })
				if key != "attention" && !needed { // which the network leaves out where it has no such size
					set = append(set, option+flow(own[key]))
				}
			}
			c, err := Load(write(t, ""), set...)
			if err != nil {
				t.Errorf("%q: %v", set, err)
				continue
			}
			text := string(c.YAML())
			for key := range own {
				if !strings.Contains(text, " "+key+":") {
					t.Errorf("%s is %s: %s is missing in\n%s", table.Choice, name, key, text)
				}
			}
		}
	}
}

// Tables that share a section can be chosen in any combination.
func TestTablesThatShareASectionHaveNoOptionInCommon(t *testing.T) {
	tables := catalogue().Tables
	for i, a := range tables {
		for _, b := range tables[:i] {
			if a.Section != b.Section {
				continue
			}
			for _, one := range configs.Names(a.Options) {
				for _, other := range configs.Names(b.Options) {
					for key := range options(a, one) {
						if _, both := options(b, other)[key]; both {
							t.Errorf("%s of %s %s and of %s %s", key, a.Choice, one, b.Choice, other)
						}
					}
				}
			}
		}
	}
}

func TestEveryOptionIsDescribedAndEveryNumberBounded(t *testing.T) {
	for _, table := range catalogue().Tables {
		for _, name := range configs.Names(table.Options) {
			v := reflect.Indirect(reflect.ValueOf(table.Options[name]))
			for key := range options(table, name) {
				for f := range v.Type().Fields() {
					if tagged, _, _ := strings.Cut(f.Tag.Get("yaml"), ","); tagged != key {
						continue
					}
					if doc := f.Tag.Get("doc"); len(doc) < 20 || !strings.HasSuffix(doc, ".") {
						t.Errorf("%s of %s %s: doc %q, want a sentence", key, table.Choice, name, doc)
					}
					kind := f.Type.Kind()
					if kind == reflect.Slice {
						kind = f.Type.Elem().Kind()
					}
					if slices.Contains([]reflect.Kind{reflect.Int, reflect.Float64}, kind) && f.Tag.Get("range") == "" {
						t.Errorf("%s of %s %s has no range", key, table.Choice, name)
					}
				}
			}
		}
	}
}

func TestResolve(t *testing.T) {
	c := configs.Default()
	for range 2 { // the second time, it is complete already
		if err := Resolve(c); err != nil {
			t.Fatal(err)
		}
		read, err := Load(write(t, ""))
		if err != nil || !reflect.DeepEqual(read, c) {
			t.Fatalf("differs from an empty file by %q, error %v", configs.Diff(read, c), err)
		}
	}
	c.Sampler.Name, c.Sampler.Options = "heun", configs.Options{"eta": 0.5}
	c.Diffusion.Options = configs.Options{"beta_end": 2}
	want := "sampler.options.eta: 0.5 has no effect because sampler.name is heun"
	if err := Resolve(c); err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	c.Sampler.Options = nil
	want = "diffusion.options.beta_end: 2, want more than 0 to 1"
	if err := Resolve(c); err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}
