// Package smmnist is Stochastic Moving MNIST (Denton and Fergus 2018) as the published code of MCVD
// draws it: two of MNIST's digits that move over a frame of 64x64, and leave its edges with a new,
// random velocity.
package smmnist

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"

	"mcvd/configs"
	"mcvd/data/clips"
	"mcvd/data/idx"
	"mcvd/data/resize"
)

// Options are the settings under data.options.
type Options struct {
	Digits int `yaml:"digits" range:"[1, 100]" doc:"How many digits move in a video; the published data set has 2."`
}

// DefaultOptions is what missing options mean.
func DefaultOptions() Options { return Options{Digits: 2} }

const (
	frameSize = 64
	digitSize = 32
	room      = frameSize - digitSize // corners of digits lie from 0 to room - 1
	trainLen  = 1_000_000_000         // so many that no training sees a video twice
	validLen  = 10_000
	testLen   = 256 // as many as the published evaluation has
	// testDigits is how many of the test's digits the published evaluation draws from: the first.
	testDigits = 256
)

// Dataset draws videos. A video depends only on the split and its number, and begins where the
// published ones do: with digits anywhere. It is safe for use by several goroutines.
type Dataset struct {
	split  clips.Split
	digits int
	frames int
	images [][]uint8 // 32x32
	shows  []uint8   // the digit in each image, 0 to 9; nil if that is unknown
}

// Check reports settings that [Open] would refuse, without touching any file.
func Check(c *configs.Config) error {
	_, err := readOptions(c)
	return err
}

func readOptions(c *configs.Config) (Options, error) {
	o := DefaultOptions()
	err := c.Data.Options.Decode("data.options", &o)
	var p configs.Problems
	p.Check(c.Data.Size == frameSize, "data.size", c.Data.Size, fmt.Sprintf("%d, the size of Stochastic Moving MNIST", frameSize), "data.name")
	p.Check(c.Data.Channels == 1, "data.channels", c.Data.Channels, "1, as Stochastic Moving MNIST is grey", "data.name")
	return o, errors.Join(err, p.Err())
}

// Open reads MNIST's files in the folder c.Data.Path. Videos have frames frames: every clip begins
// where a video does.
func Open(_ context.Context, c *configs.Config, split clips.Split, frames int, _ *slog.Logger) (*Dataset, error) {
	o, err := readOptions(c)
	if err := errors.Join(split.Check(), err); err != nil {
		return nil, err
	}
	images, err := idx.Of(c.Data.Path, split)
	if err != nil {
		return nil, err
	}
	if images.Side != 28 {
		return nil, fmt.Errorf("%s: images of %dx%d, want MNIST's 28x28", c.Data.Path, images.Side, images.Side)
	}
	if split == clips.Test {
		images = images.First(testDigits)
	}
	return &Dataset{split: split, digits: o.Digits, frames: frames, images: enlarged(images), shows: images.Labels}, nil
}

// enlarged are digits in 32x32, as PIL makes them larger.
func enlarged(images idx.Images) [][]uint8 {
	larger := resize.New(resize.Bilinear, images.Side, images.Side, digitSize, digitSize)
	out := make([][]uint8, len(images.Pix))
	for i, pix := range images.Pix {
		digit := resize.NewFrame(digitSize, digitSize, 1)
		larger.Into(resize.Frame{Pix: pix, Height: images.Side, Width: images.Side, Channels: 1}, digit)
		out[i] = digit.Pix
	}
	return out
}

// Len is the number of videos: a billion for training, 10,000 for validation, and 256 for the test.
func (d *Dataset) Len() int {
	switch d.split {
	case clips.Train:
		return trainLen
	case clips.Valid:
		return validLen
	}
	return testLen
}

// Name says which video this is.
func (d *Dataset) Name(i int) string { return fmt.Sprintf("smmnist/%s/%d", d.split, i) }

// Frames is how many frames were asked for.
func (d *Dataset) Frames(int) int { return d.frames }

// Clip draws frames of a video; see [clips.Dataset]. Each digit has a generator of its own, so that
// a longer video begins with the frames of a shorter one.
func (d *Dataset) Clip(video, start, frames int) (clips.Clip, error) {
	if err := clips.CheckRange(d, video, start, frames); err != nil {
		return clips.Clip{}, err
	}
	whole := clips.NewClip(start+frames, frameSize, frameSize, 1)
	for k := range d.digits {
		move(whole, d.images, d.draws(video, k))
	}
	return whole.Slice(start, start+frames), nil
}

// Classes are the ten digits, or nil if the files have no labels; see [clips.Labelled].
func (d *Dataset) Classes() []string { return idx.Classes(d.shows) }

// Labels are the digits of a video. A digit that moves there twice is one label.
func (d *Dataset) Labels(video int) []string {
	if d.shows == nil {
		return nil
	}
	drawn := make([]uint8, d.digits)
	for k := range drawn {
		drawn[k] = d.shows[d.draws(video, k)(0, len(d.images))] // as move begins
	}
	return idx.Distinct(drawn)
}

// draws gives the random integers of digit k of a video, from low to high - 1.
func (d *Dataset) draws(video, k int) func(low, high int) int {
	var seed [32]byte
	copy(seed[:16], "smmnist/"+d.split)
	binary.LittleEndian.PutUint64(seed[16:], uint64(video))
	binary.LittleEndian.PutUint64(seed[24:], uint64(k))
	rng := rand.New(rand.NewChaCha8(seed))
	return func(low, high int) int { return low + rng.IntN(high-low) }
}

// move draws a digit into all frames of a clip. draw gives random integers from low to high - 1, in
// the order of the published code.
func move(clip clips.Clip, images [][]uint8, draw func(low, high int) int) {
	digit := images[draw(0, len(images))]
	x, y := draw(0, room), draw(0, room)
	vx, vy := draw(-4, 5), draw(-4, 5)
	for t := range clip.Frames {
		if y < 0 {
			y, vy, vx = 0, draw(1, 5), draw(-4, 5)
		} else if y >= room {
			y, vy, vx = room-1, draw(-4, 0), draw(-4, 5)
		}
		if x < 0 {
			x, vx, vy = 0, draw(1, 5), draw(-4, 5)
		} else if x >= room {
			x, vx, vy = room-1, draw(-4, 0), draw(-4, 5)
		}
		frame := clip.Slice(t, t+1).Pix
		for row := range digitSize {
			line := frame[(y+row)*frameSize+x:][:digitSize]
			for i, ink := range digit[row*digitSize:][:digitSize] {
				line[i] = uint8(min(255, int(line[i])+int(ink)))
			}
		}
		x, y = x+vx, y+vy
	}
}
