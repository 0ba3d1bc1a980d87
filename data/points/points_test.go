package points

import (
	"math"
	"slices"
	"strings"
	"testing"

	"mcvd/configs"
	"mcvd/data/clips"
)

func config(options configs.Options) *configs.Config {
	c := configs.Default()
	c.Data.Name, c.Data.Size, c.Data.Channels, c.Data.Options = "points", 1, 1, options
	return c
}

func open(t *testing.T, options configs.Options, split clips.Split) *Dataset {
	t.Helper()
	d, err := New(config(options), split)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// Without noise, points lie on the curves: on circles of radius 1 around (0, 1) and (0, -1), on the
// side that the S-curve has, and on half circles.
func TestPointsLieOnTheCurves(t *testing.T) {
	on := map[string]func(x, y float64) float64{ // the distance
		"s_curve": func(x, y float64) float64 {
			return math.Abs(math.Hypot(x, math.Abs(y)-1) - 1)
		},
		"two_moons": func(x, y float64) float64 {
			upper, lower := math.Abs(math.Hypot(x+0.5, y+0.25)-1), math.Abs(math.Hypot(x-0.5, y-0.25)-1)
			if y < -0.25 {
				upper = 1
			}
			if y > 0.25 {
				lower = 1
			}
			return min(upper, lower)
		},
	}
	for name, c := range curves {
		d := open(t, configs.Options{"curve": name, "noise": 0.0}, clips.Train)
		var mean [2]float64
		for i := range 2000 {
			x, y := d.at(i)
			x, y = x/c.scale, y/c.scale
			if far := on[name](x, y); !(far <= 1e-9) {
				t.Fatalf("%s: point %d, (%g, %g), is %g from the curve", name, i, x, y, far)
			}
			mean[0], mean[1] = mean[0]+x/2000, mean[1]+y/2000
		}
		if !(math.Hypot(mean[0], mean[1]) <= 0.08) { // both curves are symmetric about the origin
			t.Errorf("%s: the mean is %v, want about 0", name, mean)
		}
	}
	if len(on) != len(curves) {
		t.Errorf("%d curves are tested, want all %d", len(on), len(curves))
	}
}

// The variance around the curve is the noise's; here that of x, on top of the S-curve's, which is 1/2
// + 1/(6 pi) sin(3 pi), that is 1/2.
func TestNoiseHasItsVariance(t *testing.T) {
	d := open(t, configs.Options{"noise": 0.5}, clips.Train)
	const n = 20_000
	square := 0.0
	for i := range n {
		x, _ := d.at(i)
		square += x * x / n * 2.5 * 2.5
	}
	if !(math.Abs(square-0.75) <= 0.02) {
		t.Errorf("the mean square of x is %g, want 1/2 of the curve and 1/4 of the noise", square)
	}
}

// Rounding to bytes moves no point by more than half a step: none is outside of [-1, 1].
func TestBytesAreFineEnough(t *testing.T) {
	for name := range curves {
		d := open(t, configs.Options{"curve": name}, clips.Test)
		for i := range d.Len() {
			x, y := d.at(i)
			c, err := d.Clip(i, 0, 2)
			if err != nil {
				t.Fatal(err)
			}
			for k, want := range []float64{x, y} {
				if got := float64(clips.Float(c.Pix[k])); !(math.Abs(got-want) <= 0.5/127.5+1e-6) {
					t.Fatalf("%s: point %d has %g as a byte, %g before", name, i, got, want)
				}
			}
		}
	}
}

func TestAPointIsAFunctionOfSplitAndNumber(t *testing.T) {
	train, test := open(t, nil, clips.Train), open(t, nil, clips.Test)
	point := func(d *Dataset, i int) []uint8 {
		c, err := d.Clip(i, 0, 2)
		if err != nil {
			t.Fatal(err)
		}
		y, err := d.Clip(i, 1, 1)
		if err != nil || y.Pix[0] != c.Pix[1] {
			t.Errorf("y alone is %v, %v, want %d", y.Pix, err, c.Pix[1])
		}
		return c.Pix
	}
	if !slices.Equal(point(train, 7), point(open(t, nil, clips.Train), 7)) {
		t.Error("equal numbers gave different points")
	}
	if slices.Equal(point(train, 7), point(train, 8)) && slices.Equal(point(train, 8), point(train, 9)) {
		t.Error("different numbers gave equal points")
	}
	if slices.Equal(point(train, 7), point(test, 7)) && slices.Equal(point(train, 8), point(test, 8)) {
		t.Error("splits have the same points")
	}
	large := config(nil)
	large.Data.Size, large.Data.Channels = 2, 3
	d, err := New(large, clips.Train)
	if err != nil {
		t.Fatal(err)
	}
	if c, err := d.Clip(7, 0, 2); err != nil || !slices.Equal(c.Pix[:12], slices.Repeat(point(train, 7)[:1], 12)) || c.Pix[23] != point(train, 7)[1] {
		t.Errorf("larger frames are %v, %v, want them filled with the point's x and y", c.Pix, err)
	}
	if _, err := train.Clip(0, 1, 2); err == nil {
		t.Error("a third frame is no error")
	}
	if train.Len() != 10_000 || open(t, configs.Options{"points": 5}, clips.Train).Len() != 5 || test.Len() != evalLen {
		t.Error("splits are not as large as they should be")
	}
}

func TestSettingsThatDoNotFitAreRefused(t *testing.T) {
	for want, c := range map[string]*configs.Config{
		"data.options.curve":        config(configs.Options{"curve": "circle"}),
		"data.options.noise":        config(configs.Options{"noise": -1.0}),
		"data.options.points: 0":    config(configs.Options{"points": 0}),
		"data.options.digits: unkn": config(configs.Options{"digits": 1}),
	} {
		if err := Check(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}
