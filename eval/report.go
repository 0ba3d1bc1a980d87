package eval

import (
	"fmt"
	"slices"

	"mcvd/configs"
	"mcvd/eval/metric"
)

// Header has everything that the numbers of a report depend on.
type Header struct {
	Protocol   Protocol      `json:"protocol"`
	Metrics    []metric.Info `json:"metrics"`
	Run        string        `json:"run"`
	Checkpoint string        `json:"checkpoint"`
	// CheckpointSHA256 is the hash of the checkpoint's file.
	CheckpointSHA256 string `json:"checkpoint_sha256,omitempty"`
	// SecondSHA256 is the hash of the checkpoint of a weaker model or a classifier that guidance
	// evaluates; "" if there is none.
	SecondSHA256 string          `json:"second_sha256,omitempty"`
	Step         int             `json:"step"` // training steps behind the weights
	Dataset      string          `json:"dataset"`
	Path         string          `json:"path,omitempty"` // of the data set
	Past         int             `json:"past"`           // frames that a video begins with, given
	Future       int             `json:"future"`         // given frames that it ends with
	Videos       int             `json:"videos"`         // in the split; more clips than that come from some of them twice
	Sampler      configs.Sampler `json:"sampler"`
	Backend      string          `json:"backend"`
	// Config is the run's experiment: the values of all settings, as YAML, by their paths.
	Config map[string]string `json:"config,omitempty"`
	// NFE is the number of network evaluations behind a video, NFEPerFrame that by its generated
	// frames.
	NFE         int     `json:"nfe"`
	NFEPerFrame float64 `json:"nfe_per_frame"`
	// These are the time in which one video was generated, and that by its generated frames. 0 is
	// unknown.
	SecondsPerClip  float64 `json:"seconds_per_clip,omitzero"`
	SecondsPerFrame float64 `json:"seconds_per_frame,omitzero"`
}

// check reports what no evaluation writes, and what could not be summed up or printed.
func (h Header) check() error {
	p := h.Protocol
	if p.Clips < 1 || p.Trajectories < 1 || max(p.Clips, p.Trajectories, p.Frames) > maxCount {
		return fmt.Errorf("%d clips, %d trajectories and %d frames, want 1 to %d of each", p.Clips, p.Trajectories, p.Frames, maxCount)
	}
	if !slices.Contains([]metric.Interval{metric.Normal, metric.Bootstrap}, p.Rules.Interval) {
		return fmt.Errorf("protocol.rules.interval: %q, want %s or %s", p.Rules.Interval, metric.Normal, metric.Bootstrap)
	}
	if !slices.Contains([]string{"one", "each"}, p.Rules.Best) {
		return fmt.Errorf("protocol.rules.best: %q, want one or each", p.Rules.Best)
	}
	if err := p.checkSeeds(); err != nil {
		return fmt.Errorf("protocol.%w", err)
	}
	for i, m := range h.Metrics {
		if m.Digits < 0 || m.Digits > maxDigits {
			return fmt.Errorf("metric %s: digits: %d, want 0 to %d", m.Name, m.Digits, maxDigits)
		}
		if slices.ContainsFunc(h.Metrics[:i], func(other metric.Info) bool { return other.Name == m.Name }) {
			return fmt.Errorf("metric %s: is there twice", m.Name)
		}
	}
	return nil
}

// maxCount is the most clips, trajectories and frames that can be asked for. A report with more would
// keep a program busy that counts or generates its videos again.
const maxCount = 1_000_000

// maxDigits is how many digits of a float64 can mean something.
const maxDigits = 17

// Report is the result of an evaluation.
type Report struct {
	Header
	// Results, the model first, then the baselines.
	Results []Result `json:"results"`
	// Seeds are the model's results with each seed of the noise, if there are several.
	Seeds []SeedResult `json:"seeds,omitempty"`
	// Records are what they are made of.
	Records []Record `json:"records"`
}

// Result is the scores of one method.
type Result struct {
	Method string           `json:"method"`
	Scores map[string]Score `json:"scores"` // by metric
}

// SeedResult is the scores of the model's videos that were made with one seed of the noise.
type SeedResult struct {
	Seed   uint64           `json:"seed"`
	Scores map[string]Score `json:"scores"` // by metric
}

// Score is the result of one metric over all clips. Of several seeds of the noise, a clip's score is
// the mean over seeds, and so is the value of a set.
type Score struct {
	Unit string `json:"unit,omitempty"`
	// Best takes each clip's best trajectory, chosen as Rules.Best says. Mean takes the mean of a
	// clip's trajectories.
	Best metric.Summary `json:"best,omitzero"`
	Mean metric.Summary `json:"mean,omitzero"`
	// BestByFrame and MeanByFrame are the means over clips for each frame: of the best trajectory, and of all.
	BestByFrame []float64 `json:"best_by_frame,omitempty"`
	MeanByFrame []float64 `json:"mean_by_frame,omitempty"`
	// Set is the result of a metric of sets, which has none of the fields above.
	Set *SetScore `json:"set,omitempty"`
	// OverSeeds says how the score differs between seeds of the noise, if there are several.
	OverSeeds *OverSeeds `json:"over_seeds,omitempty"`
	// Skipped says why scores are missing. If only some are, SkippedVideos is the number of videos
	// without a score.
	Skipped       string `json:"skipped,omitempty"`
	SkippedVideos int    `json:"skipped_videos,omitempty"`
}

// SetScore is the distance of a number of generated clips from a number of real ones, both as a
// whole.
type SetScore struct {
	Value float64 `json:"value"`
	Real  int     `json:"real"`
	Made  int     `json:"generated"`
	// Extrapolation is the value by the number of clips, and of infinitely many, where that makes
	// sense and there are enough.
	Extrapolation *metric.Extrapolation `json:"extrapolation,omitempty"`
}

// OverSeeds are the means and standard deviations over seeds of what a [Score] has of one seed.
type OverSeeds struct {
	Best *Deviation `json:"best,omitempty"`
	Mean *Deviation `json:"mean,omitempty"`
	Set  *Deviation `json:"set,omitempty"`
}

// Deviation is a mean and the standard deviation around it, the root of the mean square divided by
// one less than their number.
type Deviation struct {
	Mean  float64 `json:"mean"`
	SD    float64 `json:"sd"`
	Seeds int     `json:"seeds"` // that have a score, two or more
}
