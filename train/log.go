package train

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
)

// Number is a float64 that JSON can hold always: NaN and infinities are written as strings.
type Number float64

// MarshalJSON writes a number, or "NaN", "+Inf" or "-Inf".
func (n Number) MarshalJSON() ([]byte, error) {
	x := float64(n)
	if !finite(x) {
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

// Line is one line of a run's log. Lines without a Validation are of training.
type Line struct {
	// Step is the number of steps taken.
	Step int `json:"step"`
	// Loss by value, gradient norm before clipping and learning rate: means over the steps since
	// the line before, without those skipped; NaN if all were.
	Loss         Number `json:"loss"`
	GradientNorm Number `json:"gradient_norm,omitempty"`
	LearningRate Number `json:"learning_rate,omitempty"`
	// Skipped is how many of these steps changed nothing, because their loss or gradients were not
	// finite.
	Skipped int `json:"skipped,omitempty"`
	// ClipsPerSecond and FLOPs a second, forward and backward pass together, counted as three
	// forward passes.
	ClipsPerSecond Number `json:"clips_per_second,omitempty"`
	FLOPs          Number `json:"flops,omitempty"`
	// PeakShare is FLOPs by what the devices can do at most, Options.Peak; 0 if that is unknown.
	PeakShare Number `json:"peak_share,omitempty"`
	// Waiting is the share of the time that steps waited for their batches.
	Waiting Number `json:"waiting,omitempty"`
	// Validation is the loss on the validation split by fifths of the schedule, the least noisy
	// first; Loss is then their mean.
	Validation []Number `json:"validation,omitempty"`
	// X0 is the mean squared error there of the clean frames that the network predicts, kept in
	// [-1, 1]; it can be compared between experiments with other targets.
	X0 Number `json:"x0,omitempty"`
}

// logWriter appends lines to a run's log.
type logWriter struct{ file *os.File }

// openLog opens the log for a run that goes on after the given step: what a process that was killed
// wrote about later steps is cut off, for those steps come again.
func openLog(path string, step int) (*logWriter, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	end, err := endOfStep(f, step)
	if err == nil {
		err = f.Truncate(end)
	}
	if err == nil {
		_, err = f.Seek(end, io.SeekStart)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &logWriter{f}, nil
}

// endOfStep is where the whole lines up to the step end.
func endOfStep(r io.Reader, step int) (end int64, err error) {
	in := bufio.NewReader(r)
	for {
		text, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return end, nil
		}
		if err != nil {
			return 0, err
		}
		var line Line
		if json.Unmarshal(text, &line) != nil || line.Step > step {
			return end, nil
		}
		end += int64(len(text))
	}
}

func (l *logWriter) write(line Line) error {
	text, err := json.Marshal(line)
	if err != nil {
		return err
	}
	_, err = l.file.Write(append(text, '\n'))
	return err
}

// means gathers results between two lines of the log.
type means struct {
	// Sums over the steps that were not skipped.
	Loss         Number `json:"loss"`
	GradientNorm Number `json:"gradient_norm"`
	LearningRate Number `json:"learning_rate"`
	Steps        int    `json:"steps"`
	Skipped      int    `json:"skipped"`
}

func (m *means) add(r result) {
	m.Steps++
	if r.Skipped {
		m.Skipped++
		return
	}
	m.Loss += Number(r.Loss)
	m.GradientNorm += Number(r.GradientNorm)
	m.LearningRate += Number(r.LearningRate)
}

// line is the means so far, as of a step.
func (m *means) line(step int) Line {
	n := Number(m.Steps - m.Skipped)
	return Line{Step: step, Loss: m.Loss / n, GradientNorm: m.GradientNorm / n, LearningRate: m.LearningRate / n, Skipped: m.Skipped}
}
