// Package metric scores generated videos against real ones.
package metric

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"mcvd/data/clips"
)

// Metric is a score of a generated video against the real one, which must have the same size.
type Metric struct {
	Name           string
	HigherIsBetter bool
	Unit           string // "dB", or empty for a plain number
	// Video scores the whole video as the published results of MCVD do.
	Video func(real, generated clips.Clip) (float64, error)
	// Frames scores each frame alone; the result has one number a frame.
	Frames func(real, generated clips.Clip) ([]float64, error)
}

// metrics are all metrics by name.
var metrics = map[string]Metric{
	"psnr": {Name: "psnr", HigherIsBetter: true, Unit: "dB", Video: psnrVideo, Frames: psnrFrames},
	"ssim": {Name: "ssim", HigherIsBetter: true, Video: ssimVideo, Frames: ssimFrames},
}

// Names lists the metrics in alphabetical order.
func Names() []string { return slices.Sorted(maps.Keys(metrics)) }

// Lookup returns the metric of that name.
func Lookup(name string) (Metric, error) {
	m, ok := metrics[name]
	if !ok {
		return Metric{}, fmt.Errorf("metric %q: want one of %s", name, strings.Join(Names(), ", "))
	}
	return m, nil
}

// Skipped is the error of a score that has no meaning for these videos, such as SSIM of frames smaller than its window.
// It is no failure: see [Reason].
type Skipped struct{ Reason string }

// Error says why there is no score.
func (s Skipped) Error() string { return "skipped: " + s.Reason }

// Reason says why a score was skipped, if err is that.
func Reason(err error) (string, bool) {
	skipped, ok := errors.AsType[Skipped](err)
	return skipped.Reason, ok
}

// eachFrame scores frame by frame.
func eachFrame(real, generated clips.Clip, score func(a, b []uint8) (float64, error)) ([]float64, error) {
	if err := sameSize(real, generated); err != nil {
		return nil, err
	}
	out := make([]float64, real.Frames)
	for i := range out {
		var err error
		if out[i], err = score(real.Slice(i, i+1).Pix, generated.Slice(i, i+1).Pix); err != nil {
			return nil, fmt.Errorf("frame %d: %w", i, err)
		}
	}
	return out, nil
}

// sameSize makes sure that two clips can be compared and have something to compare.
func sameSize(real, generated clips.Clip) error {
	size := func(c clips.Clip) [4]int { return [4]int{c.Frames, c.Height, c.Width, c.Channels} }
	if size(real) != size(generated) {
		return fmt.Errorf("generated video %v, want the real one's [frames height width channels] %v", size(generated), size(real))
	}
	if len(real.Pix) == 0 {
		return fmt.Errorf("video %v [frames height width channels], want one pixel or more", size(real))
	}
	return nil
}
