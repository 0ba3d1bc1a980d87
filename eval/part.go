package eval

import (
	"context"
	"fmt"
	"hash/crc32"
	"math"
	"slices"
	"time"

	"mcvd/configs"
	"mcvd/data/clips"
	"mcvd/eval/metric"
)

// Range is the clips from First to End, exclusive.
type Range struct {
	First int `json:"first"`
	End   int `json:"end"`
}

// String names the clips, the last one included.
func (r Range) String() string {
	if r.End == r.First+1 {
		return fmt.Sprint(r.First)
	}
	return fmt.Sprintf("%d to %d", r.First, r.End-1)
}

// Part is the result of evaluating a range of clips. It is the same whatever else is evaluated.
type Part struct {
	Range
	Records []Record
	Made    Features
	Real    Features // the method is empty
	Seconds float64  // that generating the videos took
}

// Features are what metrics of sets need to know of clips: a row for each clip.
type Features map[FeatureKey][][]float32

// FeatureKey names a set of features: the metric, the method that generated the clips, and with
// which seed of the noise, 0 for a baseline.
type FeatureKey struct {
	Metric, Method string
	Seed           uint64
}

// modelMethod is the name of the model as a method, next to those of the baselines.
const modelMethod = "model"

// Part evaluates the clips of a range. progress, if not nil, is called after each network evaluation
// of a batch.
func (e *Evaluation) Part(ctx context.Context, r Range, progress func()) (*Part, error) {
	p := &scoring{Evaluation: e, Part: &Part{Range: r, Made: Features{}, Real: Features{}}}
	var cases, videos []Case // a case for each clip, and one for each video of it
	for i := r.First; i < r.End; i++ {
		c, err := e.source(i)
		if err != nil {
			return nil, err
		}
		cases = append(cases, c)
		for c.Trajectory = range e.Trajectories {
			videos = append(videos, c)
		}
	}
	for _, seed := range e.noiseSeeds() {
		began := time.Now()
		made, err := e.generate(ctx, seed, videos, progress)
		if err != nil {
			return nil, err
		}
		p.Seconds += time.Since(began).Seconds()
		if err := p.score(modelMethod, seed, videos, made); err != nil {
			return nil, err
		}
	}
	for _, name := range configs.Names(baselines(e.job.Task)) {
		var simple []Frames
		for _, c := range cases {
			simple = append(simple, clips.ToFloat(baselines(e.job.Task)[name](c.Past, c.Future, e.Frames)))
		}
		if err := p.score(name, 0, cases, simple); err != nil {
			return nil, err
		}
	}
	return p.Part, p.addReal(cases)
}

// scoring is a part that is being evaluated. It holds scores and features, but no videos beyond
// their batch.
type scoring struct {
	*Evaluation
	*Part
}

// score scores the videos that a method generated for the cases with a seed, and keeps a record of
// each.
func (p *scoring) score(method string, seed uint64, cases []Case, made []Frames) error {
	records := make([]Record, len(cases))
	for i, c := range cases {
		records[i] = Record{p.Task, c.Clip, c.Video, c.Start, seed, c.Trajectory, crc32.Checksum(c.Real.Pix, castagnoli), method, map[string]metric.Score{}}
	}
	for _, m := range p.metrics {
		scores, err := p.scores(m, FeatureKey{m.Name, method, seed}, cases, made)
		if err != nil {
			return fmt.Errorf("metric %s: %w", m.Name, err)
		}
		for i, s := range scores {
			records[i].Scores[m.Name] = s
		}
	}
	p.Records = append(p.Records, records...)
	return nil
}

// scores are a metric's, one for each video. A metric of sets has none; it adds the videos to their
// set. Where a metric can't score the videos, each score says why.
func (p *scoring) scores(m metric.Opened, key FeatureKey, cases []Case, made []Frames) ([]metric.Score, error) {
	if m.Skipped != "" {
		return skipped(m.Skipped, len(made)), nil
	}
	bytes, err := p.clips(m, cases, made)
	if err != nil {
		return nil, err
	}
	if m.Sets != nil {
		reason, err := p.Made.add(m, key, bytes)
		if err != nil || reason == "" {
			return nil, err
		}
		return skipped(reason, len(made)), nil
	}
	real, err := p.clips(m, cases, reals(cases))
	if err != nil {
		return nil, err
	}
	return p.pairs(m, real, bytes)
}

// skipped is n scores that were skipped for the same reason.
func skipped(reason string, n int) []metric.Score {
	return slices.Repeat([]metric.Score{{Skipped: reason}}, n)
}

// reals are the real frames of the cases.
func reals(cases []Case) []Frames {
	real := make([]Frames, len(cases))
	for i, c := range cases {
		real[i] = clips.ToFloat(c.Real)
	}
	return real
}

// clips are the clips that a metric sees of frames that were made of the cases, or are their real
// ones: as bytes by the protocol's rule, and between the given frames if the metric is of whole
// videos.
func (p *scoring) clips(m metric.Opened, cases []Case, frames []Frames) ([]clips.Clip, error) {
	out := make([]clips.Clip, len(cases))
	for i, c := range cases {
		whole := frames[i]
		if m.Whole {
			whole = slices.Concat(clips.ToFloat(c.Past), whole, clips.ToFloat(c.Future))
		}
		var err error
		if out[i], err = p.generator.clip(whole, p.Rules.quantizer(m.Name)); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// pairs scores generated clips by a metric of pairs.
func (p *scoring) pairs(m metric.Opened, real, made []clips.Clip) ([]metric.Score, error) {
	scores, err := m.Pairs.Score(real, made)
	if err == nil && len(scores) != len(made) {
		err = fmt.Errorf("%d scores, want one for each of %d clips", len(scores), len(made))
	}
	for i, s := range scores {
		if n := len(s.Frames); err == nil && n != 0 && n != p.Protocol.Frames {
			err = fmt.Errorf("clip %d: scores of %d frames, want %d or none", i, n, p.Protocol.Frames)
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
func (p *scoring) addReal(cases []Case) error {
	for _, m := range p.metrics {
		if m.Sets == nil || m.Skipped != "" {
			continue
		}
		real, err := p.clips(m, cases, reals(cases))
		if err == nil {
			_, err = p.Real.add(m, FeatureKey{Metric: m.Name}, real)
		}
		if err != nil {
			return fmt.Errorf("metric %s: %w", m.Name, err)
		}
	}
	return nil
}

// add adds clips to a set. Where the metric can't describe such clips, nothing is added,
// and skipped says why.
func (f Features) add(m metric.Opened, key FeatureKey, list []clips.Clip) (skipped string, err error) {
	rows, err := m.Sets.Features(list)
	if reason, ok := metric.Reason(err); ok {
		return reason, nil
	}
	want := len(list)
	if m.PerFrame {
		want = 0
		for _, c := range list {
			want += c.Frames
		}
	}
	if err == nil && len(rows) != want {
		err = fmt.Errorf("%d vectors of %d clips, want %d", len(rows), len(list), want)
	}
	if err != nil {
		return "", err
	}
	f[key] = append(f[key], rows...)
	return "", nil
}
