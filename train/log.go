package train

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"mcvd/train/runs"
)

// logWriter appends lines to a run's log.
type logWriter struct{ file *os.File }

// openLog opens the log for a run that goes on after the given step. Lines about later steps, which
// a process that was killed has left, are cut off, because those steps come again.
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

// endOfStep is the offset after the last whole line about steps up to the given one.
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
		var line runs.Line
		if json.Unmarshal(text, &line) != nil || line.Step > step {
			return end, nil
		}
		end += int64(len(text))
	}
}

func (l *logWriter) write(line runs.Line) error {
	line.Time = runs.Number(time.Now().UnixMilli()) / 1000
	text, err := json.Marshal(line)
	if err != nil {
		return err
	}
	_, err = l.file.Write(append(text, '\n'))
	return err
}

// means collects results between two lines of the log.
type means struct {
	// These are sums over the steps that were not skipped.
	Loss         runs.Number `json:"loss"`
	GradientNorm runs.Number `json:"gradient_norm"`
	LearningRate runs.Number `json:"learning_rate"`
	Steps        int         `json:"steps"`
	Skipped      int         `json:"skipped"`
	// Replaced is the number of clips that stood for others that can't be read.
	Replaced int `json:"replaced,omitempty"`
}

func (m *means) add(r result) {
	m.Steps++
	if r.Skipped {
		m.Skipped++
		return
	}
	m.Loss += runs.Number(r.Loss)
	m.GradientNorm += runs.Number(r.GradientNorm)
	m.LearningRate += runs.Number(r.LearningRate)
}

// line is the means so far, as of a step.
func (m *means) line(step int) runs.Line {
	n := runs.Number(m.Steps - m.Skipped)
	return runs.Line{Step: step, Loss: m.Loss / n, GradientNorm: m.GradientNorm / n, LearningRate: m.LearningRate / n, Skipped: m.Skipped,
		Replaced: m.Replaced}
}
