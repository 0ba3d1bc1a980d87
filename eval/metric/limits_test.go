package metric

import (
	"strings"
	"testing"
)

// Metrics without a network, and one of whole videos with each limit.
func opened(t *testing.T) []Opened {
	t.Helper()
	list, err := Open([]string{"psnr", "ssim", "mmd", "digit"}, Needs{})
	if err != nil {
		t.Fatal(err)
	}
	whole := Opened{Info: Info{Name: "whole", Whole: true}, Sets: mosaicMMD{}, Limits: Limits{Frames: 9, Clips: 2}}
	return append(list, whole)
}

// A metric is skipped just below its limit, and not at it.
func TestLimits(t *testing.T) {
	enough := Videos{Frames: 7, Given: 2, Height: 11, Width: 11, Channels: 1, Clips: 2, Paired: true}
	for _, tt := range []struct {
		change func(*Videos)
		want   string // what is skipped, each with a part of its reason
	}{
		{func(*Videos) {}, ""},
		{func(v *Videos) { v.Frames = 6 }, "whole: needs clips of 9 frames or more, the given ones included, got 8: generate 7 or more"},
		{func(v *Videos) { v.Given = 1 }, "whole: needs clips of 9 frames or more, the given ones included, got 8: generate 8 or more"},
		{func(v *Videos) { v.Frames, v.Given = 9, 0 }, ""},
		{func(v *Videos) { v.Height, v.Width = 10, 10 }, "ssim: needs frames of 11x11 or more, got 10x10"},
		{func(v *Videos) { v.Width = 10 }, "ssim: needs frames of 11x11 or more, got 10x11; digit: needs square grey frames, got 10x11 with 1 channels"},
		{func(v *Videos) { v.Channels = 3 }, "digit: needs square grey frames, got 11x11 with 3 channels"},
		{func(v *Videos) { v.Clips = 1 }, "mmd: needs 2 clips or more, got 1; whole: needs 2 clips or more, got 1"},
		{func(v *Videos) { v.Paired = false }, "psnr: compares each video; ssim: compares each video; digit: compares each video"},
	} {
		v := enough
		tt.change(&v)
		list := opened(t)
		var reasons []string
		for i, o := range Fit(list, v) {
			if o.Skipped != "" {
				reason, _, _ := strings.Cut(o.Skipped, " with the real one")
				reasons = append(reasons, o.Name+": "+reason)
			}
			if list[i].Skipped != "" {
				t.Errorf("%+v: changed the metrics that it was given", v)
			}
		}
		if got := strings.Join(reasons, "; "); got != tt.want {
			t.Errorf("%+v: skipped %q, want %q", v, got, tt.want)
		}
	}
}

// What can't be used is refused if it was asked for, or if there is nothing else.
func TestRefuse(t *testing.T) {
	good, bad := Opened{Info: Info{Name: "good"}}, Opened{Info: Info{Name: "bad"}, Skipped: "needs more"}
	for _, tt := range []struct {
		list    []Opened
		asked   bool
		refused bool
	}{
		{[]Opened{good, bad}, true, true}, {[]Opened{good, bad}, false, false},
		{[]Opened{bad, bad}, false, true}, {[]Opened{good}, true, false}, {nil, false, false},
	} {
		err := Refuse(tt.list, tt.asked)
		if (err != nil) != tt.refused || err != nil && !strings.Contains(err.Error(), "metric bad: needs more") {
			t.Errorf("%v, asked %t: %v, want an error: %t", tt.list, tt.asked, err, tt.refused)
		}
	}
}
