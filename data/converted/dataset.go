package converted

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"golang.org/x/sync/errgroup"

	"mcvd/configs"
	"mcvd/data/clips"
	"mcvd/data/store"
)

// Options are the settings under data.options: there are none.
type Options struct{}

// Help is what `mcvd data help` says.
const Help = `A store: the videos of any other data set, written once as raw frames with checksums. Training reads
them without decoding.

Where from:  mcvd data convert SOURCE FOLDER, where SOURCE is a configuration or a folder of videos
Licence:     that of the source

Layout of data.path:
  index
  train/00000.frames
  train/00001.frames
  valid/00000.frames
  test/00000.frames

Splits:      those of the source
Frames:      data.size and data.channels must be those of the conversion

  data: {name: store, path: out/clips, size: 64, channels: 3}

mcvd data verify FOLDER compares all checksums.
`

// DefaultOptions is what missing options mean.
func DefaultOptions() Options { return Options{} }

// Check reports settings that [Open] would refuse, without touching any file.
func Check(c *configs.Config) error {
	o := DefaultOptions()
	return c.Data.Options.Decode("data.options", &o)
}

// Dataset is the videos of one split, in the order in which they were converted. It is safe for use
// by several goroutines, and keeps neither frames nor open files.
type Dataset struct {
	videos []video
	format store.Format
}

// video is a video of a shard.
type video struct {
	store.Entry
	shard *store.File
	at    int // its number in the shard
	name  string
}

// openers is how many shards are opened at a time.
const openers = 8

// Open opens a split of the store c.Data.Path. Videos with fewer than frames frames are left out,
// with a line in log. It fails if the store, or the index of a shard, is not whole, if frames are
// not of c.Data.Size and c.Data.Channels, and if no video is left. What is damaged is never
// repaired: `mcvd data verify` names it.
func Open(ctx context.Context, c *configs.Config, split clips.Split, frames int, log *slog.Logger) (*Dataset, error) {
	if err := errors.Join(split.Check(), Check(c)); err != nil {
		return nil, err
	}
	x, err := open(c.Data.Path)
	if err != nil {
		return nil, fmt.Errorf("data.path: %w", err)
	}
	if height, width := c.Data.Frame(); height != x.Height || width != x.Width {
		want := configs.Data{Size: x.Height, Width: x.Width}
		return nil, fmt.Errorf("data.size: %s, want %s, as frames of %s are", c.Data.Sides(), want.Sides(), c.Data.Path)
	}
	if c.Data.Channels != x.Channels {
		return nil, fmt.Errorf("data.channels: %d, want %d, which frames of %s have", c.Data.Channels, x.Channels, c.Data.Path)
	}
	shards := x.ofSplit(split)
	files := make([]*store.File, len(shards))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(openers)
	for i, s := range shards {
		group.Go(func() (err error) {
			if err := context.Cause(ctx); err != nil {
				return err
			}
			files[i], err = x.openShard(c.Data.Path, s)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var all []video
	for _, f := range files {
		for i, e := range f.Entries() {
			all = append(all, video{e, f, i, f.Source(i).Name})
		}
	}
	d := &Dataset{format: x.Format}
	d.videos, err = clips.LongEnough(all, func(v video) int { return v.Frames }, frames, c.Data.Path, split, log)
	return d, err
}

// FPS is the frame rate of the first video for training, 0 if it is unknown.
func FPS(_ context.Context, c *configs.Config) float64 {
	x, err := open(c.Data.Path)
	if err != nil || len(x.ofSplit(clips.Train)) == 0 {
		return 0
	}
	f, err := x.openShard(c.Data.Path, x.ofSplit(clips.Train)[0])
	if err != nil {
		return 0
	}
	return f.Entries()[0].FPS
}

// Len is the number of videos.
func (d *Dataset) Len() int { return len(d.videos) }

// Name is the name of video i in the data set that was converted.
func (d *Dataset) Name(i int) string { return d.videos[i].name }

// Frames is how many frames video i has.
func (d *Dataset) Frames(i int) int { return d.videos[i].Frames }

// FPS is the frame rate of video i in frames a second, 0 if it is unknown.
func (d *Dataset) FPS(i int) float64 { return d.videos[i].Entry.FPS }

// Clip reads frames of a video; see [clips.Dataset]. Frames that are not as they were written are
// an error.
func (d *Dataset) Clip(i, start, frames int) (clips.Clip, error) {
	if err := clips.CheckRange(d, i, start, frames); err != nil {
		return clips.Clip{}, err
	}
	clip := clips.NewClip(frames, d.format.Height, d.format.Width, d.format.Channels)
	return clip, d.Read(i, start, clip.Pix)
}

// Frame is the shape of all frames; see [clips.Reader].
func (d *Dataset) Frame() (height, width, channels int) {
	return d.format.Height, d.format.Width, d.format.Channels
}

// Read is [Dataset.Clip] into memory that is there; see [clips.Reader].
func (d *Dataset) Read(i, start int, pix []uint8) error {
	if err := clips.CheckRange(d, i, start, len(pix)/d.format.FrameSize()); err != nil {
		return err
	}
	if err := d.videos[i].Read(start, pix); err != nil {
		return fmt.Errorf("%s: %w (`mcvd data verify` lists what is damaged)", d.videos[i].shard.Path(), err)
	}
	return nil
}
