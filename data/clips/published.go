package clips

import (
	"math/rand/v2"
	"regexp"
	"strconv"
)

// Rules of published data sets that more than one reader follows.

// LastPerson is the number of the last of KTH's persons; the first is 1.
const LastPerson = 25

// Persons is which of KTH's persons, in ascending order, a split has of those that there are: 1 to 20
// are for training, 21 to 25 for the test. Validation has a fraction of the training persons; see
// [Part].
func Persons(there []int, split Split, valid float64) []int {
	const lastTraining = 20
	var training, test []int
	for _, p := range there {
		switch {
		case p <= lastTraining:
			training = append(training, p)
		case p <= LastPerson:
			test = append(test, p)
		}
	}
	if split == Test {
		return test
	}
	return Part(training, split, valid)
}

// ofPerson are the names of KTH's files.
var ofPerson = regexp.MustCompile(`(?:^|/)person(0[1-9]|1[0-9]|2[0-5])_[a-z]+_d[1-4]_`)

// Person is which of KTH's persons video i of a data set shows, 0 if that is unknown. A data set whose
// names don't say it, as those of KTH's files do, but that knows it, has a method Person(i int) int.
func Person(ds Dataset, i int) int {
	if d, ok := ds.(interface{ Person(i int) int }); ok {
		return d.Person(i)
	}
	if found := ofPerson.FindStringSubmatch(ds.Name(i)); found != nil {
		n, _ := strconv.Atoi(found[1]) // two digits
		return n
	}
	return 0
}

// WideCrop is how frames of UCF-101, which are stored 4/3 times as wide as they are high, become
// square. The published code takes the middle for the test, and draws the crop for training, once a
// clip. Here a clip that comes again is cropped again in the same place.
type WideCrop struct {
	Size   int
	Random bool
}

// Width is that of stored frames: int(4/3 of the size).
func (w WideCrop) Width() int { return 4 * w.Size / 3 }

// Column is where the crop of a clip begins: at int((4/3 size - size) / 2) in the test, and from 0 to
// int(4/3 size) - size - 1 in training.
func (w WideCrop) Column(video, start int) int {
	if !w.Random {
		return w.Size / 6
	}
	return rand.New(rand.NewPCG(uint64(video), uint64(start))).IntN(max(1, w.Width()-w.Size))
}

// Cut makes a square clip of a stored one, which has frames from a number of a video on.
func (w WideCrop) Cut(stored Clip, video, start int) Clip {
	clip, column := NewClip(stored.Frames, w.Size, w.Size, stored.Channels), w.Column(video, start)
	line := clip.Width * clip.Channels
	for y := range clip.Frames * clip.Height { // lines of all frames
		copy(clip.Pix[y*line:][:line], stored.Pix[(y*stored.Width+column)*stored.Channels:])
	}
	return clip
}
