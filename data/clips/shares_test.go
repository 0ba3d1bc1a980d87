package clips

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

func TestShares(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.String().Draw(t, "name")
		o := Shares{Valid: rapid.Float64Range(0, 0.5).Draw(t, "valid"), Test: rapid.Float64Range(0, 0.5).Draw(t, "test")}
		if more := (Shares{Valid: o.Valid + 0.1, Test: o.Test}); o.Of(name) == Valid && more.Of(name) != Valid {
			t.Fatal("raising valid took a video out of it")
		}
	})
	counts := map[Split]int{}
	for i := range 10000 {
		counts[Shares{0.1, 0.1}.Of(fmt.Sprintf("clip%d.mp4", i))]++
	}
	if v, s := counts[Valid], counts[Test]; v < 850 || v > 1150 || s < 850 || s > 1150 {
		t.Errorf("%v of 10000, want about a tenth for valid and for test", counts)
	}
	for n := 3; n < 40; n++ {
		names := make([]string, n)
		for i := range names {
			names[i] = fmt.Sprintf("clip%d.mp4", i)
		}
		splits := Shares{0.1, 0.1}.All(names)
		few := map[Split]int{}
		for _, name := range names {
			few[splits[name]]++
		}
		if few[Train] < 1 || few[Valid] < 1 || few[Test] < 1 {
			t.Errorf("%d videos are split into %v, want one or more in each", n, few)
		}
		if (Shares{Test: 0.1}).All(names)[names[0]] == Valid {
			t.Error("a video for validation, where the fraction is 0")
		}
	}
}
