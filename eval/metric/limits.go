package metric

import (
	"fmt"
	"strings"
)

// Limits are what a metric can score. Zeros limit nothing.
type Limits struct {
	Frames int  // least frames of a clip as the metric sees it, see [Info.Whole]
	Side   int  // least height and width of a frame, in pixels
	Clips  int  // least clips of each of two sets
	Grey   bool // frames must be square and have one channel
}

// Videos are what an evaluation has to score.
type Videos struct {
	Frames, Given           int // of a clip: generated ones, and given ones around them
	Height, Width, Channels int // of a frame
	Clips                   int // real ones; there are as many generated ones or more
	Block                   int // frames that the model makes at a time
	// Paired says that each generated clip has a real one in its place.
	Paired bool
}

// Fit marks the metrics that can't score such videos as skipped, with the reason and with what
// would help. Others stay as they are.
func Fit(opened []Opened, v Videos) []Opened {
	fitted := make([]Opened, len(opened))
	for i, o := range opened {
		if fitted[i] = o; o.Skipped == "" {
			fitted[i].Skipped = o.unfit(v)
		}
	}
	return fitted
}

// unfit says why the metric can't score such videos; it is empty if it can.
func (o Opened) unfit(v Videos) string {
	frames, counted := v.Frames, ""
	if o.Whole {
		frames, counted = v.Frames+v.Given, ", the given ones included"
	}
	switch l := o.Limits; {
	case o.Pairs != nil && !v.Paired:
		return "compares each video with the real one in its place, which a video of the task generate does not have"
	case o.OfModel && v.Frames != v.Block:
		return fmt.Sprintf("is of one block of the model, %d frames, got %d", v.Block, v.Frames)
	case frames < l.Frames:
		return fmt.Sprintf("needs clips of %d frames or more%s, got %d: generate %d or more", l.Frames, counted, frames, v.Frames+l.Frames-frames)
	case min(v.Height, v.Width) < l.Side:
		return fmt.Sprintf("needs frames of %dx%d or more, got %dx%d", l.Side, l.Side, v.Width, v.Height)
	case l.Grey && (v.Channels != 1 || v.Height != v.Width):
		return fmt.Sprintf("needs square grey frames, got %dx%d with %d channels", v.Width, v.Height, v.Channels)
	case o.Sets != nil && v.Clips < l.Clips:
		return fmt.Sprintf("needs %d clips or more, got %d", l.Clips, v.Clips)
	}
	return ""
}

// Refuse is an error if none of the metrics can be used, or, where each was asked for by name, if
// one of them can't. It says why of each that can't.
func Refuse(opened []Opened, asked bool) error {
	var reasons []string
	for _, o := range opened {
		if o.Skipped != "" {
			reasons = append(reasons, fmt.Sprintf("metric %s: %s", o.Name, o.Skipped))
		}
	}
	if len(reasons) == 0 || !asked && len(reasons) < len(opened) {
		return nil
	}
	return fmt.Errorf("%s; ask for other metrics, or for none by name", strings.Join(reasons, "; "))
}
