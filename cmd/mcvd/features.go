package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"mcvd/eval/metric"
	"mcvd/eval/metric/rows"
	"mcvd/models/weights"
)

// featuresReport is how two files of features compare.
type featuresReport struct {
	Real    featureFile        `json:"real"`
	Made    featureFile        `json:"generated"`
	Numbers int                `json:"numbers"` // of each vector
	Scores  map[string]float64 `json:"scores"`  // by the comparison's name
	// ByVectors is the Fréchet distance of parts of the sets, if that was asked for and they are
	// large enough; else NotExtrapolated says why it is missing.
	ByVectors       *metric.Extrapolation `json:"frechet_by_vectors,omitempty"`
	NotExtrapolated string                `json:"not_extrapolated,omitempty"`
}

// featureFile says what was read.
type featureFile struct {
	Path    string `json:"path"`
	Tensor  string `json:"tensor,omitempty"`
	SHA256  string `json:"sha256"`
	Vectors int    `json:"vectors"`
}

func newFeatures(*app) *cobra.Command {
	var names []string
	for _, c := range metric.VectorComparisons() {
		names = append(names, c.Name)
	}
	var doc strings.Builder
	for _, c := range metric.VectorComparisons() {
		fmt.Fprintf(&doc, "  %-8s %s\n", c.Name, c.Doc)
	}
	metrics := names
	var tensor string
	var seed uint64
	var flags reportFlags
	cmd := &cobra.Command{
		Use:   "features REAL GENERATED",
		Short: "Compare two files of features of any network",
		Long: `Compare features of generated videos with those of real ones that another program computed with a
network that is not here, such as V-JEPA or VideoMAE. A file is an array [vectors, numbers] of
float32 or float64: .npy, as numpy.save writes it, or safetensors. For all comparisons, less is
better:

` + doc.String() + `
The Fréchet distance of few vectors is too large. So it is also computed of parts of both sets, and
extrapolated to infinitely many vectors; docs/evaluation.md says how.`,
		Example: `  mcvd eval features real.npy generated.npy -o report.json
  mcvd eval features real.npy generated.npy --metric kid --json`,
		Args: arguments(2, 2, "a file of real features and one of generated ones"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := flags.prepare(); err != nil {
				return err
			}
			for _, path := range args {
				same, err := sameFile(path, flags.out)
				if err != nil {
					return err
				}
				if same {
					return fmt.Errorf("--out %s: is a file of features, which the report would replace", flags.out)
				}
			}
			report, err := compareFeatures(args[0], args[1], tensor, metrics, seed)
			if err != nil {
				return err
			}
			return flags.write(cmd, report)
		},
	}
	f := cmd.Flags()
	f.Var(&someOf{values: &metrics, names: names}, "metric", "any of "+strings.Join(names, ",")+", separated by commas")
	f.StringVar(&tensor, "tensor", "", "name of the tensor in safetensors files that have several")
	f.Uint64Var(&seed, "seed", 0, "which parts of the sets are drawn for the extrapolation")
	flags.addTo(cmd)
	return cmd
}

// compareFeatures reads two files and compares what is in them.
func compareFeatures(realPath, madePath, tensor string, metrics []string, seed uint64) (*featuresReport, error) {
	r := &featuresReport{Scores: map[string]float64{}}
	real, err := readFeatures(&r.Real, realPath, tensor)
	if err != nil {
		return nil, err
	}
	made, err := readFeatures(&r.Made, madePath, tensor)
	if err != nil {
		return nil, err
	}
	r.Numbers = len(real[0])
	if n := len(made[0]); n != r.Numbers {
		return nil, fmt.Errorf("%s: vectors of %d numbers, want %d as in %s", madePath, n, r.Numbers, realPath)
	}
	for _, c := range metric.VectorComparisons() {
		if !slices.Contains(metrics, c.Name) {
			continue
		}
		value, err := c.Compare(real, made)
		if err == nil && c.Name == frechet {
			err = r.extrapolate(real, made, seed)
		}
		if reason, ok := metric.Reason(err); ok {
			err = errors.New(reason)
		}
		if err != nil {
			return nil, fmt.Errorf("%s, %s: %s: %w", realPath, madePath, c.Name, err)
		}
		r.Scores[c.Name] = value
	}
	return r, nil
}

// frechet is the name of the comparison that is extrapolated.
const frechet = "frechet"

func readFeatures(f *featureFile, path, tensor string) ([][]float32, error) {
	sum, err := weights.SHA256(path)
	if err != nil {
		return nil, err
	}
	set, err := rows.Read(path, tensor)
	*f = featureFile{path, tensor, sum, len(set)}
	return set, err
}

// extrapolate compares parts of the sets, where they are large enough.
func (r *featuresReport) extrapolate(real, made [][]float32, seed uint64) error {
	e, err := metric.Extrapolate(metric.FrechetOf, real, made, seed)
	if reason, ok := metric.Reason(err); ok {
		r.NotExtrapolated = reason
		return nil
	}
	r.ByVectors = &e
	return err
}

// WriteText prints the report as tables for people.
func (r *featuresReport) WriteText(out io.Writer) error {
	fmt.Fprintf(out, "%d real vectors (%s) and %d generated ones (%s) of %d numbers; lower is better\n\n", r.Real.Vectors, r.Real.Path, r.Made.Vectors, r.Made.Path, r.Numbers)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	digits := 0
	for _, c := range metric.VectorComparisons() {
		if value, ok := r.Scores[c.Name]; ok {
			fmt.Fprintf(w, "%s\t%s\n", c.Name, strconv.FormatFloat(value, 'f', c.Digits, 64))
		}
		if c.Name == frechet {
			digits = c.Digits
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	switch {
	case r.NotExtrapolated != "":
		fmt.Fprintf(out, "\nnot extrapolated to infinitely many vectors: %s\n", r.NotExtrapolated)
	case r.ByVectors != nil:
		fmt.Fprintf(w, "\nreal\tgenerated\tfrechet\n")
		for _, p := range r.ByVectors.Points {
			fmt.Fprintf(w, "%d\t%d\t%s\n", p.Real, p.Made, strconv.FormatFloat(p.Value, 'f', digits, 64))
		}
		fmt.Fprintf(w, "infinitely many\t\t%s\n", strconv.FormatFloat(r.ByVectors.Infinity, 'f', digits, 64))
	}
	return w.Flush()
}
