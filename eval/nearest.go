package eval

import (
	"context"
	"fmt"
	"iter"
	"math"

	"mcvd/data"
	"mcvd/data/augment"
	"mcvd/data/clips"
)

// Neighbour is the training clip whose frames are nearest to a video's.
type Neighbour struct {
	Video    string
	Start    int // the number of its first frame there
	Mirrored bool
	Clip     clips.Clip
	// RMS is the root mean square of the differences of all values, in grey levels, 0 to 255.
	RMS float64
}

// Search is how far a search for neighbours went.
type Search struct {
	Looked int // at so many clips
	// All is how many there are, at every start of every video. There are more than that if it is 0.
	All int
}

// Nearest finds the clip of a training set that is nearest to each of the videos, which have equally
// many frames of equal size, in the Euclidean distance of all their values. A model that memorizes
// its training set generates videos that are much nearer than held-out ones. It looks at all clips if
// there are at most so many, and otherwise at that many in the order of [data.Fixed]. flip also tries
// each mirrored, as training does. It holds one clip at a time, beside the nearest ones.
func Nearest(ctx context.Context, ds clips.Dataset, seed uint64, videos []clips.Clip, most int, flip bool) ([]Neighbour, Search, error) {
	if len(videos) == 0 {
		return nil, Search{}, nil
	}
	first := videos[0]
	places, s := placesOf(ds, seed, first.Frames, most)
	found, least := make([]Neighbour, len(videos)), make([]int64, len(videos))
	for i := range least {
		least[i] = math.MaxInt64
	}
	for at := range places {
		if err := ctx.Err(); err != nil {
			return nil, s, err
		}
		clip, err := data.Cut(ds, at, first.Frames)
		if err != nil {
			return nil, s, err
		}
		s.Looked++
		for mirrored := range 1 + oneIf(flip) {
			if mirrored == 1 {
				clip = augment.Mirror(clip)
			}
			for i, v := range videos {
				if len(v.Pix) != len(clip.Pix) {
					return nil, s, fmt.Errorf("%s: clips of %d values, want %d", ds.Name(at.Video), len(clip.Pix), len(v.Pix))
				}
				if d := squares(v.Pix, clip.Pix, least[i]); d < least[i] {
					least[i] = d
					found[i] = Neighbour{Video: ds.Name(at.Video), Start: at.Start, Mirrored: mirrored == 1, Clip: clip}
				}
			}
		}
	}
	for i := range found {
		found[i].RMS = math.Sqrt(float64(least[i]) / float64(len(first.Pix)))
	}
	return found, s, nil
}

// placesOf are the places of the clips to look at.
func placesOf(ds clips.Dataset, seed uint64, frames, most int) (iter.Seq[data.At], Search) {
	all := 0
	for video := 0; video < ds.Len() && all <= most; video++ {
		all += min(clips.Starts(ds, video, frames), most+1)
	}
	if all <= most {
		return data.Windows(ds, frames, 1), Search{All: all}
	}
	return func(yield func(data.At) bool) {
		for i := range most {
			if !yield(data.Fixed(ds, seed, i, frames)) {
				return
			}
		}
	}, Search{}
}

func oneIf(is bool) int {
	if is {
		return 1
	}
	return 0
}

// squares is the sum of squared differences, or anything that is not below enough.
func squares(a, b []uint8, enough int64) (sum int64) {
	const line = 1024
	for from := 0; from < len(a) && sum < enough; from += line {
		to := min(from+line, len(a))
		some := int64(0)
		for i, x := range a[from:to] {
			d := int64(x) - int64(b[from+i])
			some += d * d
		}
		sum += some
	}
	return sum
}
