package decoded

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"strings"

	"golang.org/x/sync/errgroup"

	"mcvd/configs/atomicfile"
	"mcvd/configs/regular"
	"mcvd/data/store"
)

// divide divides the videos of sources that have no parts at their cuts. Scenes with fewer than frames
// frames are left out. A video of a single scene keeps its name.
func (d *Dataset) divide(threshold float64, frames int) error {
	cuts := make([][]int, len(d.videos))
	group, ctx := errgroup.WithContext(d.ctx)
	group.SetLimit(decoders)
	for i, v := range d.videos {
		if v.of.Parts != nil {
			continue
		}
		group.Go(func() error {
			changes, err := d.changes(ctx, i)
			cuts[i] = cutsOf(changes, threshold)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	whole, short := d.videos, 0
	d.videos = nil
	for i, v := range whole {
		if len(cuts[i]) == 0 {
			d.videos = append(d.videos, v)
			continue
		}
		for k, from := range append([]int{0}, cuts[i]...) {
			to := v.frames
			if k < len(cuts[i]) {
				to = cuts[i][k]
			}
			if to-from < frames {
				short++
				continue
			}
			d.videos = append(d.videos, film{fmt.Sprintf("%s#%d-%d", v.name, from, to-1), v.of, v.from + from, to - from, 0})
		}
	}
	if short > 0 {
		d.cache.problems = append(d.cache.problems, Problem{"scenes", fmt.Errorf("%d have fewer than %d frames (data.options.scenes: %g)", short, frames, threshold)})
	}
	d.cache.log.Info("videos are divided into scenes", "videos", len(whole), "scenes", len(d.videos), "too_short", short)
	return nil
}

// cutsOf are the numbers of the frames with which scenes after the first one begin: those that differ
// from the frame before by the threshold more than that one did from its own.
func cutsOf(changes []float32, threshold float64) (cuts []int) {
	for t := 1; t < len(changes); t++ {
		var usual float32 // how much frames change beside this one
		switch {
		case t > 1:
			usual = changes[t-1]
		case len(changes) > 2: // the frame before is the first one, which has no change
			usual = changes[2]
		}
		if more := changes[t] - usual; float64(more) >= threshold {
			cuts = append(cuts, t)
		}
	}
	return cuts
}

// changes are the mean absolute differences of a video's frames from those before them, in percent of
// the range of values; 0 of the first frame. They are kept beside the frames.
func (d *Dataset) changes(ctx context.Context, video int) ([]float32, error) {
	v := d.videos[video]
	file := v.of.Entry.File()
	path := strings.TrimSuffix(file.Path(), store.Extension) + ".changes"
	if kept, ok := readChanges(path, file.Sum(), v.frames); ok {
		return kept, nil
	}
	h, w, ch := d.Frame()
	before, frame := make([]uint8, h*w*ch), make([]uint8, h*w*ch)
	changes := make([]float32, v.frames)
	for t := range changes {
		if err := context.Cause(ctx); err != nil {
			return nil, err
		}
		if err := d.Read(video, t, frame); err != nil {
			return nil, fmt.Errorf("%s: %w", v.name, err)
		}
		if t > 0 {
			changes[t] = difference(before, frame)
		}
		before, frame = frame, before
	}
	if err := writeChanges(path, file.Sum(), changes); err != nil {
		d.cache.log.Warn("the places of cuts can't be kept, and will be looked for again", "video", v.name, "reason", err)
	}
	return changes, nil
}

func difference(a, b []uint8) float32 {
	sum := 0
	for i, x := range a {
		sum += max(int(x)-int(b[i]), int(b[i])-int(x))
	}
	return float32(100 * float64(sum) / 256 / float64(len(a)))
}

// A file of changes holds the checksum of the index of the frames, a float32 for each frame, and the
// CRC-32 of all that.

func readChanges(path string, of uint32, frames int) ([]float32, bool) {
	want := 4 + 4*frames + 4
	text, err := regular.Read(path)
	if err != nil || len(text) != want || binary.LittleEndian.Uint32(text) != of ||
		crc32.ChecksumIEEE(text[:want-4]) != binary.LittleEndian.Uint32(text[want-4:]) {
		return nil, false
	}
	changes := make([]float32, frames)
	_, err = binary.Decode(text[4:want-4], binary.LittleEndian, changes)
	return changes, err == nil
}

func writeChanges(path string, of uint32, changes []float32) error {
	text := binary.LittleEndian.AppendUint32(nil, of)
	text, err := binary.Append(text, binary.LittleEndian, changes)
	if err != nil {
		return err
	}
	text = binary.LittleEndian.AppendUint32(text, crc32.ChecksumIEEE(text))
	return atomicfile.Write(path, func(tmp *os.File) error {
		_, err := tmp.Write(text)
		return err
	})
}
