// Package points is a data set of points in the plane, for models so small that all of the method
// can be seen in one picture.
//
// A point is a video of two frames, the first filled with its x and the second with its y: of one grey
// pixel, or larger where data.size says so. So everything works as it does for videos. The mask hides
// x, y or neither, and a model with one past frame learns the distribution of y given x. Bytes are
// fine enough: their steps are 0.0078 of the range [-1, 1], so rounding adds 0.3 % to the variance of
// the noise around a curve.
package points

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"

	"mcvd/configs"
	"mcvd/data/clips"
)

// Options are the settings under data.options.
type Options struct {
	Curve  string  `yaml:"curve" choices:"s_curve two_moons" doc:"The curve that the points lie around."`
	Noise  float64 `yaml:"noise" range:"[0, 10]" doc:"The standard deviation of a point's distance from the curve in x and in y. The S-curve is 2 wide and 4 high, a moon is 2 wide and 1 high."`
	Points int     `yaml:"points" range:"[1, 1e9]" doc:"How many points there are for training."`
}

// DefaultOptions is what missing options mean: the S-curve of scikit-learn's make_s_curve, as texts
// about DDPM show it.
func DefaultOptions() Options { return Options{Curve: "s_curve", Noise: 0.1, Points: 10_000} }

// curve is a curve and the factor by which it fits into [-1, 1] with five standard deviations of
// noise of 0.1.
type curve struct {
	scale float64
	at    func(rng *rand.Rand) (x, y float64) // a random point on it
}

// curves are the values of data.options.curve.
var curves = map[string]curve{
	"s_curve": {1 / 2.5, func(rng *rand.Rand) (x, y float64) {
		t := 3 * math.Pi * (rng.Float64() - 0.5)
		return math.Sin(t), math.Copysign(1, t) * (math.Cos(t) - 1)
	}},
	// Half circles of radius 1 around (-0.5, -0.25), above, and around (0.5, 0.25), below.
	"two_moons": {1 / 2.0, func(rng *rand.Rand) (x, y float64) {
		sin, cos := math.Sincos(math.Pi * rng.Float64())
		x, y = cos-0.5, sin-0.25
		if rng.Uint64()&1 == 1 {
			x, y = -x, -y
		}
		return x, y
	}},
}

// evalLen is the number of points for validation and for the test.
const evalLen = 10_000

// Dataset draws points. They depend only on the split and on the point's number. It is safe for use
// by several goroutines.
type Dataset struct {
	size, channels int
	o              Options
	split          clips.Split
}

// New reads c.Data (size, channels, options).
func New(c *configs.Config, split clips.Split) (*Dataset, error) {
	if err := split.Check(); err != nil {
		return nil, err
	}
	o, err := readOptions(c)
	return &Dataset{c.Data.Size, c.Data.Channels, o, split}, err
}

// Check reports what [New] would report about c.Data.
func Check(c *configs.Config) error {
	_, err := readOptions(c)
	return err
}

func readOptions(c *configs.Config) (Options, error) {
	o := DefaultOptions()
	err := c.Data.Options.Decode("data.options", &o)
	return o, err
}

// Len is the number of points: data.options.points for training, 10,000 for validation and test.
func (d *Dataset) Len() int {
	if d.split == clips.Train {
		return d.o.Points
	}
	return evalLen
}

// Name says which point this is.
func (d *Dataset) Name(i int) string { return fmt.Sprintf("points/%s/%d", d.split, i) }

// Frames is 2: x and y.
func (*Dataset) Frames(int) int { return 2 }

// Clip is a point's x, its y, or both, as bytes; see [clips.Dataset].
func (d *Dataset) Clip(video, start, frames int) (clips.Clip, error) {
	if err := clips.CheckRange(d, video, start, frames); err != nil {
		return clips.Clip{}, err
	}
	x, y := d.at(video)
	both, frame := clips.NewClip(2, d.size, d.size, d.channels), d.size*d.size*d.channels
	for i := range both.Pix {
		both.Pix[i] = clips.Byte(float32([]float64{x, y}[i/frame]))
	}
	return both.Slice(start, start+frames), nil
}

// at is a point before it is rounded to bytes.
func (d *Dataset) at(video int) (x, y float64) {
	var seed [32]byte
	copy(seed[:24], "points/"+d.split)
	binary.LittleEndian.PutUint64(seed[24:], uint64(video))
	rng, c := rand.New(rand.NewChaCha8(seed)), curves[d.o.Curve]
	x, y = c.at(rng)
	return c.scale * (x + d.o.Noise*rng.NormFloat64()), c.scale * (y + d.o.Noise*rng.NormFloat64())
}
