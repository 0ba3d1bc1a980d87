package data

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"mcvd/data/clips"
)

// long is a data set of videos of given lengths; nobody reads them.
type long struct{ frames []int }

func (l long) Len() int                                          { return len(l.frames) }
func (l long) Name(int) string                                   { return "long" }
func (l long) Frames(i int) int                                  { return l.frames[i] }
func (l long) Clip(video, start, frames int) (clips.Clip, error) { return clips.Clip{}, nil }

func TestFixedPlaces(t *testing.T) {
	ds := fake{n: 6}
	seen := map[int]int{}
	var starts []int
	for i := range 12 {
		at := Fixed(ds, 9, i, 2)
		if again := Fixed(ds, 9, i, 2); at != again {
			t.Fatalf("clip %d: %v and %v", i, at, again)
		}
		clip, err := Cut(ds, at, 2)
		if err != nil || int(clip.Pix[0]) != at.Video || int(clip.Pix[1]) != at.Start {
			t.Fatalf("%v: the clip is of %v, %v", at, clip.Pix[:2], err)
		}
		seen[at.Video]++
		starts = append(starts, at.Start)
	}
	for i := range 6 {
		if seen[i] != 2 {
			t.Errorf("video %d came %d times in two rounds", i, seen[i])
		}
	}
	if slices.Equal(starts[:6], starts[6:]) {
		t.Error("the second round has the windows of the first")
	}
}

// Every start of a video is drawn about equally often, and none at which it has too few frames.
func TestStartsAreUniform(t *testing.T) {
	const clipsDrawn, frames, possible = 4000, 6, 5
	ds := long{[]int{frames + possible - 1}}
	training := batches(ds, 3, 1, frames, true)
	for name, place := range map[string]func(i int) At{
		"training":   func(i int) At { at, _ := training.place(i, 0); return at },
		"evaluation": func(i int) At { return Fixed(ds, 3, i, frames) },
	} {
		var counts [possible]float64
		for i := range clipsDrawn {
			counts[place(i).Start]++
		}
		chi2 := 0.0
		for _, c := range counts {
			chi2 += (c - clipsDrawn/possible) * (c - clipsDrawn/possible) / (clipsDrawn / possible)
		}
		if !(chi2 < 30) { // 4 degrees of freedom: 30 comes once in 200000 times
			t.Errorf("%s: chi square %g of %v, want below 30", name, chi2, counts)
		}
	}
}

// A video that is too short is an error that names it, not a panic.
func TestTooShortVideosAreNamed(t *testing.T) {
	ds := fake{n: 1}
	_, err := Cut(ds, Fixed(ds, 1, 0, 101), 101)
	if err == nil || !strings.Contains(err.Error(), "v0.mp4: frames 0 to 100: want some of 0 to 99") {
		t.Errorf("error %v, want one about the frames of v0.mp4", err)
	}
	if _, err = batches(ds, 1, 1, 101, false).At(0); err == nil || !strings.Contains(err.Error(), "v0.mp4: ") {
		t.Errorf("error %v, want one about v0.mp4", err)
	}
}

func TestWindowsAreAllThatFit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ds := long{rapid.SliceOfN(rapid.IntRange(1, 12), 1, 4).Draw(t, "lengths")}
		frames, stride := rapid.IntRange(1, 6).Draw(t, "frames"), rapid.IntRange(1, 5).Draw(t, "stride")
		var want []At
		for video, n := range ds.frames {
			for start := range n {
				if start%stride == 0 && start+frames <= n {
					want = append(want, At{video, start})
				}
			}
		}
		if got := slices.Collect(Windows(ds, frames, stride)); !slices.Equal(got, want) {
			t.Fatalf("%v, want %v", got, want)
		}
	})
	for range Windows(long{[]int{5, 5}}, 2, 1) {
		break // ends without a panic
	}
}

// Recorded when data sets drew the starts themselves: trainings on folders that were begun then go
// on in that order, and evaluations have the clips that they had.
func TestPlacesStayAsTheyWere(t *testing.T) {
	ds := long{[]int{12, 30, 9, 40, 8}}
	b := batches(ds, 7, 1, 5, true)
	wantTraining := []At{{0, 3}, {2, 4}, {4, 3}, {3, 23}, {1, 21}, {4, 2}, {0, 6}}
	wantMirrored := []bool{true, true, false, true, false, false, false}
	wantFixed := []At{{2, 3}, {4, 2}, {0, 2}, {3, 15}, {1, 5}, {2, 1}, {1, 15}}
	for i, want := range wantTraining {
		if at, mirrored := b.place(i, 0); at != want || mirrored != wantMirrored[i] {
			t.Errorf("training clip %d: %v, mirrored: %t, want %v, %t", i, at, mirrored, want, wantMirrored[i])
		}
		if at := Fixed(ds, 7, i, 5); at != wantFixed[i] {
			t.Errorf("evaluation clip %d: %v, want %v", i, at, wantFixed[i])
		}
	}
}

// The published order visits videos evenly, whichever are more, clips or videos.
func TestSpreadPlaces(t *testing.T) {
	for _, tt := range []struct {
		videos, clips int
		want          []int
	}{
		{5, 5, []int{0, 1, 2, 3, 4}},
		{9, 3, []int{0, 4, 8}},
		{4, 3, []int{0, 2, 3}}, // 1.5 rounds to even
		{2, 3, []int{0, 0, 1}}, // and so does 0.5
		{7, 1, []int{0}},
	} {
		ds := long{make([]int, tt.videos)}
		var got []int
		for i := range tt.clips {
			at := Spread(ds, 1, i, tt.clips, 3)
			if at.Start != 0 {
				t.Errorf("a video without frames starts at %d", at.Start)
			}
			got = append(got, at.Video)
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%d clips of %d videos: %v, want %v", tt.clips, tt.videos, got, tt.want)
		}
	}
	starts := map[int]int{}
	for seed := range uint64(300) {
		starts[Spread(long{[]int{8}}, seed, 0, 1, 5).Start]++
	}
	for start := range 3 { // 3 itself would fit, too
		if n := starts[start]; !(n > 60) || len(starts) != 3 {
			t.Errorf("start %d came %d times of 300, among %v, want a third", start, n, starts)
		}
	}
}

// Equal seeds give unrelated numbers for each purpose: the order of an evaluation isn't that of a
// training, nor are its starts those of the training's clips.
func TestPurposesDrawOtherNumbers(t *testing.T) {
	lengths := make([]int, 64)
	for i := range lengths {
		lengths[i] = 1000
	}
	ds := long{lengths}
	training := batches(ds, 7, 1, 2, false)
	videos, starts := 0, 0
	for i := range lengths {
		trained, _ := training.place(i, 0)
		fixed := Fixed(ds, 7, i, 2)
		if trained.Video == fixed.Video {
			videos++
		}
		if trained.Start == fixed.Start {
			starts++
		}
	}
	if videos > 8 || starts > 8 { // one of each is likely
		t.Errorf("of %d places %d have the same video and %d the same start", len(lengths), videos, starts)
	}
	seen := map[uint64]uint64{}
	for _, purpose := range []uint64{forOrder, forClip, forFixedOrder, forFixedClip, forReplacement, forReplacedClip, forAugmentation, forTimes} {
		first := source(7, purpose, 0, 0).Uint64()
		if other, ok := seen[first]; ok {
			t.Errorf("purposes %d and %d draw the same numbers", other, purpose)
		}
		seen[first] = purpose
	}
	if s := source(7, forClip); s.Uint64() == s.Uint64() {
		t.Error("a source repeats its first number")
	}
}
