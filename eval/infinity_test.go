package eval

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"mcvd/eval/metric"
)

// draws is a part with so many clips for each of two seeds, whose features have 4 numbers.
func draws(n int) *Part {
	rng := rand.New(rand.NewPCG(1, 1))
	rows := func() (list [][]float32) {
		for range n {
			list = append(list, []float32{float32(rng.NormFloat64()), float32(rng.NormFloat64()), float32(rng.NormFloat64()), float32(rng.NormFloat64())})
		}
		return list
	}
	p := &Part{Range: Range{0, n}, Real: Features{}, Made: Features{}}
	for _, name := range []string{"fvd", "mmd"} {
		p.Real[FeatureKey{Metric: name}] = rows()
		for _, seed := range []uint64{1, 2} {
			p.Made[FeatureKey{name, modelMethod, seed}] = rows()
		}
	}
	return p
}

// A biased metric is extrapolated to infinitely many clips where there are enough, each seed by
// itself; two draws of one distribution then have a distance nearer to 0. Others are not.
func TestSetsAreExtrapolated(t *testing.T) {
	h := Header{Protocol: Protocol{Name: "clean", Trajectories: 1, Seed: 5, Seeds: []uint64{1, 2}, Rules: clean},
		Metrics: []metric.Info{{Name: "fvd", Digits: 2, Biased: true}, {Name: "mmd", Digits: 2}}}
	for n, want := range map[int]bool{31: false, 200: true} {
		h.Protocol.Clips = n
		r, err := Sum(h, []*Part{draws(n)}, metric.Comparisons())
		if err != nil {
			t.Fatal(err)
		}
		if set := r.Results[0].Scores["mmd"].Set; set == nil || set.Extrapolation != nil {
			t.Errorf("%d clips: mmd %+v, want a value without an extrapolation", n, set)
		}
		set := r.Results[0].Scores["fvd"].Set
		if e := set.Extrapolation; (e != nil) != want {
			t.Fatalf("%d clips: extrapolated to %+v, want one: %t", n, e, want)
		} else if e == nil {
			continue
		}
		e, each := set.Extrapolation, r.Seeds
		if !(math.Abs(e.Infinity) < set.Value/2) {
			t.Errorf("%g, %g of infinitely many clips, want it nearer to 0", set.Value, e.Infinity)
		}
		a, b := each[0].Scores["fvd"].Set, each[1].Scores["fvd"].Set
		if got, want := e.Infinity, (a.Extrapolation.Infinity+b.Extrapolation.Infinity)/2; !(math.Abs(got-want) <= 1e-12) || a.Value == b.Value {
			t.Errorf("%g, want the mean of seeds, %g", got, want)
		}
		last := len(e.Points) - 1
		if p := e.Points[last]; p.Real != n || p.Made != n || !(math.Abs(p.Value-set.Value) <= 1e-9) || !(math.Abs(a.Extrapolation.Points[last].Value-a.Value) <= 1e-9) {
			t.Errorf("last point %+v, want the value of all clips, %g", p, set.Value)
		}
		var text strings.Builder
		if err := r.WriteText(&text); err != nil || !strings.Contains(text.String(), "extrapolated to infinitely many\n") {
			t.Errorf("report\n%s, %v", &text, err)
		}
	}
}
