package configs

import (
	"math"
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
