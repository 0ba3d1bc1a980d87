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
	h.SecondsPerFrame = h.SecondsPerClip / float64(max(1, h.Protocol.Frames))
	sets, err := all.compare(h.Metrics, compare, h.Protocol.Seed)
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

// compare compares each set with that of the real clips. seed draws the parts of sets that are
// compared to extrapolate.
func (p *Part) compare(metrics []metric.Info, compare map[string]metric.Compare, seed uint64) ([]SetValue, error) {
	var values []SetValue
	for _, key := range sorted(p.Made) {
		at := slices.IndexFunc(metrics, func(m metric.Info) bool { return m.Name == key.Metric })
		if at < 0 {
			continue
		}
		if compare[key.Metric] == nil {
			return nil, fmt.Errorf("metric %s: this program doesn't know it", key.Metric)
		}
		real, made := p.Real[FeatureKey{Metric: key.Metric}], p.Made[key]
		v := SetValue{Method: key.Method, Seed: key.Seed, Metric: key.Metric, Real: len(real), Made: len(made)}
		if err := v.compute(compare[key.Metric], real, made, metrics[at].Biased, seed); err != nil {
			return nil, fmt.Errorf("metric %s: %w", key.Metric, err)
		}
		values = append(values, v)
	}
	return values, nil
}

// compute compares two sets, or says why they can't be compared.
func (v *SetValue) compute(compare metric.Compare, real, made [][]float32, extrapolate bool, seed uint64) (err error) {
	v.Value, err = compare(real, made)
	if err == nil && (math.IsNaN(v.Value) || math.IsInf(v.Value, 0)) {
		err = fmt.Errorf("a value of %g, want a number, or that it is skipped", v.Value)
	}
	if reason, ok := metric.Reason(err); ok {
		v.Skipped = reason
		return nil
	}
	if err != nil || !extrapolate {
		return err
	}
	e, err := metric.Extrapolate(compare, real, made, seed)
	if _, few := metric.Reason(err); few {
		return nil
	}
	v.Extrapolation = &e
	return err
}

// sorted are the sets' names in the order of their tensors.
func sorted(f Features) []FeatureKey {
	return slices.SortedFunc(maps.Keys(f), func(a, b FeatureKey) int { return strings.Compare(a.tensor(), b.tensor()) })
}
