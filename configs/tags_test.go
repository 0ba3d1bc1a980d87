package configs

import (
	"math"
	"reflect"
	"strings"
	"testing"
)

func TestIntervals(t *testing.T) {
	inf := math.Inf(1)
	for _, tt := range []struct {
		tag      string
		in, out  []float64
		integers string
		reals    string
	}{
		{"[0, 1]", []float64{0, 0.5, 1}, []float64{-1e-300, 1.0000001}, "0 to 1", "0 to 1"},
		{"[0, 1)", []float64{0, 0.999}, []float64{-1, 1}, "0 to below 1", "0 to below 1"},
		{"(0, 1)", []float64{1e-300}, []float64{0, 1}, "more than 0 to below 1", "more than 0 to below 1"},
		{"(0, 0.5]", []float64{0.5}, []float64{0, 0.51}, "more than 0 to 0.5", "more than 0 to 0.5"},
		{"(0, inf)", []float64{math.MaxFloat64}, []float64{0}, "more than 0", "more than 0, and finite"},
		{"[0, inf)", []float64{0, 1e300}, []float64{-1}, "0 or more", "0 or more, and finite"},
		{"(-inf, 0]", []float64{0, -1e300}, []float64{1}, "at most 0", "at most 0, and finite"},
		{"(-inf, 2)", []float64{-1}, []float64{2}, "less than 2", "less than 2, and finite"},
		{"(-inf, inf)", []float64{0, -1e300}, nil, "a finite number", "a finite number"},
		{"[1, 1e9]", []float64{1e9}, []float64{0, 1e9 + 1}, "1 to 1000000000", "1 to 1000000000"},
	} {
		r, ok := rangeOf(reflect.StructTag(`range:"` + tt.tag + `"`))
		if got := r.describe(true); !ok || got != tt.integers {
			t.Errorf("%s of integers: %s, want %s", tt.tag, got, tt.integers)
		}
		if got := r.describe(false); got != tt.reals {
			t.Errorf("%s of numbers: %s, want %s", tt.tag, got, tt.reals)
		}
		for _, x := range tt.in {
			if !r.holds(x) {
				t.Errorf("%s: %g is not in it", tt.tag, x)
			}
		}
		for _, x := range append(tt.out, math.NaN(), inf, -inf) {
			if r.holds(x) {
				t.Errorf("%s: %g is in it", tt.tag, x)
			}
		}
	}
}

func TestTagsThatAreNoIntervalPanic(t *testing.T) {
	for _, tag := range []string{"", "0, 1", "[0 1]", "[1, 0]", "[a, b]", "[0, 1", "[nan, 1]", "0, 1)", "[0, inf]", "[-inf, 0]"} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("range:%q: no panic", tag)
				}
			}()
			rangeOf(reflect.StructTag(`range:"` + tag + `"`))
		}()
	}
}

// Every number in Config that is not a seed has bounds, so that sizes can be multiplied without
// overflow.
func TestEveryNumberHasARange(t *testing.T) {
	var visit func(v reflect.Value, path string)
	visit = func(v reflect.Value, path string) {
		for _, f := range fields(v) {
			at := join(path, f.name)
			if f.value.Kind() == reflect.Struct {
				visit(f.value, at)
				continue
			}
			isNumber := strings.HasSuffix(typeName(f.value.Type()), "integer") || strings.HasPrefix(typeName(f.value.Type()), "number") ||
				f.value.Kind() == reflect.Slice && f.value.Type().Elem().Kind() != reflect.String
			if _, ok := rangeOf(f.goes.Tag); isNumber && !ok && at != "seed" && at != "data.channels" {
				t.Errorf("%s has no range tag", at)
			}
		}
	}
	visit(reflect.ValueOf(Default()).Elem(), "")
}

// noise and colours are options of two implementations that are decoded together.
type noise struct {
	Eta   float64   `yaml:"eta" range:"[0, 1)" doc:"Eta is fresh noise."`
	Steps []int     `yaml:"steps" range:"[1, 9]"`
	Rates []float64 `yaml:"rates" range:"[0, inf)"`
}

type colours struct {
	Color string   `yaml:"color" choices:"white random" doc:"Color of the digits."`
	Names []string `yaml:"names" choices:"a b"`
}

func TestOptionsAreCheckedByTheirTags(t *testing.T) {
	n, c := noise{}, colours{Color: "white"}
	o := Options{"eta": 1, "steps": []any{1, 10}, "rates": []any{-1.5}, "color": "pink", "names": []any{"a", "c"}, "colour": "white"}
	want := []string{
		`sampler.options.colour: unknown key, did you mean color?`,
		`sampler.options.eta: 1, want 0 to below 1`,
		`sampler.options.steps[1]: 10, want 1 to 9`,
		`sampler.options.rates[0]: -1.5, want 0 or more, and finite`,
		`sampler.options.color: "pink", want white or random`,
		`sampler.options.names[1]: "c", want a or b`,
	}
	if err := o.Decode("sampler.options", &n, &c); err == nil || err.Error() != strings.Join(want, "\n") {
		t.Errorf("error\n%v\nwant\n%s", err, strings.Join(want, "\n"))
	}
}

func TestOptionsOfSeveralTargets(t *testing.T) {
	n, c := noise{Eta: 0.5}, colours{Color: "white"}
	if err := (Options{"color": "random", "steps": []any{3}}).Decode("x.options", &n, &c); err != nil {
		t.Fatal(err)
	}
	if n.Eta != 0.5 || len(n.Steps) != 1 || c.Color != "random" {
		t.Errorf("decoded %+v and %+v", n, c)
	}
	defer func() {
		if recover() == nil {
			t.Error("two targets with one name: no panic")
		}
	}()
	Options{}.Decode("x.options", &noise{}, &noise{})
}
