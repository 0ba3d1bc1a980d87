package webdataset

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"

	"mcvd/data/decoded"
	"mcvd/data/video"
)

// extensions are those of the files in a shard that are videos.
var extensions = []string{"avi", "gif", "mkv", "mov", "mp4", "webm"}

// openFilms opens the samples of a split whose videos are files that ffmpeg decodes. ffmpeg reads
// them where they lie in the shards, so that no copy takes disk, and does so once, into the cache.
func openFilms(ctx context.Context, set decoded.Set, samples []*sample, frames int, log *slog.Logger) (*decoded.Dataset, error) {
	without := 0
	for _, s := range samples {
		if s.film == (video.Piece{}) {
			without++
			continue
		}
		source, err := decoded.Film(s.name, s.path)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.path, err)
		}
		source.Piece = s.film
		set.Sources = append(set.Sources, source)
	}
	if without > 0 {
		log.Warn("samples without a video are left out", "split", set.Split, "without", without)
	}
	return decoded.Open(ctx, set, frames, log)
}

// hasFilms says whether the videos of samples are files. It fails if some are and some are not.
func hasFilms(samples []*sample) (bool, error) {
	film := slices.IndexFunc(samples, func(s *sample) bool { return s.film != (video.Piece{}) })
	other := slices.IndexFunc(samples, func(s *sample) bool { return s.length() > 0 })
	if film >= 0 && other >= 0 {
		return false, fmt.Errorf("sample %s is a video file, and sample %s images or an array: want one kind in a data set", samples[film].name, samples[other].name)
	}
	return film >= 0, nil
}

// expand lists the names that a pattern of shards stands for, such as clips-{000000..000012}.tar. A
// range counts with as many digits as its first number has.
func expand(pattern string) ([]string, error) {
	before, rest, ok := strings.Cut(pattern, "{")
	if !ok && !strings.Contains(pattern, "}") {
		return []string{pattern}, nil
	}
	inside, after, closed := strings.Cut(rest, "}")
	first, last, isRange := strings.Cut(inside, "..")
	from, errFrom := strconv.Atoi(first)
	to, errTo := strconv.Atoi(last)
	if !closed || !isRange || errFrom != nil || errTo != nil || from < 0 || from > to || to-from >= maxShards {
		return nil, fmt.Errorf("data.options.shards: %q, want a range of up to %d numbers in braces, such as clips-{000000..000012}.tar", pattern, maxShards)
	}
	ends, err := expand(after)
	if err != nil {
		return nil, err
	}
	if (to-from+1)*len(ends) > maxShards {
		return nil, fmt.Errorf("data.options.shards: %q is %d shards, want up to %d", pattern, (to-from+1)*len(ends), maxShards)
	}
	var out []string
	for n := from; n <= to; n++ {
		for _, end := range ends {
			out = append(out, fmt.Sprintf("%s%0*d%s", before, len(first), n, end))
		}
	}
	return out, nil
}

// maxShards is how many shards a pattern may stand for.
const maxShards = 1_000_000
