package eval

import (
	"context"
	"fmt"
	"math"
	"time"

	"mcvd/configs"
	"mcvd/data/clips"
	"mcvd/eval/metric"
)

// Protocol says what an evaluation does.
type Protocol struct {
	Task         string `json:"task"`
	Clips        int    `json:"clips"`        // test clips, by data.Fixed
	Trajectories int    `json:"trajectories"` // videos made for each clip
	Frames       int    `json:"frames"`       // made in each video
	Advance      int    `json:"advance"`      // frames kept of a window
	Windows      string `json:"windows"`      // how a video is cut into them, one of [WindowNames]
	Seed         uint64 `json:"seed"`         // of the clips and of the noise
}

// Job is what is made of each clip.
func (p Protocol) Job() (Job, error) {
	task, err := ParseTask(p.Task)
	j := Job{Task: task, Frames: p.Frames, Advance: p.Advance, Windows: p.Windows}
	j.Windows = j.windows()
	return j, err
}

// Evaluations is the number of network evaluations of batches that [Evaluate] needs.
func (p Protocol) Evaluations(g *Generator) (total int, err error) {
	j, err := p.Job()
	for first := 0; first < p.Clips && err == nil; first += g.batch {
		var n int
		n, err = g.Evaluations(j, min(g.batch, p.Clips-first)*p.Trajectories)
		total += n
	}
	return total, err
}

// Watch is told how an evaluation goes on. Each function may be nil.
type Watch struct {
	Record   func(Record) error // gets each record as soon as it is there; its error ends the evaluation
	Progress func()             // is called after each network evaluation of a batch
}

// Evaluate makes videos of a data set's clips and scores them by the metrics, next to baselines.
//
// A clip is the past, if the task sees it, the frames to be made, and the future, if the task sees
// it. The made frames, or a baseline's, are compared with the real ones in their place: by metrics
// of pairs for each video, by metrics of sets for all clips as a whole, where all trajectories of a
// clip count. A generated video has no real counterpart, so scores of pairs are skipped; as a whole
// generated videos are compared with the test clips.
//
// The report's header lacks what the caller knows: the run, its checkpoint and so on.
func Evaluate(ctx context.Context, g *Generator, ds clips.Dataset, p Protocol, metrics []metric.Opened, w Watch) (*Report, error) {
	j, err := p.Job()
	if err != nil {
		return nil, err
	}
	if p.Clips < 1 || p.Trajectories < 1 {
		return nil, fmt.Errorf("evaluation of %d clips and %d trajectories, want 1 or more of each", p.Clips, p.Trajectories)
	}
	nfe, err := g.NFE(j)
	if err != nil {
		return nil, err
	}
	p.Windows = j.Windows
	e := &evaluation{Generator: g, Protocol: p, Watch: w, job: j, source: FromDataset(ds, p.Seed, j, g.model.Frames), metrics: metrics, made: features{}, real: features{}}
	for first := 0; first < p.Clips; first += g.batch {
		if err := e.clips(ctx, first, min(first+g.batch, p.Clips)); err != nil {
			return nil, err
		}
	}
	sets, err := e.setValues()
	if err != nil {
		return nil, err
	}
	h := Header{Protocol: p, Videos: ds.Len(), NFE: nfe, SecondsPerClip: e.seconds / float64(p.Clips*p.Trajectories)}
	for _, m := range metrics {
		h.Metrics = append(h.Metrics, m.Info)
	}
	return NewReport(h, e.records, sets), nil
}

// evaluation is an evaluation under way. It holds scores and features, not videos.
type evaluation struct {
	*Generator
	Protocol
	Watch
	job        Job
	source     Source
	metrics    []metric.Opened
	records    []Record
	real, made features
	seconds    float64
}

// features are what metrics of sets need: by metric and method, a row for each clip. The method of
// real clips is "".
type features map[[2]string][][]float32

// modelMethod names the model among the baselines.
const modelMethod = "model"

// noCounterpart is why a generated video is not compared with another one.
const noCounterpart = "a generated video has no real counterpart"

// clips evaluates the clips from first to end: as many as a batch, so that their trajectories fill
// whole batches.
func (e *evaluation) clips(ctx context.Context, first, end int) error {
	var cases, videos []Case // a case for each clip, and one for each video of it
	for i := first; i < end; i++ {
		c, err := e.source(i)
		if err != nil {
			return err
		}
		cases = append(cases, c)
		for c.Trajectory = range e.Trajectories {
			videos = append(videos, c)
		}
	}
	began := time.Now()
	made, err := e.Videos(ctx, e.job, videos, e.Progress)
	if err != nil {
		return err
	}
	e.seconds += time.Since(began).Seconds()
	if err := e.score(modelMethod, videos, made); err != nil {
		return err
	}
	for _, name := range configs.Names(baselines(e.job.Task)) {
		var simple []clips.Clip
		for _, c := range cases {
			simple = append(simple, baselines(e.job.Task)[name](c.Past, c.Future, e.Frames))
		}
		if err := e.score(name, cases, simple); err != nil {
			return err
		}
	}
	return e.addReal(cases)
}

// score scores what a method made of the cases, and keeps a record of each video.
func (e *evaluation) score(method string, cases []Case, made []clips.Clip) error {
	records := make([]Record, len(cases))
	real := make([]clips.Clip, len(cases))
	for i, c := range cases {
		records[i] = Record{e.Task, c.Clip, c.Video, c.Start, c.Trajectory, method, map[string]metric.Score{}}
		real[i] = c.Real
	}
	for _, m := range e.metrics {
		if m.Sets != nil {
			if err := e.made.add(m, method, made); err != nil {
				return err
			}
			continue
		}
		scores, err := e.pairs(m, real, made)
		if err != nil {
			return fmt.Errorf("metric %s: %w", m.Name, err)
		}
		for i, s := range scores {
			records[i].Scores[m.Name] = s
		}
	}
	for _, r := range records {
		if e.Record == nil {
			break
		}
		if err := e.Record(r); err != nil {
			return err
		}
	}
	e.records = append(e.records, records...)
	return nil
}

// pairs scores made clips by a metric of pairs, or says of each why it has no score.
func (e *evaluation) pairs(m metric.Opened, real, made []clips.Clip) ([]metric.Score, error) {
	reason := m.Skipped
	if reason == "" && e.job.Task == Generate {
		reason = noCounterpart
	}
	if reason != "" {
		scores := make([]metric.Score, len(made))
		for i := range scores {
			scores[i].Skipped = reason
		}
		return scores, nil
	}
	scores, err := m.Pairs.Score(real, made)
	if err == nil && len(scores) != len(made) {
		err = fmt.Errorf("%d scores, want one for each of %d clips", len(scores), len(made))
	}
	for i, s := range scores {
		if n := len(s.Frames); err == nil && n != 0 && n != e.Frames {
			err = fmt.Errorf("clip %d: scores of %d frames, want %d or none", i, n, e.Frames)
		}
		for _, x := range append([]float64{s.Value}, s.Frames...) {
			if err == nil && (math.IsNaN(x) || math.IsInf(x, 0)) {
				err = fmt.Errorf("clip %d: a score of %g, want a number, or that it is skipped", i, x)
			}
		}
	}
	return scores, err
}

// addReal adds the real frames to the sets, once for all methods.
func (e *evaluation) addReal(cases []Case) error {
	var real []clips.Clip
	for _, c := range cases {
		real = append(real, c.Real)
	}
	for _, m := range e.metrics {
		if m.Sets != nil {
			if err := e.real.add(m, "", real); err != nil {
				return err
			}
		}
	}
	return nil
}

// add adds clips to a method's set.
func (f features) add(m metric.Opened, method string, list []clips.Clip) error {
	rows, err := m.Sets.Features(list)
	if err == nil && len(rows) != len(list) {
		err = fmt.Errorf("%d vectors, want one for each of %d clips", len(rows), len(list))
	}
	if err != nil {
		return fmt.Errorf("metric %s: %w", m.Name, err)
	}
	f[[2]string{m.Name, method}] = append(f[[2]string{m.Name, method}], rows...)
	return nil
}

// setValues compares the sets of each method with the real ones.
func (e *evaluation) setValues() ([]SetValue, error) {
	var values []SetValue
	for _, method := range append([]string{modelMethod}, configs.Names(baselines(e.job.Task))...) {
		for _, m := range e.metrics {
			if m.Sets == nil {
				continue
			}
			real, made := e.real[[2]string{m.Name, ""}], e.made[[2]string{m.Name, method}]
			v := SetValue{Method: method, Metric: m.Name, Real: len(real), Made: len(made)}
			value, err := m.Sets.Value(real, made)
			if err == nil && (math.IsNaN(value) || math.IsInf(value, 0)) {
				err = fmt.Errorf("a value of %g, want a number, or that it is skipped", value)
			}
			if reason, ok := metric.Reason(err); ok {
				v.Skipped = reason
			} else if err != nil {
				return nil, fmt.Errorf("metric %s: %w", m.Name, err)
			}
			v.Value = value
			values = append(values, v)
		}
	}
	return values, nil
}
