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
	var cases, several []Case // a case for each clip, and one for each trajectory of it
	for i := r.First; i < r.End; i++ {
		c, err := e.source(i)
		if err != nil {
			return nil, err
		}
		cases = append(cases, c)
		for c.Trajectory = range e.Trajectories {
			several = append(several, c)
		}
	}
	p := e.scoring(r, cases)
	for _, seed := range e.noiseSeeds() {
		began := time.Now()
		made, err := e.generate(ctx, seed, several, progress)
		if err != nil {
			return nil, err
		}
		p.Seconds += time.Since(began).Seconds()
		if err := p.score(ctx, modelMethod, seed, e.made(several, made)); err != nil {
			return nil, err
		}
	}
	for _, name := range configs.Names(baselines(e.job.Task)) {
		simple := e.known(cases, func(c Case) clips.Clip { return baselines(e.job.Task)[name](c.Past, c.Future, e.Frames) })
		if err := p.score(ctx, name, 0, simple); err != nil {
			return nil, err
		}
	}
	return p.Part, p.addReal()
}

// scoring is a part that is being evaluated. It holds scores and features, but no videos beyond
// their batch and the real ones of the part's clips.
type scoring struct {
	*Evaluation
	*Part
	real *videos
	at   map[int]int       // where the real video of a clip is among them
	bits map[uint64][]Bits // of the real blocks, by the seed of the noise
}

// scoring begins with a part, which has these cases, of each clip one or more.
func (e *Evaluation) scoring(r Range, cases []Case) *scoring {
	p := &scoring{e, &Part{Range: r, Made: Features{}, Real: Features{}}, e.known(cases, func(c Case) clips.Clip { return c.Real }), map[int]int{}, map[uint64][]Bits{}}
	for i, c := range cases {
		p.at[c.Clip] = i
	}
	return p
}

// score scores the videos of a method, made with a seed, and keeps a record of each.
func (p *scoring) score(ctx context.Context, method string, seed uint64, made *videos) error {
	records := make([]Record, len(made.cases))
	for i, c := range made.cases {
		records[i] = Record{p.Task, c.Clip, c.Video, c.Start, seed, c.Trajectory, crc32.Checksum(c.Real.Pix, castagnoli), method, map[string]metric.Score{}}
	}
	for _, m := range p.metrics {
		scores, err := p.scores(ctx, m, FeatureKey{m.Name, method, seed}, made)
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
func (p *scoring) scores(ctx context.Context, m metric.Opened, key FeatureKey, made *videos) ([]metric.Score, error) {
	if m.Skipped != "" {
		return skipped(m.Skipped, len(made.cases)), nil
	}
	if m.OfModel {
		scores, err := p.likely(ctx, m, key, made)
		return p.checked(scores, len(made.cases), err)
	}
	if m.Sets != nil {
		reason, err := p.Made.add(m, key, made, p.Cache)
		if err != nil || reason == "" {
			return nil, err
		}
		return skipped(reason, len(made.cases)), nil
	}
	seen, err := made.as(m)
	if err != nil {
		return nil, err
	}
	each, err := p.real.as(m)
	if err != nil {
		return nil, err
	}
	real := make([]clips.Clip, len(seen)) // in the place of each
	for i, c := range made.cases {
		real[i] = each[p.at[c.Clip]]
	}
	return p.pairs(m, real, seen)
}

// skipped is n scores that were skipped for the same reason.
func skipped(reason string, n int) []metric.Score {
	return slices.Repeat([]metric.Score{{Skipped: reason}}, n)
}

// pairs scores generated clips by a metric of pairs.
func (p *scoring) pairs(m metric.Opened, real, made []clips.Clip) ([]metric.Score, error) {
	scores, err := m.Pairs.Score(real, made)
	return p.checked(scores, len(made), err)
}

// checked refuses what is not n scores of numbers.
func (p *scoring) checked(scores []metric.Score, n int, err error) ([]metric.Score, error) {
	if err == nil && len(scores) != n {
		err = fmt.Errorf("%d scores, want one for each of %d clips", len(scores), n)
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
func (p *scoring) addReal() error {
	for _, m := range p.metrics {
		if m.Sets == nil || m.Skipped != "" {
			continue
		}
		if _, err := p.Real.add(m, FeatureKey{Metric: m.Name}, p.real, p.Cache); err != nil {
			return fmt.Errorf("metric %s: %w", m.Name, err)
		}
	}
	return nil
}

// add adds videos to a set. Where the metric can't describe such videos, nothing is added, and skipped
// says why.
func (f Features) add(m metric.Opened, key FeatureKey, v *videos, cache *Cache) (skipped string, err error) {
	rows, err := v.features(m, cache)
	if reason, ok := metric.Reason(err); ok {
		return reason, nil
	}
	if err != nil {
		return "", err
	}
	want := len(v.cases)
	if m.PerFrame {
		list, err := v.as(m)
		if err != nil {
			return "", err
		}
		want = 0
		for _, c := range list {
			want += c.Frames
		}
	}
	if len(rows) != want {
		return "", fmt.Errorf("%d vectors of %d clips, want %d", len(rows), len(v.cases), want)
	}
	f[key] = append(f[key], rows...)
	return "", nil
}
