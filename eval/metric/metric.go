// Package metric scores generated videos against real ones.
package metric

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/gomlx/compute"

	"mcvd/data/clips"
	"mcvd/eval/metric/features"
)

// Metric is a way to score generated videos. It is of pairs, with OpenPairs, of sets, with OpenSets and
// Compare, or of the model, with neither.
type Metric struct {
	Info
	OpenPairs func(Needs) (Pairs, error)
	OpenSets  func(Needs) (Sets, error)
	Compare   Compare
	Limits
	// Special says that the metric must be asked for by its name: it is for one kind of data only,
	// or takes long and says little more than another one.
	Special bool
}

// Info says how to read a metric's values.
type Info struct {
	Name           string `json:"name"`
	Unit           string `json:"unit,omitempty"` // "dB", or empty for a plain number
	HigherIsBetter bool   `json:"higher_is_better"`
	Digits         int    `json:"digits"` // significant digits after the point
	// Whole says that the metric is of whole videos: generated frames and those that they were
	// given. Others see the generated frames alone.
	Whole bool `json:"whole,omitempty"`
	// Biased says that the value of a metric of sets depends on how many clips there are, in
	// proportion to one by their number, so that it can be extrapolated: see [Extrapolate].
	Biased bool `json:"biased,omitempty"`
	// PerFrame says of a metric of sets that it compares frames: each has a vector.
	PerFrame bool `json:"per_frame,omitempty"`
	// OfModel says that the model itself scores real frames, by how likely it finds them. Whoever has
	// the model computes the values.
	OfModel bool `json:"of_model,omitempty"`
	// Weights is the SHA-256 of the files that the network's weights were imported from, of a
	// metric that has one and is open.
	Weights string `json:"weights_sha256,omitempty"`
}

// Label is the name with the unit, as the head of a column.
func (m Info) Label() string { return strings.TrimSpace(m.Name + " " + m.Unit) }

// Number is a value with the digits that mean something.
func (m Info) Number(x float64) string { return strconv.FormatFloat(x, 'f', m.Digits, 64) }

// Compared is what a metric of sets has vectors of, in words.
func (m Info) Compared() string {
	of := "clips"
	if m.PerFrame {
		of = "frames"
	}
	if m.Whole {
		of += ", with the frames that were given"
	}
	return of
}

// Pairs scores generated clips against the real ones in their place. If it is an [io.Closer], it is
// closed after use.
type Pairs interface {
	// Score scores each generated clip of a batch against the real one with the same index, which
	// has the same size.
	Score(real, made []clips.Clip) ([]Score, error)
}

// Sets describes clips, so that the distribution of generated clips can be compared with that of
// real ones, which need not be the same clips nor as many. If it is an [io.Closer], it is closed
// after use.
type Sets interface {
	// Features describes each clip by a vector of numbers, or by several, such as one for each
	// frame, of each clip as many and clip by clip. All vectors have the same length.
	Features(list []clips.Clip) ([][]float32, error)
}

// Unrounded are [Sets] that can also describe a clip before its numbers are rounded to bytes. The
// vectors are those of [Sets.Features] if the numbers are those of bytes.
type Unrounded interface {
	// Unrounded describes one clip of numbers in [-1, 1], [frames, height, width, channels]. size has
	// its sizes, and no pixels.
	Unrounded(values []float32, size clips.Clip) ([][]float32, error)
}

// Compare is the value of a metric of sets, from the features of real clips and those of generated
// ones. It needs neither weights nor a backend. If there are too few clips, it is [Skipped].
type Compare func(real, made [][]float32) (float64, error)

// Needs is what a metric may ask for when it is opened.
type Needs struct {
	Backend compute.Backend // to run networks on
	Weights string          // the folder where networks' weights are
}

// File is the path of a file of weights. If there is no such file, the error is [Skipped], and says
// which command gets it.
func (n Needs) File(name, command string) (string, error) {
	path := filepath.Join(n.Weights, name)
	switch _, err := os.Stat(path); {
	case errors.Is(err, os.ErrNotExist):
		return "", Skipped{fmt.Sprintf("no weights (%s): `%s` gets them", path, command)}
	case err != nil:
		return "", err
	}
	return path, nil
}

// weightsSum is embedded in metrics with a network: [Info.Weights].
type weightsSum string

func (s weightsSum) sum() string { return string(s) }

// readWeights reads the weights of a network. Where they aren't installed, the error is [Skipped].
func readWeights(needs Needs, network string) (features.Params, weightsSum, error) {
	n, err := features.Find(network)
	if err != nil {
		return nil, "", err
	}
	path, err := needs.File(n.File(), n.Command)
	if err != nil {
		return nil, "", err
	}
	p, origin, err := n.Read(path)
	return p, weightsSum(origin.Sum), err
}

// metrics are all metrics, in the order of reports.
var metrics = []Metric{
	{Info: Info{Name: "psnr", Unit: "dB", HigherIsBetter: true, Digits: 2}, OpenPairs: openPSNR},
	{Info: Info{Name: "ssim", HigherIsBetter: true, Digits: 4}, OpenPairs: openSSIM, Limits: Limits{Side: ssimWindow}},
	{Info: Info{Name: "lpips", Digits: 4}, OpenPairs: openLPIPS("lpips-alex", 16)},
	{Info: Info{Name: "lpips_vgg", Digits: 4}, OpenPairs: openLPIPS("lpips-vgg", 2), Special: true},
	{Info: Info{Name: "fvd", Digits: 2, Whole: true, Biased: true}, OpenSets: openFVD(features.I3DLogits), Compare: FrechetOf, Limits: Limits{Frames: features.MinI3DFrames, Clips: 2}},
	{Info: Info{Name: "fvd_pooled", Digits: 2, Whole: true, Biased: true}, OpenSets: openFVD(features.I3DPooled), Compare: FrechetOf, Limits: Limits{Frames: features.MinI3DFrames, Clips: 2}, Special: true},
	{Info: Info{Name: "fid", Digits: 2, PerFrame: true}, OpenSets: openInception, Compare: FrechetOf, Special: true},
	{Info: Info{Name: "kid", Digits: 6, PerFrame: true}, OpenSets: openInception, Compare: KID, Special: true},
	{Info: Info{Name: "fvmd", Digits: 2, Whole: true, Biased: true}, OpenSets: openFVMD, Compare: FrechetOf, Limits: Limits{Frames: leastMotionFrames, Side: leastMotionSide, Clips: 2}, Special: true},
	{Info: Info{Name: "mmd", Digits: 4}, OpenSets: openMMD, Compare: KID, Limits: Limits{Clips: 2}},
	{Info: Info{Name: "energy", Digits: 5, Biased: true}, OpenSets: openEnergy, Compare: Energy, Special: true},
	{Info: Info{Name: "bits", Unit: "bits/dim", Digits: 4, OfModel: true}, Special: true},
	{Info: Info{Name: "bits_exact", Unit: "bits/dim", Digits: 4, OfModel: true}, Special: true},
	{Info: Info{Name: "digit", HigherIsBetter: true, Digits: 2}, OpenPairs: openDigit, Special: true, Limits: Limits{Grey: true}},
}

// Names lists the metrics in the order of reports.
func Names() []string {
	var names []string
	for _, m := range metrics {
		names = append(names, m.Name)
	}
	return names
}

// Comparisons are how the metrics of sets compare features, by their names.
func Comparisons() map[string]Compare {
	all := map[string]Compare{}
	for _, m := range metrics {
		if m.Compare != nil {
			all[m.Name] = m.Compare
		}
	}
	return all
}

// Opened is a metric that is ready to score.
type Opened struct {
	Info
	Limits
	// One of Pairs and Sets is set, unless the metric is of the model, or Skipped says why it can't be
	// used here.
	Pairs   Pairs
	Sets    Sets
	Compare Compare // of Sets
	Skipped string
}

// Open opens the metrics of these names, in this order. Without names, it opens all metrics that
// can be used here, except special ones. Close them after use.
func Open(names []string, needs Needs) ([]Opened, error) {
	if err := Check(names); err != nil {
		return nil, err
	}
	all := len(names) == 0
	if all {
		names = Names()
	}
	var opened []Opened
	for _, name := range names {
		m := metrics[slices.Index(Names(), name)]
		if all && m.Special {
			continue
		}
		o, err := m.Open(needs)
		if err != nil {
			return nil, errors.Join(err, Close(opened))
		}
		if !all || o.Skipped == "" {
			opened = append(opened, o)
		}
	}
	return opened, nil
}

// Check reports unknown names, and names that are given twice.
func Check(names []string) error {
	for i, name := range names {
		if !slices.Contains(Names(), name) {
			return fmt.Errorf("metrics: unknown %q (known: %s)", name, strings.Join(Names(), ", "))
		}
		if slices.Contains(names[:i], name) {
			return fmt.Errorf("metrics: %q is there twice", name)
		}
	}
	return nil
}

// Open gets the metric ready.
func (m Metric) Open(needs Needs) (o Opened, err error) {
	o.Info, o.Limits = m.Info, m.Limits
	switch {
	case m.OpenPairs != nil:
		o.Pairs, err = m.OpenPairs(needs)
	case m.OpenSets != nil:
		o.Sets, err = m.OpenSets(needs)
		o.Compare = m.Compare
	}
	if reason, ok := Reason(err); ok {
		return Opened{Info: m.Info, Skipped: reason}, nil
	}
	if err != nil {
		return o, fmt.Errorf("metric %s: %w", m.Name, err)
	}
	for _, held := range []any{o.Pairs, o.Sets} {
		if w, ok := held.(interface{ sum() string }); ok {
			o.Weights = w.sum()
		}
	}
	return o, nil
}

// Close closes what the metrics hold.
func Close(opened []Opened) error {
	var errs []error
	for _, o := range opened {
		for _, held := range []any{o.Pairs, o.Sets} {
			if c, ok := held.(io.Closer); ok {
				errs = append(errs, c.Close())
			}
		}
	}
	return errors.Join(errs...)
}

// Skipped is the error of a score that has no meaning for these videos, such as SSIM of frames
// smaller than its window. It is no failure: see [Reason].
type Skipped struct{ Reason string }

// Error says why there is no score.
func (s Skipped) Error() string { return "skipped: " + s.Reason }

// Reason says why a score was skipped, if err is [Skipped].
func Reason(err error) (string, bool) {
	skipped, ok := errors.AsType[Skipped](err)
	return skipped.Reason, ok
}
