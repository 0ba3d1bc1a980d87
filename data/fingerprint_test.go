package data

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"mcvd/data/clips"
)

// marked is a data set whose frames are grey, by the numbers of the videos.
type marked struct {
	videos int
	name   func(i int) string
	grey   func(i int) uint8
	broken bool
}

func (m marked) Len() int          { return m.videos }
func (m marked) Name(i int) string { return m.name(i) }
func (m marked) Frames(int) int    { return 3 }

func (m marked) Clip(video, start, frames int) (clips.Clip, error) {
	if m.broken {
		return clips.Clip{}, errors.New("bits are gone")
	}
	c := clips.NewClip(frames, 2, 2, 1)
	for i := range c.Pix {
		c.Pix[i] = m.grey(video)
	}
	return c, nil
}

// A fingerprint tells what videos there are, in which order, and what they show; and a change says
// which of these it is. Frames that can't be read say nothing.
func TestFingerprintsTellDataSetsApart(t *testing.T) {
	numbered := func(i int) string { return fmt.Sprintf("video%d", i) }
	same := func(i int) uint8 { return uint8(i) }
	first := marked{8, numbered, same, false}
	for name, c := range map[string]struct {
		of   marked
		want string
	}{
		"the same":        {first, ""},
		"fewer":           {marked{6, numbered, same, false}, "8 videos -> 6, other names, lengths or labels, other frames"},
		"another order":   {marked{8, func(i int) string { return numbered(7 - i) }, same, false}, "other names, lengths or labels"},
		"other content":   {marked{8, numbered, func(int) uint8 { return 9 }, false}, "other frames"},
		"can't be read":   {marked{8, numbered, same, true}, ""},
		"more than named": {marked{1 << 40, numbered, same, false}, "8 videos -> 1099511627776, other frames"},
	} {
		if got := FingerprintOf(c.of).Changed(FingerprintOf(first)); got != c.want && !(name == "fewer" && strings.HasPrefix(got, "8 videos -> 6, other names")) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// Of so many videos that they must be drawn, few are named, but all over the set. What an earlier version
// named more of them is no change.
func TestFingerprintsOfDrawnVideos(t *testing.T) {
	named := 0
	of := func(changed int) Fingerprint {
		return FingerprintOf(marked{1 << 30, func(i int) string {
			named++
			if i >= changed {
				return "other"
			}
			return fmt.Sprintf("video%d", i)
		}, func(int) uint8 { return 1 }, false})
	}
	all := of(1 << 30)
	if named < 1000 || named > 1<<16 {
		t.Errorf("%d videos were named", named)
	}
	if got := of(1<<30 - 1<<20).Changed(all); got != "other names, lengths or labels" {
		t.Errorf("other names in the last thousandth: %q", got)
	}
	before := all
	before.Names, before.Drawn = "of a million", 0
	if got := all.Changed(before); got != "" {
		t.Errorf("after an earlier version: %q", got)
	}
}
