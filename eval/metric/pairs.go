package metric

import (
	"encoding/json"
	"fmt"
	"runtime"

	"golang.org/x/sync/errgroup"

	"mcvd/data/clips"
)

// Score is the score of one generated clip.
type Score struct {
	// Value is of the whole clip, as the published results of MCVD are.
	Value float64
	// Frames are the scores of single frames, nil if they have no meaning.
	Frames []float64
	// Skipped says why there is no score; then the others are zero.
	Skipped string
}

// scoreJSON is a [Score] as JSON. A value of 0 is written, but not the value of a skipped score.
type scoreJSON struct {
	Value   *float64  `json:"value,omitempty"`
	Frames  []float64 `json:"frames,omitempty"`
	Skipped string    `json:"skipped,omitempty"`
}

// MarshalJSON writes either the value or why there is none.
func (s Score) MarshalJSON() ([]byte, error) {
	if s.Skipped != "" {
		return json.Marshal(scoreJSON{Skipped: s.Skipped})
	}
	return json.Marshal(scoreJSON{Value: &s.Value, Frames: s.Frames})
}

// UnmarshalJSON undoes MarshalJSON.
func (s *Score) UnmarshalJSON(text []byte) error {
	var j scoreJSON
	if err := json.Unmarshal(text, &j); err != nil {
		return err
	}
	*s = Score{Frames: j.Frames, Skipped: j.Skipped}
	switch {
	case j.Value != nil:
		s.Value = *j.Value
	case j.Skipped == "":
		return fmt.Errorf("score %s: want a value or why it was skipped", text)
	}
	return nil
}

// eachPair is [Pairs] on the host, pair by pair, several at a time. The clips of a pair have the same
// size, with one pixel or more. [Skipped] skips a pair.
type eachPair func(real, made clips.Clip) (Score, error)

// Score scores pair by pair.
func (f eachPair) Score(real, made []clips.Clip) ([]Score, error) {
	if len(real) != len(made) {
		return nil, fmt.Errorf("%d generated clips, want as many as real ones, %d", len(made), len(real))
	}
	scores := make([]Score, len(made))
	var scoring errgroup.Group
	scoring.SetLimit(runtime.GOMAXPROCS(0))
	for i := range made {
		scoring.Go(func() (err error) {
			if err = sameSize(real[i], made[i]); err == nil {
				scores[i], err = f(real[i], made[i])
			}
			if reason, ok := Reason(err); ok {
				scores[i] = Score{Skipped: reason}
			} else if err != nil {
				return fmt.Errorf("clip %d: %w", i, err)
			}
			return nil
		})
	}
	if err := scoring.Wait(); err != nil {
		return nil, err
	}
	return scores, nil
}

// eachFrame scores frame by frame.
func eachFrame(real, made clips.Clip, score func(a, b []uint8) (float64, error)) ([]float64, error) {
	out := make([]float64, real.Frames)
	for i := range out {
		var err error
		if out[i], err = score(real.Slice(i, i+1).Pix, made.Slice(i, i+1).Pix); err != nil {
			return nil, fmt.Errorf("frame %d: %w", i, err)
		}
	}
	return out, nil
}

// sameSize makes sure that two clips can be compared and have something to compare.
func sameSize(real, made clips.Clip) error {
	size := func(c clips.Clip) [4]int { return [4]int{c.Frames, c.Height, c.Width, c.Channels} }
	if size(real) != size(made) {
		return fmt.Errorf("generated video %v, want the real one's [frames height width channels] %v", size(made), size(real))
	}
	if len(real.Pix) == 0 {
		return fmt.Errorf("video %v [frames height width channels], want one pixel or more", size(real))
	}
	return nil
}
