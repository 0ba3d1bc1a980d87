package data

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"mcvd/data/clips"
)

// Fingerprint tells data sets apart: whether a training that is resumed sees the videos that it saw
// before.
type Fingerprint struct {
	Videos int `json:"videos"`
	// Names is a SHA-256 of the names, the lengths and the labels of the videos, in their order.
	Names string `json:"names"`
	// Drawn is the number of videos that Names is of, where so many videos exist that they must be drawn by
	// a program; 0 where they are not.
	Drawn int `json:"drawn,omitempty"`
	// Pixels is a SHA-256 of the first frames of a few videos; "" if one of them can't be read.
	Pixels string `json:"pixels,omitempty"`
}

const (
	// mostNamed is the number of videos of which all are named in a fingerprint. Of more, so many are.
	mostNamed = 1 << 20
	// From drawn videos on, no files hold them. To name a few of them is enough, and takes 3 s less.
	drawn    = 1 << 29
	fewNamed = 1 << 12
	// seen is the number of videos whose first frames are in a fingerprint.
	seen = 4
)

// FingerprintOf reads the names of a data set, and a few frames.
func FingerprintOf(ds clips.Dataset) Fingerprint {
	names, pixels := sha256.New(), sha256.New()
	f := Fingerprint{Videos: ds.Len()}
	each := func(n int, visit func(video int)) {
		for i := range n {
			visit(int(int64(i) * int64(f.Videos) / int64(n)))
		}
	}
	fmt.Fprintln(names, f.Videos)
	named := min(f.Videos, mostNamed)
	if f.Videos >= drawn {
		f.Drawn, named = fewNamed, fewNamed
	}
	each(named, func(i int) {
		fmt.Fprintf(names, "%d %q %q\n", ds.Frames(i), ds.Name(i), clips.Labels(ds, i))
	})
	whole := true
	each(min(f.Videos, seen), func(i int) {
		c, err := ds.Clip(i, 0, 1)
		if err != nil {
			whole = false
			return
		}
		fmt.Fprintln(pixels, c.Height, c.Width, c.Channels)
		pixels.Write(c.Pix)
	})
	f.Names = hex.EncodeToString(names.Sum(nil))
	if whole {
		f.Pixels = hex.EncodeToString(pixels.Sum(nil))
	}
	return f
}

// Changed says in what data differ from what they were; "" if they are the same.
func (f Fingerprint) Changed(was Fingerprint) string {
	var in []string
	if f.Videos != was.Videos {
		in = append(in, fmt.Sprintf("%d videos -> %d", was.Videos, f.Videos))
	}
	if f.Names != was.Names && f.Drawn == was.Drawn { // an earlier version named more of those that are drawn
		in = append(in, "other names, lengths or labels")
	}
	if f.Pixels != was.Pixels && f.Pixels != "" && was.Pixels != "" {
		in = append(in, "other frames")
	}
	return strings.Join(in, ", ")
}
