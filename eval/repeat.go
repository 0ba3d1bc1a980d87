package eval

import (
	"context"
	"fmt"
	"hash/crc32"
	"maps"
	"slices"

	"mcvd/data/clips"
	"mcvd/eval/metric"
)

// Repeated is a video of an evaluation that was generated a second time, to be looked at. A video's
// noise is a function of (seed, clip, trajectory), so it is the same video again, and an evaluation
// need not keep any.
type Repeated struct {
	Record Record // of the first time
	Case   Case
	Made   clips.Clip // the generated frames, as bytes to the nearest
	// Scores are those of this time in the metrics of pairs. On the same backend they are the
	// record's, up to rounding.
	Scores map[string]metric.Score
}

// RepeatEvaluations is the number of network evaluations of batches that [Evaluation.Repeat] needs.
func (e *Evaluation) RepeatEvaluations(records []Record) (total int, err error) {
	for _, some := range bySeed(records) {
		n, err := e.generator.Evaluations(e.job, len(some))
		if err != nil {
			return 0, err
		}
		total += n
	}
	return total, nil
}

// Repeat generates videos of the model again, whose records are given, and scores them. It fails if
// the data are not those of the records. progress, if not nil, is called after each network
// evaluation of a batch.
func (e *Evaluation) Repeat(ctx context.Context, records []Record, progress func()) ([]Repeated, error) {
	cases := make([]Case, len(records))
	for i, r := range records {
		c, err := e.source(r.Clip)
		if err != nil {
			return nil, err
		}
		if c.Video != r.Video || c.Start != r.Start || crc32.Checksum(c.Real.Pix, castagnoli) != r.Frames {
			return nil, fmt.Errorf("clip %d: these are not the data that were evaluated: frame %d of %s, where the report has frame %d of %s, or other pixels there; give the data with which it was made",
				r.Clip, c.Start, c.Video, r.Start, r.Video)
		}
		c.Trajectory = r.Trajectory
		cases[i] = c
	}
	pairs := *e
	pairs.metrics = nil
	for _, m := range e.metrics {
		if m.Pairs != nil && m.Skipped == "" {
			pairs.metrics = append(pairs.metrics, m)
		}
	}
	all := make([]Repeated, len(records))
	for _, some := range bySeed(records) {
		seed := records[some[0]].Seed
		var group []Case
		for _, i := range some {
			group = append(group, cases[i])
		}
		made, err := e.generate(ctx, seed, group, progress)
		if err != nil {
			return nil, err
		}
		p := pairs.scoring(Range{}, group)
		if err := p.score(ctx, modelMethod, seed, pairs.made(group, made)); err != nil {
			return nil, err
		}
		for k, i := range some {
			clip, err := e.generator.clip(made[k], clips.Byte)
			if err != nil {
				return nil, err
			}
			all[i] = Repeated{Record: records[i], Case: cases[i], Made: clip, Scores: p.Records[k].Scores}
		}
	}
	return all, nil
}

// bySeed are the indices of records, those of a seed of the noise together.
func bySeed(records []Record) [][]int {
	at := map[uint64][]int{}
	for i, r := range records {
		at[r.Seed] = append(at[r.Seed], i)
	}
	var groups [][]int
	for _, seed := range slices.Sorted(maps.Keys(at)) {
		groups = append(groups, at[seed])
	}
	return groups
}
