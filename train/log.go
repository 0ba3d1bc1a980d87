package train

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"mcvd/train/runs"
)

// logWriter appends lines to a run's log.
type logWriter struct{ file *os.File }

// openLog opens the log for a run that goes on after the given step. Lines behind the last one about a
// step up to that are cut off, because those steps come again. Other lines stay; those that can't be
// read, or are of later steps, are named in log.
func openLog(path string, step int, log *slog.Logger) (*logWriter, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	end, damaged, err := endOfStep(f, step)
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
	if len(damaged) > 0 {
		log.Warn("the log is damaged; its other lines are right", "file", path, "lines", damaged)
	}
	return &logWriter{f}, nil
}

// endOfStep is the offset after the last whole line about steps up to the given one. damaged are the
// numbers, from 1 on, of lines before that which are none, or of later steps, and of lines behind it which
// are none. At most a few are listed.
func endOfStep(r io.Reader, step int) (end int64, damaged []int, err error) {
	const most = 10
	in := bufio.NewReader(r)
	var at int64
	var since, broken []int // damaged lines behind end, and those that are no lines of a log at all
	for n := 1; ; n++ {
		text, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			damaged = append(damaged, broken...)
			return end, damaged[:min(len(damaged), most)], nil
		}
		if err != nil {
			return 0, nil, err
		}
		at += int64(len(text))
		var line runs.Line
		isLine := json.Unmarshal(text, &line) == nil && line.Step >= 1
		switch {
		case isLine && line.Step <= step:
			end, damaged, since, broken = at, append(damaged, since...), nil, nil
			damaged = damaged[:min(len(damaged), most)]
		case len(since) < most:
			if since = append(since, n); !isLine {
				broken = append(broken, n)
			}
		}
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
	// Passed is the number of steps before these whose batches were passed over.
	Passed int `json:"passed,omitempty"`
}

func (m *means) add(r result) {
	m.Steps++
	m.Replaced += r.Replaced
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
		Replaced: m.Replaced, Passed: m.Passed}
}
