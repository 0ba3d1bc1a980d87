package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
)

// A point is a measured sum over ranks, a line of JSON.
type point struct {
	Ranks     int     `json:"ranks"`
	Values    int     `json:"values"`
	Seconds   float64 `json:"seconds"`
	Algorithm string  `json:"algorithm"`
	Bytes     int     `json:"bytes"` // of a value that travels; 4 if there is none
}

// measured are the algorithms by their names in measurements. What a library does by itself is none of
// them.
var measured = map[string]string{"ordered": "exchange", "exchange": "exchange", "ring": "ring", "tree": "tree"}

// readPoints reads a point a line, and passes over empty lines. Of points with the same ranks, values,
// algorithm and bytes it returns one with the median of their times. Those of algorithms that it doesn't
// know it only counts, by algorithm.
func readPoints(r io.Reader) (points []point, others map[string]int, err error) {
	lines := bufio.NewScanner(r)
	times := map[point][]float64{}
	others = map[string]int{}
	for n := 1; lines.Scan(); n++ {
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 {
			continue
		}
		p := point{Bytes: 4}
		if err := json.Unmarshal(line, &p); err != nil {
			return nil, nil, fmt.Errorf("line %d: %w", n, err)
		}
		if err := p.check(); err != nil {
			return nil, nil, fmt.Errorf("line %d: %w", n, err)
		}
		name, ok := measured[p.Algorithm]
		if !ok {
			others[p.Algorithm]++
			continue
		}
		key := point{p.Ranks, p.Values, 0, name, p.Bytes}
		if times[key] == nil {
			points = append(points, key)
		}
		times[key] = append(times[key], p.Seconds)
	}
	if err := lines.Err(); err != nil {
		return nil, nil, err
	}
	for i, p := range points {
		points[i].Seconds = median(times[p])
	}
	return points, others, nil
}

func (p point) check() error {
	switch {
	case p.Ranks < 2 || p.Ranks > maxRanks:
		return fmt.Errorf("ranks: %d, want 2 to %d", p.Ranks, maxRanks)
	case p.Values < 1 || p.Values > maxValues:
		return fmt.Errorf("values: %d, want 1 to %d", p.Values, maxValues)
	case !(p.Seconds > 0 && p.Seconds <= 1e9):
		return fmt.Errorf("seconds: %g, want more than 0, and at most 1e9", p.Seconds)
	case p.Bytes != 2 && p.Bytes != 4:
		return fmt.Errorf("bytes: %d, want 2 or 4", p.Bytes)
	}
	return nil
}

func median(x []float64) float64 {
	x = slices.Sorted(slices.Values(x))
	return (x[(len(x)-1)/2] + x[len(x)/2]) / 2
}
