package converted

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"mcvd/configs/regular"
	"mcvd/data/clips"
	"mcvd/data/store"
)

// maxVideos is how many videos a shard has at most, so that its index stays small.
const maxVideos = 4096

// The number of frames of a video, and of videos, from which on a source is most likely drawn without
// an end: somebody has to say that so many are meant.
const (
	endlessFrames = 1 << 20
	endlessVideos = 1 << 27
)

// Chunk is how many frames of a size are compressed together: enough to find what is the same in
// the next frame, and few enough that a clip reads little more than itself.
func Chunk(frameSize int) int { return max(1, min(16, 4<<20/frameSize)) }

// part is the videos of a split that are converted, each by the number that it has in its split.
type part struct {
	split  clips.Split
	ds     clips.Dataset
	videos int
	frames int // the most that a video has
}

// length is how many frames of a video are converted.
func (p part) length(video int) int { return min(p.frames, p.ds.Frames(video)) }

// newPart decides how many videos of a split are converted, and how many frames of each. 0 is all.
func newPart(split clips.Split, ds clips.Dataset, videos, frames int) (part, error) {
	p := part{split, ds, ds.Len(), frames}
	if videos > 0 {
		p.videos = min(videos, p.videos)
	} else if p.videos >= endlessVideos {
		return p, fmt.Errorf("split %s: %d videos, which are drawn without an end: give --videos N and --frames N, the most to write", split, p.videos)
	}
	if frames == 0 {
		if p.frames = 1 << 40; ds.Frames(0) >= endlessFrames {
			return p, fmt.Errorf("split %s: %s has %d frames, as if drawn without an end: give --frames N, the most to write", split, ds.Name(0), ds.Frames(0))
		}
	}
	return p, nil
}

// job is a shard to be written: some videos of a part, one after the other.
type job struct {
	shard
	part  part
	first int
}

// plan says which videos come into which shard: a new one begins where the frames would make it
// larger than size bytes, before any compression. It depends on nothing but the videos.
func plan(parts []part, format store.Format, size int64) (index, []job) {
	hash := sha256.New()
	x := index{Version: version, Format: format.Written()}
	var jobs []job
	for _, p := range parts {
		number, room := 0, int64(0)
		for i := range p.videos {
			frames := p.length(i)
			fmt.Fprintf(hash, "%s %q %d %g\n", p.split, p.ds.Name(i), frames, clips.FPS(p.ds, i))
			bytes := int64(frames) * int64(format.FrameSize())
			last := len(jobs) - 1
			if number == 0 || bytes > room || jobs[last].Videos == maxVideos {
				jobs = append(jobs, job{shard{Name: shardName(p.split, number)}, p, i})
				number, room, last = number+1, size, last+1
			}
			jobs[last].Videos++
			jobs[last].Frames += frames
			room -= bytes
		}
	}
	for _, j := range jobs {
		x.Shards = append(x.Shards, j.shard)
	}
	x.Videos = hex.EncodeToString(hash.Sum(nil))
	return x, jobs
}

// fingerprint is a SHA-256 of the names, sizes and times of all files below a folder, wherever links
// lead, or of one file; of nothing for no path. Hidden files, such as caches, don't count.
func fingerprint(root string) (string, error) {
	hash := sha256.New()
	if root != "" {
		err := regular.Walk(root, func(name string) error {
			info, err := os.Stat(filepath.Join(root, filepath.FromSlash(name)))
			if err != nil {
				return nil // a link that leads nowhere is no part of a source
			}
			_, err = fmt.Fprintf(hash, "%q %d %s\n", name, info.Size(), info.ModTime().UTC().Format(time.RFC3339Nano))
			return err
		})
		if err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

// difference names the settings that differ between two sources, whose settings are JSON objects.
func difference(then, now string) string {
	var a, b map[string]any
	if errors.Join(json.Unmarshal([]byte(then), &a), json.Unmarshal([]byte(now), &b)) != nil {
		return then + "; now they are " + now
	}
	return strings.Join(differing("data.", a, b), "; ")
}

func differing(prefix string, a, b map[string]any) (out []string) {
	keys := slices.AppendSeq(slices.Collect(maps.Keys(a)), maps.Keys(b))
	slices.Sort(keys)
	for _, key := range slices.Compact(keys) {
		path := prefix + strings.ToLower(key)
		inA, isA := a[key].(map[string]any)
		inB, isB := b[key].(map[string]any)
		switch {
		case isA && isB:
			out = append(out, differing(path+".", inA, inB)...)
		case !reflect.DeepEqual(a[key], b[key]):
			out = append(out, fmt.Sprintf("%s was %v, now it is %v", path, a[key], b[key]))
		}
	}
	return out
}

// isSame reports in what the plan of a store that was begun differs from the one of now.
func (x index) isSame(now index) error {
	switch {
	case x.Format.Settings != now.Format.Settings:
		return fmt.Errorf("its source had other settings: %s", difference(x.Format.Settings, now.Format.Settings))
	case x.Format != now.Format:
		return fmt.Errorf("its frames are %dx%dx%d in chunks of %d, now they would be %dx%dx%d in chunks of %d", x.Height, x.Width,
			x.Channels, x.Chunk, now.Height, now.Width, now.Channels, now.Chunk)
	case x.Source != now.Source:
		return errors.New("a file of its source was changed, added or removed since then")
	case x.Videos != now.Videos:
		return errors.New("its source had other videos, or videos of other lengths")
	case len(x.Shards) != len(now.Shards):
		return fmt.Errorf("it has %d shards, now there would be %d: their size is another", len(x.Shards), len(now.Shards))
	}
	for i, s := range x.Shards {
		if n := now.Shards[i]; s.Name != n.Name || s.Videos != n.Videos || s.Frames != n.Frames {
			return fmt.Errorf("its shard %s has %d videos, now it would have %d: the size of shards is another", s.Name, s.Videos, n.Videos)
		}
	}
	return nil
}
