package lerobot

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
)

// episode is where the video of an episode lies.
type episode struct {
	number   int
	chunk    int // with file, the MP4
	file     int
	frames   int
	from, to float64 // seconds in the MP4
}

// readEpisodes reads the index of a recording, in the order of the episodes.
func readEpisodes(root, camera string, in info) ([]episode, error) {
	files, err := filepath.Glob(filepath.Join(escaped(root), "meta", "episodes", "*", "*.parquet"))
	if err != nil {
		return nil, err
	}
	slices.Sort(files)
	var out []episode
	for _, path := range files {
		some, err := readEpisodesOf(path, camera)
		if err != nil {
			return nil, err
		}
		if out = append(out, some...); len(out) > in.Episodes {
			break
		}
	}
	slices.SortStableFunc(out, func(a, b episode) int { return cmp.Compare(a.number, b.number) })
	for i, e := range out {
		if e.number != i {
			return nil, fmt.Errorf("%s: meta/episodes: episode %d comes where episode %d belongs: files are missing, or there twice", root, e.number, i)
		}
	}
	if len(out) != in.Episodes {
		return nil, fmt.Errorf("%s: meta/episodes: %d episodes or more in %d files, want the %d of meta/info.json: is all of it there?", root, len(out), len(files), in.Episodes)
	}
	return out, nil
}

// escaped is a path as a pattern that stands for nothing else.
func escaped(path string) string {
	var out []rune
	for _, r := range path {
		if slices.Contains([]rune{'*', '?', '[', '\\'}, r) {
			out = append(out, '\\')
		}
		out = append(out, r)
	}
	return string(out)
}

// readEpisodesOf reads the episodes of a file of the index. An error names it.
func readEpisodesOf(path, camera string) ([]episode, error) {
	columns, err := readColumns(path, columnNames(camera))
	if err != nil {
		return nil, err
	}
	out, err := episodesOf(columns)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return out, nil
}

// columnNames are the columns that [episodesOf] wants, in their order.
func columnNames(camera string) []string {
	of := "videos/" + camera + "/"
	return []string{"episode_index", "length", of + "chunk_index", of + "file_index", of + "from_timestamp", of + "to_timestamp"}
}

func episodesOf(columns [][]float64) ([]episode, error) {
	var out []episode
	for i := range columns[0] {
		var whole [4]int
		for k := range whole {
			x := columns[k][i]
			if !(x >= 0 && x <= 1e9) || x != math.Trunc(x) {
				return nil, fmt.Errorf("row %d: %g among the numbers of episode, frames, chunk and file, want whole ones from 0", i, x)
			}
			whole[k] = int(x)
		}
		e := episode{whole[0], whole[2], whole[3], whole[1], columns[4][i], columns[5][i]}
		if !(e.from >= 0 && e.from < e.to && e.to <= 1e9) || e.frames == 0 {
			return nil, fmt.Errorf("episode %d: %d frames from second %g to %g, want some", e.number, e.frames, e.from, e.to)
		}
		out = append(out, e)
	}
	return out, nil
}

// errFrames is an episode whose times are not those of its frames.
var errFrames = errors.New("its times in the video don't fit its frames")

// span is the frames of an episode in its file, decoded at a rate: that of the recording, or another
// one that ffmpeg's filter fps makes of it. That filter shows a frame from the number of its time,
// rounded, on. Where a time lies between two numbers, both are left out, because the frame may be
// the neighbour's.
func (e episode) span(recorded, rate float64) (span, error) {
	first := math.Round(e.from * recorded)
	if !(math.Abs((e.to-e.from)*recorded-float64(e.frames)) < 1) {
		return span{}, fmt.Errorf("%w: %d frames at %g a second from second %g to %g", errFrames, e.frames, recorded, e.from, e.to)
	}
	if rate == recorded {
		return span{int(first), int(first) + e.frames}, nil
	}
	const near = 1e-3 // of a frame
	from, to := first/recorded*rate, (first+float64(e.frames))/recorded*rate
	begin := int(math.Floor(from + 0.5 + near))
	return span{begin, max(begin, int(math.Ceil(to-0.5-near)))}, nil
}
