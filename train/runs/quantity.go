package runs

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Fifths is the number of equal parts of the schedule into which the validation loss is divided.
const Fifths = 5

// Quantity is something that the lines of a log report, and that is drawn as a curve.
type Quantity struct {
	// Name is a path of two words, such as validation/loss.
	Name string
	// Title is what a reader sees, with the unit.
	Title string
	// Log says that a logarithmic axis shows it best.
	Log bool
	// Noisy says that its values scatter from line to line, so that a moving average tells more.
	Noisy bool
	// of is the quantity in a line, and whether the line has it. The log leaves out zeros of
	// everything but the loss.
	of func(Line) (Number, bool)
}

// Quantities lists everything that the logs of these runs have to show, in the order in which it is
// shown. Scores are those that the runs have.
func Quantities(all ...*Run) []Quantity {
	list := always()
	for _, name := range scored(all) {
		list = append(list, score(name))
	}
	return list
}

// scored lists the metrics of which a run has scores, in order.
func scored(all []*Run) []string {
	names := map[string]bool{}
	for _, r := range all {
		for name := range r.Curves {
			if metric, ok := strings.CutPrefix(name, scorePrefix); ok {
				names[metric] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(names))
}

const scorePrefix = "score/"

// score is the quantity of a metric.
func score(metric string) Quantity {
	return Quantity{scorePrefix + metric, metric + " of generated videos", false, false, func(l Line) (Number, bool) {
		x, ok := l.Scores[metric]
		return x, ok
	}}
}

// Score says whether the quantity is a score of generated videos.
func (q Quantity) Score() bool { return strings.HasPrefix(q.Name, scorePrefix) }

// OfLine lists what a line has to show.
func OfLine(l Line) []Quantity {
	list := always()
	for _, name := range slices.Sorted(maps.Keys(l.Scores)) {
		list = append(list, score(name))
	}
	return list
}

// always lists the quantities that every log may have.
func always() []Quantity {
	all := []Quantity{
		{"train/loss", "training loss", true, true, training(func(l Line) (Number, bool) { return l.Loss, true })},
		{"validation/loss", "validation loss", true, false, validation(func(l Line) (Number, bool) { return l.Loss, true })},
		{"validation/x0", "mean squared error of predicted clean frames", true, false, validation(func(l Line) (Number, bool) { return known(l.X0) })},
		{"train/gradient_norm", "gradient norm", true, true, training(func(l Line) (Number, bool) { return known(l.GradientNorm) })},
		{"train/learning_rate", "learning rate", false, false, training(func(l Line) (Number, bool) { return known(l.LearningRate) })},
		{"train/skipped", "steps skipped, since the line before", false, false, training(func(l Line) (Number, bool) { return known(Number(l.Skipped)) })},
		{"train/replaced", "clips that can't be read, since the line before", false, false, training(func(l Line) (Number, bool) { return known(Number(l.Replaced)) })},
		{"train/passed", "steps passed over after a divergence", false, false, training(func(l Line) (Number, bool) { return known(Number(l.Passed)) })},
		{"speed/clips", "clips a second", false, true, training(func(l Line) (Number, bool) { return known(l.ClipsPerSecond) })},
		{"speed/flops", "FLOP a second", false, true, training(func(l Line) (Number, bool) { return known(l.FLOPs) })},
		{"speed/peak_share", "share of the peak", false, true, training(func(l Line) (Number, bool) { return known(l.PeakShare) })},
		{"speed/waiting", "share of the time waiting for data", false, true, training(func(l Line) (Number, bool) { return l.Waiting, l.ClipsPerSecond != 0 })},
		{"speed/exchanging", "share of the time adding up what ranks have learned", false, true, training(func(l Line) (Number, bool) { return known(l.Exchanging) })},
		{"speed/lagging", "share of the time waiting for other ranks", false, true, training(func(l Line) (Number, bool) { return known(l.Lagging) })},
		{"speed/saving", "seconds waiting for checkpoints, since the line before", false, false, training(func(l Line) (Number, bool) { return known(l.Saving) })},
	}
	for i := range Fifths {
		all = append(all, Quantity{FifthName(i), "validation loss, " + fifthTitles[i], true, false, validation(func(l Line) (Number, bool) {
			if i >= len(l.Validation) {
				return 0, false
			}
			return l.Validation[i], true
		})})
	}
	for i := range Fifths {
		all = append(all, Quantity{fmt.Sprintf("accuracy/fifth_%d", i+1), "share of clips classified right, " + fifthTitles[i], false, false, validation(func(l Line) (Number, bool) {
			if i >= len(l.Accuracy) {
				return 0, false
			}
			return l.Accuracy[i], true
		})})
	}
	return all
}

// FifthName names the validation loss of a fifth of the schedule, 0 for the least noisy one.
func FifthName(i int) string { return fmt.Sprintf("validation/fifth_%d", i+1) }

var fifthTitles = [Fifths]string{"least noisy fifth", "second fifth", "third fifth", "fourth fifth", "noisiest fifth"}

// Of is the quantity in a line, and whether the line has it; it may be NaN or infinite.
func (q Quantity) Of(l Line) (value float64, ok bool) {
	n, ok := q.of(l)
	return float64(n), ok
}

func known(n Number) (Number, bool) { return n, n != 0 }

func training(of func(Line) (Number, bool)) func(Line) (Number, bool) {
	return func(l Line) (Number, bool) {
		if l.kind() != ofTraining {
			return 0, false
		}
		return of(l)
	}
}

func validation(of func(Line) (Number, bool)) func(Line) (Number, bool) {
	return func(l Line) (Number, bool) {
		if l.kind() != ofValidation {
			return 0, false
		}
		return of(l)
	}
}
