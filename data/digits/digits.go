// Package digits is a data set that draws itself: digits that move in straight lines and bounce off
// the edges of the frame, as in Moving MNIST (Srivastava et al. 2015). They come from a built-in
// font or from MNIST's own files.
//
// It differs from Stochastic Moving MNIST (Denton and Fergus 2018), in which the direction after an
// edge is random.
package digits

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"

	"mcvd/configs"
	"mcvd/data/clips"
	"mcvd/data/idx"
)

// Options are the settings under data.options.
type Options struct {
	Digits    int       `yaml:"digits" range:"[1, 100]" doc:"How many digits move in a video."`
	DigitSize int       `yaml:"digit_size" range:"[0, 4096]" doc:"The height and width in pixels of the box around a digit; 0 for 28/64 of the frame, as in Moving MNIST."`
	Speed     []float64 `yaml:"speed,flow" range:"[0, 4096]" doc:"The least and the greatest speed in pixels a frame; [0, 0] for 2 to 5 in frames of 64 pixels, and in proportion in others."`
	Color     string    `yaml:"color" choices:"white random" doc:"The colour of digits: white, or random for one of its own for each digit, which needs data.channels 3."`
	MNIST     string    `yaml:"mnist" doc:"A folder with MNIST's idx files, plain or .gz, to draw digits from; empty for the built-in font. docs/data.md names the files."`
}

// DefaultOptions is what missing options mean.
func DefaultOptions() Options { return Options{Digits: 2, Speed: []float64{0, 0}, Color: "white"} }

const (
	trainLen = 1_000_000_000 // so many that no training sees a video twice
	evalLen  = 10_000        // as many as Moving MNIST's test set has
	// videoLen is the number of frames of a video, which could go on without end. Up to here
	// positions are exact to a millionth of a pixel.
	videoLen = 1 << 20
)

// Dataset draws videos. Digits and their ways depend only on the split and the video's number. So
// validation and test are the same for every experiment, whatever its seed. It is safe for use by
// several goroutines.
type Dataset struct {
	size, channels int
	o              Options
	split          clips.Split
	glyphs         []glyph
	shows          []uint8 // the digit that each glyph shows, 0 to 9; nil if that is unknown
}

// New reads c.Data (size, channels, options). It fails at options out of range and at MNIST files
// that are missing or broken.
func New(c *configs.Config, split clips.Split) (*Dataset, error) {
	d, err := settings(c)
	if err != nil {
		return nil, err
	}
	if err := split.Check(); err != nil {
		return nil, err
	}
	d.split = split
	if d.o.MNIST == "" {
		d.glyphs, err = fontGlyphs(d.o.DigitSize)
		d.shows = []uint8{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}
	} else {
		d.glyphs, d.shows, err = mnistGlyphs(d.o.MNIST, split)
	}
	return d, err
}

// Check reports what [New] would report about c.Data, except for MNIST's files.
func Check(c *configs.Config) error {
	_, err := settings(c)
	return err
}

// settings is a data set without its digits.
func settings(c *configs.Config) (*Dataset, error) {
	d := &Dataset{size: c.Data.Size, channels: c.Data.Channels, o: DefaultOptions()}
	if err := c.Data.Options.Decode("data.options", &d.o); err != nil {
		return nil, err
	}
	return d, d.complete()
}

// complete replaces zeros by default numbers and checks ranges.
func (d *Dataset) complete() error {
	o := &d.o
	if o.DigitSize == 0 {
		o.DigitSize = max(4, (d.size*28+32)/64)
	}
	if len(o.Speed) == 2 && o.Speed[0] == 0 && o.Speed[1] == 0 {
		o.Speed = []float64{float64(d.size) * 2 / 64, float64(d.size) * 5 / 64}
	}
	switch {
	case d.channels != 1 && d.channels != 3:
		return fmt.Errorf("data.channels: %d, want 1 (grey) or 3 (RGB)", d.channels)
	case o.DigitSize < 4 || o.DigitSize >= d.size:
		return fmt.Errorf("data.options.digit_size: %d, want 4 or more and less than data.size, %d", o.DigitSize, d.size)
	case len(o.Speed) != 2 || !(0 <= o.Speed[0] && o.Speed[0] <= o.Speed[1] && o.Speed[1] <= float64(d.size)):
		return fmt.Errorf("data.options.speed: %v, want [least, greatest], from 0 to data.size, %d", o.Speed, d.size)
	case o.Color == "random" && d.channels == 1:
		return fmt.Errorf("data.options.color: random has no effect because data.channels is 1")
	}
	return nil
}

// Len is the number of videos: a billion for training, 10,000 for validation and test.
func (d *Dataset) Len() int {
	if d.split == clips.Train {
		return trainLen
	}
	return evalLen
}

// Name says which video this is.
func (d *Dataset) Name(i int) string { return fmt.Sprintf("digits/%s/%d", d.split, i) }

// Frames is about a million: the digits never stop.
func (d *Dataset) Frames(int) int { return videoLen }

// Clip draws frames of a video; see [clips.Dataset].
func (d *Dataset) Clip(video, start, frames int) (clips.Clip, error) {
	if err := clips.CheckRange(d, video, start, frames); err != nil {
		return clips.Clip{}, err
	}
	rng := d.source(video)
	clip := clips.NewClip(frames, d.size, d.size, d.channels)
	for range d.o.Digits {
		m := d.newMover(rng)
		for f := range frames {
			x, y := m.at(float64(start + f))
			m.glyph.draw(clip.Slice(f, f+1), x, y, m.color)
		}
	}
	return clip, nil
}

// Classes are the ten digits, or nil if the files of MNIST have no labels; see [clips.Labelled].
func (d *Dataset) Classes() []string { return idx.Classes(d.shows) }

// Labels are the digits that move in a video. A digit that moves there twice is one label.
func (d *Dataset) Labels(video int) []string {
	if d.shows == nil {
		return nil
	}
	rng, drawn := d.source(video), make([]uint8, d.o.Digits)
	for i := range drawn {
		drawn[i] = d.shows[d.newMover(rng).number]
	}
	return idx.Distinct(drawn)
}

// source is a generator that depends only on the split and a video's number. It is a cryptographic
// one, because seeds that differ only in a number must give unrelated videos.
func (d *Dataset) source(video int) *rand.Rand {
	var seed [32]byte
	copy(seed[:24], "digits/"+d.split)
	binary.LittleEndian.PutUint64(seed[24:], uint64(video))
	return rand.New(rand.NewChaCha8(seed))
}

// mover is one digit on its way.
type mover struct {
	number       int // of the glyph
	glyph        glyph
	color        [3]float64 // 0 to 1; grey frames use the first
	x, y, vx, vy float64    // of the box's corner in pixels, at frame 0, and its change in a frame
	room         float64    // the corner's greatest x and y
}

func (d *Dataset) newMover(rng *rand.Rand) mover {
	m := mover{color: [3]float64{1, 1, 1}, room: float64(d.size - d.o.DigitSize)}
	m.number = rng.IntN(len(d.glyphs))
	m.glyph = d.glyphs[m.number].resized(d.o.DigitSize)
	m.x, m.y = rng.Float64()*m.room, rng.Float64()*m.room
	angle := rng.Float64() * 2 * math.Pi
	speed := d.o.Speed[0] + rng.Float64()*(d.o.Speed[1]-d.o.Speed[0])
	m.vx, m.vy = speed*math.Cos(angle), speed*math.Sin(angle)
	if d.o.Color == "random" {
		m.color = bright(rng.Float64())
	}
	return m
}

// at is where the box's corner is in a frame: a straight line folded at the edges.
func (m mover) at(frame float64) (x, y float64) {
	return fold(m.x+m.vx*frame, m.room), fold(m.y+m.vy*frame, m.room)
}

// fold reflects x at 0 and room until it lies between them.
func fold(x, room float64) float64 {
	x = math.Abs(math.Remainder(x, 2*room)) // Remainder is in [-room, room]
	return min(x, room)
}

// bright is a light colour of a hue from 0 to 1.
func bright(hue float64) [3]float64 {
	var c [3]float64
	for i := range c {
		distance := math.Abs(math.Remainder(hue-float64(i)/3, 1)) // 0 to 1/2 of the circle
		c[i] = 0.25 + 0.75*min(1, max(0, 2-6*distance))
	}
	return c
}
