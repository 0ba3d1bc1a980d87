package runs

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
)

// Number is a float64 that can always be written as JSON: NaN and infinities become strings.
type Number float64

// MarshalJSON writes a number, or "NaN", "+Inf" or "-Inf".
func (n Number) MarshalJSON() ([]byte, error) {
	x := float64(n)
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return json.Marshal(strconv.FormatFloat(x, 'g', -1, 64))
	}
	return json.Marshal(x)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (n *Number) UnmarshalJSON(text []byte) error {
	x, err := strconv.ParseFloat(string(bytes.Trim(text, `"`)), 64)
	*n = Number(x)
	return err
}

// Line is one line of a run's log. A line with Scores, Changes or a Validation has nothing else but the
// step and, of a validation, the loss; all others are of training.
type Line struct {
	// Step is the number of steps taken.
	Step int `json:"step"`
	// Time is when the line was written, in seconds since 1970; 0 in older logs.
	Time Number `json:"time,omitempty"`
	// Loss, divided by the number of values, GradientNorm before clipping, and LearningRate are
	// means over the steps since the line before, without those skipped. They are NaN if all were
	// skipped.
	Loss         Number `json:"loss"`
	GradientNorm Number `json:"gradient_norm,omitempty"`
	LearningRate Number `json:"learning_rate,omitempty"`
	// Skipped is the number of these steps that changed nothing, because their loss or gradients
	// were not finite.
	Skipped int `json:"skipped,omitempty"`
	// Replaced is the number of clips in these steps that stood for others that can't be read.
	Replaced int `json:"replaced,omitempty"`
	// Passed is the number of steps before these whose batches were passed over, because training
	// diverged and went back to a checkpoint.
	Passed int `json:"passed,omitempty"`
	// ClipsPerSecond and FLOPs are speeds. FLOPs are floating-point operations a second of the
	// forward and the backward pass, counted as three forward passes.
	ClipsPerSecond Number `json:"clips_per_second,omitempty"`
	FLOPs          Number `json:"flops,omitempty"`
	// PeakShare is FLOPs divided by the most that the devices can do; 0 if that is unknown.
	PeakShare Number `json:"peak_share,omitempty"`
	// Waiting is the share of the time in which steps waited for their batches.
	Waiting Number `json:"waiting,omitempty"`
	// Exchanging is the share of the time in which ranks added up gradients or weights, copies included, and
	// Lagging that in which a rank waited for slower ones, the mean of all ranks.
	Exchanging Number `json:"exchanging,omitempty"`
	Lagging    Number `json:"lagging,omitempty"`
	// Saving is how many seconds steps have waited for checkpoints since the line before.
	Saving Number `json:"saving,omitempty"`
	// Validation is the loss on the validation split by fifths of the schedule, the least noisy
	// first; Loss is then their mean.
	Validation []Number `json:"validation,omitempty"`
	// X0 is the mean squared error, on the validation split, of the clean frames that the network
	// predicts, kept in [-1, 1]. It can be compared between experiments with different targets.
	X0 Number `json:"x0,omitempty"`
	// Accuracy is the share of validation clips that a classifier classifies right, by fifths as in
	// Validation.
	Accuracy []Number `json:"accuracy,omitempty"`
	// Scores are those of generated videos of the validation split, by the name of the metric; NaN
	// where there is none. Loss is then NaN.
	Scores map[string]Number `json:"scores,omitempty"`
	// Changes are settings and data that were changed after the step, each with its values before and
	// after. Loss is then NaN.
	Changes []string `json:"changes,omitempty"`
}

// kind is what a line is of.
type kind int

const (
	ofTraining kind = iota
	ofValidation
	ofScores
	ofChanges
)

func (l Line) kind() kind {
	switch {
	case l.Changes != nil:
		return ofChanges
	case l.Scores != nil:
		return ofScores
	case l.Validation != nil:
		return ofValidation
	}
	return ofTraining
}
