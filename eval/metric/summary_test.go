package metric

import (
	"encoding/json"
	"math"
	"testing"
)

var nan = math.NaN()

// From printed tables of the distribution.
func TestStudent95(t *testing.T) {
	for degrees, want := range map[int]float64{
		1: 12.7062, 2: 4.3027, 3: 3.1824, 4: 2.7764, 5: 2.5706, 9: 2.2622, 10: 2.2281, 30: 2.0423, 120: 1.9799, 1000: 1.9623,
	} {
		if got := student95(degrees); !(math.Abs(got-want) <= 5e-5) {
			t.Errorf("%d degrees of freedom: %.5f, want %.4f", degrees, got, want)
		}
	}
}

func TestSummarize(t *testing.T) {
	// s = 1, so that the half width is t/√3 with two degrees of freedom.
	got := Summarize([]float64{1, nan, 2, 3})
	half := 4.302653 / math.Sqrt(3)
	if got.Mean != 2 || got.N != 3 || !(math.Abs(got.Low-(2-half)) <= 1e-6) || !(math.Abs(got.High-(2+half)) <= 1e-6) {
		t.Errorf("got %+v, want 2 ± %g of 3", got, half)
	}
	for _, tt := range []struct {
		values []float64
		want   string
	}{
		{[]float64{nan}, `{"mean":null,"low":null,"high":null,"n":0}`},
		{[]float64{5, nan}, `{"mean":5,"low":null,"high":null,"n":1}`},
		{[]float64{5, 5}, `{"mean":5,"low":5,"high":5,"n":2}`},
	} {
		if got, err := json.Marshal(Summarize(tt.values)); err != nil || string(got) != tt.want {
			t.Errorf("%v: %s, %v; want %s", tt.values, got, err, tt.want)
		}
	}
}

func TestBestAndAverage(t *testing.T) {
	scores := [][]float64{{1, 3, 2}, {nan, -4, nan}, {nan, nan}, {}, {7, nan, 5}}
	for _, tt := range []struct {
		name      string
		got, want []float64
	}{
		{"higher is better", Info{HigherIsBetter: true}.Best(scores), []float64{3, -4, nan, nan, 7}},
		{"lower is better", Info{}.Best(scores), []float64{1, -4, nan, nan, 5}},
		{"average", Average(scores), []float64{2, -4, nan, nan, 6}},
	} {
		if len(tt.got) != len(tt.want) {
			t.Fatalf("%s: %v, want %v", tt.name, tt.got, tt.want)
		}
		for i, want := range tt.want {
			if got := tt.got[i]; got != want && !(math.IsNaN(got) && math.IsNaN(want)) {
				t.Errorf("%s: clip %d = %g, want %g", tt.name, i, got, want)
			}
		}
	}
}
