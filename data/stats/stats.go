// Package stats describes the splits of a data set: how many videos and frames, how long, how bright,
// and which videos are nearly the same.
package stats

import (
	"context"
	"fmt"
	"math"
	"slices"

	"mcvd/data/clips"
)

// Split describes the videos of a split.
type Split struct {
	Name     clips.Split `json:"split"`
	Videos   int         `json:"videos"`
	Frames   Lengths     `json:"frames"`
	Height   int         `json:"height"` // of a frame, in pixels
	Width    int         `json:"width"`
	Channels int         `json:"channels"`
	FPS      [2]float64  `json:"fps"` // the least and the greatest frame rate, frames a second; 0 where a video's is unknown
	// Sampled is of how many videos pixels were read.
	Sampled int `json:"sampled"`
	// Mean and Deviation are those of the channels, in 0 to 255.
	Mean      []float64 `json:"mean"`
	Deviation []float64 `json:"deviation"`

	looks []look
}

// Lengths are how many frames videos have.
type Lengths struct {
	Total     int   `json:"total"` // of all videos; -1 where it doesn't fit, as in data sets that are drawn
	Least     int   `json:"least"`
	Median    int   `json:"median"`
	Greatest  int   `json:"greatest"`
	Histogram []Bar `json:"histogram"`
}

// Bar counts videos with From to To frames.
type Bar struct {
	From  int `json:"from"`
	To    int `json:"to"`
	Count int `json:"count"`
}

const (
	mostLengths = 1_000_000 // lengths that are looked at; of larger sets, every n-th video's
	bars        = 10
	perVideo    = 4 // frames of a video whose pixels are counted
)

// Of describes a split of a data set. Pixels are read of at most sample videos, evenly spread over the
// split, a few frames of each. Memory doesn't grow with the number of videos beyond that.
func Of(ctx context.Context, name clips.Split, ds clips.Dataset, sample int) (Split, error) {
	s := Split{Name: name, Videos: ds.Len(), Frames: lengths(ds)}
	s.FPS[0] = math.Inf(1)
	s.Sampled = min(sample, ds.Len())
	var sums moments
	for k := range s.Sampled {
		if err := context.Cause(ctx); err != nil {
			return Split{}, err
		}
		video := k * ds.Len() / s.Sampled
		fps := clips.FPS(ds, video)
		s.FPS[0], s.FPS[1] = min(s.FPS[0], fps), max(s.FPS[1], fps)
		frames := min(ds.Frames(video), 1<<20) // a drawn video has no end
		looks := look{name: ds.Name(video)}
		for i := range perVideo {
			at := (2*i + 1) * frames / (2 * perVideo)
			clip, err := ds.Clip(video, at, 1)
			if err != nil {
				return Split{}, fmt.Errorf("%s: %w", ds.Name(video), err)
			}
			s.Height, s.Width, s.Channels = clip.Height, clip.Width, clip.Channels
			sums.add(clip)
			looks.frames[i] = pictureOf(clip)
		}
		s.looks = append(s.looks, looks)
	}
	s.Mean, s.Deviation = sums.of()
	return s, nil
}

// lengths counts how many frames videos have.
func lengths(ds clips.Dataset) Lengths {
	n := min(ds.Len(), mostLengths)
	all, total := make([]int, n), 0
	for k := range all {
		all[k] = ds.Frames(k * ds.Len() / n)
		if total >= 0 && all[k] > math.MaxInt-total || n < ds.Len() {
			total = -1
		}
		if total >= 0 {
			total += all[k]
		}
	}
	slices.Sort(all)
	l := Lengths{Total: total, Least: all[0], Median: all[n/2], Greatest: all[n-1]}
	width := max((l.Greatest-l.Least)/bars+1, 1)
	for from := l.Least; from <= l.Greatest && from >= 0; from += width {
		bar := Bar{From: from, To: min(from+width-1, l.Greatest)}
		first, _ := slices.BinarySearch(all, bar.From)
		after, _ := slices.BinarySearch(all, bar.To+1)
		bar.Count = after - first
		l.Histogram = append(l.Histogram, bar)
	}
	return l
}

// moments sums the values of each channel.
type moments struct {
	n, sum, square [3]float64
	channels       int
}

func (m *moments) add(c clips.Clip) {
	m.channels = c.Channels
	for i, v := range c.Pix {
		x, ch := float64(v), i%c.Channels
		m.n[ch]++
		m.sum[ch] += x
		m.square[ch] += x * x
	}
}

// of are the means and the standard deviations. Sums of bytes and of their squares are exact in
// float64, up to 10^11 values.
func (m *moments) of() (mean, deviation []float64) {
	for ch := range m.channels {
		average := m.sum[ch] / m.n[ch]
		mean = append(mean, average)
		deviation = append(deviation, math.Sqrt(max(0, m.square[ch]/m.n[ch]-average*average)))
	}
	return mean, deviation
}
