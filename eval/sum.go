package eval

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"mcvd/configs"
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
		h.SecondsPerClip += p.Seconds / float64(h.Protocol.Clips*h.Protocol.Trajectories)
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

// compare compares the sets of each method with the real ones.
func (p *Part) compare(metrics []metric.Info, compare map[string]metric.Compare) ([]SetValue, error) {
	methods := map[string]bool{}
	for key := range p.Made {
		methods[key.Method] = true
	}
	var values []SetValue
	for _, method := range configs.Names(methods) {
		for _, m := range metrics {
			made, ok := p.Made[FeatureKey{m.Name, method}]
			if !ok {
				continue
			}
			if compare[m.Name] == nil {
				return nil, fmt.Errorf("metric %s: this program doesn't know it", m.Name)
			}
			real := p.Real[FeatureKey{m.Name, ""}]
			v := SetValue{Method: method, Metric: m.Name, Real: len(real), Made: len(made)}
			value, err := compare[m.Name](real, made)
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
