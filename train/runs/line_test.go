package runs

import (
	"encoding/json"
	"math"
	"testing"
)

func TestNumbersThatJSONLacksAreWrittenAsStringsAndReadBack(t *testing.T) {
	for text, x := range map[string]float64{`"NaN"`: math.NaN(), `"+Inf"`: math.Inf(1), `"-Inf"`: math.Inf(-1), `0.1`: 0.1, `-3`: -3,
		`1e+300`: 1e300, `5e-324`: 5e-324} {
		got, err := json.Marshal(Number(x))
		if err != nil || string(got) != text {
			t.Errorf("%g is written as %s, error %v, want %s", x, got, err, text)
		}
		var back Number
		if err := json.Unmarshal(got, &back); err != nil || math.Float64bits(float64(back)) != math.Float64bits(x) && !(math.IsNaN(x) && math.IsNaN(float64(back))) {
			t.Errorf("%s is read as %g, error %v, want %g", got, back, err, x)
		}
	}
	var n Number
	if err := json.Unmarshal([]byte(`"many"`), &n); err == nil {
		t.Errorf("a word is read as %g", n)
	}
}

func TestLinesThatAreNotFiniteAreReadBack(t *testing.T) {
	nan := Number(math.NaN())
	text, err := json.Marshal(Line{Step: 3, Loss: nan, GradientNorm: Number(math.Inf(1)), Skipped: 1, Validation: []Number{1, nan}})
	if err != nil {
		t.Fatal(err)
	}
	var line Line
	if err := json.Unmarshal(text, &line); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	if again, _ := json.Marshal(line); string(again) != string(text) || !math.IsNaN(float64(line.Loss)) || !math.IsInf(float64(line.GradientNorm), 1) {
		t.Errorf("%s is read as %s", text, again)
	}
}
