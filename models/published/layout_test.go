package published

import (
	"slices"
	"testing"
)

// A published tensor holds at [out, in, row, column] what ours holds at [row, column, in, out].
func TestLayouts(t *testing.T) {
	number := func(at ...int) float32 { // of a place, by its indices
		n := 0
		for _, i := range at {
			n = 10*n + i
		}
		return float32(n)
	}
	var conv, convOIHW, dense, denseOI []float32
	for r := range 3 {
		for c := range 3 {
			for i := range 4 {
				for o := range 5 {
					conv = append(conv, number(r, c, i, o))
				}
			}
		}
	}
	for o := range 5 {
		for i := range 4 {
			for r := range 3 {
				for c := range 3 {
					convOIHW = append(convOIHW, number(r, c, i, o))
				}
			}
			denseOI = append(denseOI, number(i, o))
		}
	}
	for i := range 4 {
		for o := range 5 {
			dense = append(dense, number(i, o))
		}
	}
	for _, c := range []struct {
		layout       Layout
		shape, there []int
		ours, theirs []float32
	}{
		{Same, []int{4, 5}, []int{4, 5}, dense, dense},
		{DenseOI, []int{4, 5}, []int{5, 4}, dense, denseOI},
		{ConvOIHW, []int{3, 3, 4, 5}, []int{5, 4, 3, 3}, conv, convOIHW},
	} {
		if got := c.layout.Shape(c.shape); !slices.Equal(got, c.there) {
			t.Errorf("layout %d: shape %v, want %v", c.layout, got, c.there)
		}
		if !slices.Equal(c.layout.FromPublished(c.theirs, c.shape), c.ours) || !slices.Equal(c.layout.ToPublished(c.ours, c.shape), c.theirs) {
			t.Errorf("layout %d: values in the wrong places", c.layout)
		}
	}
}
