package eval

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"mcvd/eval/metric"
)

// Sum makes the report of all parts of an evaluation, which may come in any order. compare has the
// metrics of sets by name.
func Sum(h Header, parts []*Part, compare map[string]metric.Compare) (*Report, error) {
	parts = slices.SortedFunc(slices.Values(parts), func(a, b *Part) int { return cmp.Compare(a.First, b.First) })
	if err := checkWhole(parts, h.Protocol.Clips); err != nil {
		return nil, err
	}
	var records []Record
	all := &Part{Made: Features{}, Real: Features{}}
	for _, p := range parts {
		records = append(records, p.Records...)
		h.SecondsPerClip += p.Seconds / float64(h.Protocol.Clips*h.Protocol.Trajectories*len(h.Protocol.noiseSeeds()))
		all.Made.append(p.Made)
		all.Real.append(p.Real)
	}
	sets, err := all.compare(h.Metrics, compare)
	if err != nil {
		return nil, err
	}
	return NewReport(h, records, sets), nil
}

// checkWhole reports clips that are in no part, or in two. The parts are in order.
func checkWhole(parts []*Part, clips int) error {
	next, missing := 0, []string{}
	for _, p := range append(slices.Clone(parts), &Part{Range: Range{clips, clips}}) {
		switch {
		case p.First > next:
			missing = append(missing, Range{next, p.First}.String())
		case p.First < next:
			return fmt.Errorf("clips %v were evaluated twice", Range{p.First, next})
		}
		next = p.End
	}
	if len(missing) > 0 {
		return fmt.Errorf("of %d clips, these are not evaluated yet: %s", clips, strings.Join(missing, ", "))
	}
	return nil
}

// append adds further clips to each set.
func (f Features) append(more Features) {
	for key, rows := range more {
		f[key] = append(f[key], rows...)
	}
}

// compare compares each set with that of the real clips.
func (p *Part) compare(metrics []metric.Info, compare map[string]metric.Compare) ([]SetValue, error) {
	var values []SetValue
	for _, key := range sorted(p.Made) {
		if !slices.ContainsFunc(metrics, func(m metric.Info) bool { return m.Name == key.Metric }) {
			continue
		}
		if compare[key.Metric] == nil {
			return nil, fmt.Errorf("metric %s: this program doesn't know it", key.Metric)
		}
		real, made := p.Real[FeatureKey{Metric: key.Metric}], p.Made[key]
		v := SetValue{Method: key.Method, Seed: key.Seed, Metric: key.Metric, Real: len(real), Made: len(made)}
		value, err := compare[key.Metric](real, made)
		if err == nil && (math.IsNaN(value) || math.IsInf(value, 0)) {
			err = fmt.Errorf("a value of %g, want a number, or that it is skipped", value)
		}
		if reason, ok := metric.Reason(err); ok {
			v.Skipped = reason
		} else if err != nil {
			return nil, fmt.Errorf("metric %s: %w", key.Metric, err)
		}
		v.Value = value
		values = append(values, v)
	}
	return values, nil
}

// sorted are the sets' names in the order of their tensors.
func sorted(f Features) []FeatureKey {
	return slices.SortedFunc(maps.Keys(f), func(a, b FeatureKey) int { return strings.Compare(a.tensor(), b.tensor()) })
}
