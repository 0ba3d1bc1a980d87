package eval

import "mcvd/eval/metric"

// Record is the result for one video. [NewReport] sums records up.
type Record struct {
	Task       string `json:"task"`
	Clip       int    `json:"clip"`        // in the order of the protocol's rules
	Video      string `json:"video"`       // the data set's name of the video that the clip is of
	Start      int    `json:"start"`       // the number of the clip's first frame there
	Seed       uint64 `json:"seed"`        // of the noise; 0 for a baseline, which has none
	Trajectory int    `json:"trajectory"`  // of the clip's videos with this seed; a baseline has one
	Frames     uint32 `json:"real_crc32c"` // the checksum of the clip's real frames
	Method     string `json:"method"`      // "model", or the name of a baseline
	// Scores has each metric of pairs, by its name.
	Scores map[string]metric.Score `json:"scores"`
}

// score is the record's score in a metric.
func (r Record) score(name string) metric.Score {
	if s, ok := r.Scores[name]; ok {
		return s
	}
	return metric.Score{Skipped: "not in the records"}
}

// SetValue is the value of a metric of sets.
type SetValue struct {
	Method string
	Seed   uint64 // of the noise; 0 for a baseline
	Metric string
	Value  float64
	Real   int // clips on the real side
	Made   int
	// Extrapolation is to infinitely many clips, nil if the metric has none or if there are too few.
	Extrapolation *metric.Extrapolation
	// Skipped says why there is no value.
	Skipped string
}
