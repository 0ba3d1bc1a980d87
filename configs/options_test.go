package configs

import (
	"math"
	"reflect"
	"strings"
	"testing"
)

// crop is like what an implementation declares for its options.
type crop struct {
	Size  int                 `yaml:"size"`
	Ratio float32             `yaml:"ratio"`
	Names []string            `yaml:"names"`
	Inner struct{ X, Y int8 } `yaml:"inner"`
	Free  map[string]any      `yaml:"free"`
	Plain bool
	own   int
}

func TestOptionsDecodeOverDefaults(t *testing.T) {
	got := crop{Size: 3, Ratio: 0.5, own: 1}
	o := Options{"ratio": 2, "names": []any{"a", "b"}, "inner": map[string]any{"y": -3}, "plain": true,
		"free": map[string]any{"k": 1.0}}
	if err := o.Decode("data.options", &got); err != nil {
		t.Fatal(err)
	}
	if got.Size != 3 || got.Ratio != 2 || len(got.Names) != 2 || got.Inner.Y != -3 || !got.Plain || got.Free["k"] != 1.0 ||
		got.own != 1 {
		t.Errorf("decoded %+v", got)
	}
	if err := Options(nil).Decode("data.options", &got); err != nil || got.Ratio != 2 {
		t.Errorf("no options: error %v, %+v", err, got)
	}
}

func TestOptionsDecodeReportsEveryProblemByItsPath(t *testing.T) {
	o := Options{"sise": 1, "ratio": math.NaN(), "size": 1.5, "inner": map[string]any{"x": 128, "z": 1}, "plain": "yes",
		"names": []any{"a", 2}, "free": nil}
	want := []string{
		`data.options.free: null, want a mapping`,
		`data.options.inner.x: 128, want an integer nearer to 0`,
		`data.options.inner.z: unknown key, did you mean x?`,
		`data.options.names[1]: 2, want text (in "quotes" if it looks like something else)`,
		`data.options.plain: "yes", want true or false`,
		`data.options.ratio: .nan, want a finite number`,
		`data.options.sise: unknown key, did you mean size?`,
		`data.options.size: 1.5, want an integer such as 10`,
	}
	var into crop
	if err := o.Decode("data.options", &into); err == nil || err.Error() != strings.Join(want, "\n") {
		t.Errorf("error\n%v\nwant\n%s", err, strings.Join(want, "\n"))
	}
	var none struct{}
	err := Options{"crop": 1}.Decode("data.options", &none)
	if err == nil || err.Error() != "data.options.crop: unknown key, want none here" {
		t.Errorf("options where there are none: error %v", err)
	}
}

func TestPickListsTheKnownNames(t *testing.T) {
	table := map[string]int{"ddpm": 1, "ddim": 2}
	if got, err := Pick(table, "sampler.name", "ddim"); got != 2 || err != nil {
		t.Errorf("ddim: %d, error %v", got, err)
	}
	want := `sampler.name: unknown "dimm" (known: ddim, ddpm)`
	if _, err := Pick(table, "sampler.name", "dimm"); err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

// FuzzOptions reads any options into those of an implementation. What is accepted is the same when it
// is made options again and read back.
func FuzzOptions(f *testing.F) {
	f.Add("{size: 4, ratio: 0.5, names: [a, b], inner: {x: 1, y: -128}, free: {k: 1.0, l: [1, {m: true}]}, plain: true}")
	f.Add("{inner: {x: 128, z: 1}, free: null, plain: yes}")
	f.Add("{ratio: 1e39, size: 9223372036854775808}")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := Catalogue{}.Parse("fuzz", nil, "data.options="+text)
		if err != nil {
			return
		}
		var got, again crop
		if err := c.Data.Options.Decode("data.options", &got); err != nil {
			for line := range strings.SplitSeq(err.Error(), "\n") {
				if !strings.HasPrefix(line, "data.options") {
					t.Errorf("line %q of the error doesn't begin with the path", line)
				}
			}
			return
		}
		if err := OptionsOf(got).Decode("data.options", &again); err != nil || !reflect.DeepEqual(got, again) {
			t.Errorf("%+v is read back as %+v, %v", got, again, err)
		}
	})
}
