package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"math/bits"
	"os"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/gonum/mat"
)

// A parameter is an option whose value measured points can tell. The time of a sum is proportional to it.
type parameter struct {
	name string
	at   func(*settings) *float64     // in seconds for one of something
	show func(seconds float64) string // as the option wants it
}

var parameters = []parameter{
	{"latency", func(s *settings) *float64 { return &s.cluster.network.latency }, microseconds},
	{"overhead", func(s *settings) *float64 { return &s.cluster.network.overhead }, microseconds},
	{"gbit", func(s *settings) *float64 { return &s.cluster.network.perByte }, perSecond(1e9 / 8)},
	{"host-latency", func(s *settings) *float64 { return &s.cluster.within.latency }, microseconds},
	{"host-overhead", func(s *settings) *float64 { return &s.cluster.within.overhead }, microseconds},
	{"host-gbit", func(s *settings) *float64 { return &s.cluster.within.perByte }, perSecond(1e9 / 8)},
	{"copy", func(s *settings) *float64 { return &s.plan.perCopied }, perSecond(1e9)},
	{"add", func(s *settings) *float64 { return &s.cluster.perAdd }, perSecond(1)},
}

func microseconds(x float64) string { return digits(x*1e6) + "us" }

func perSecond(unit float64) func(float64) string {
	return func(x float64) string {
		if x == 0 {
			return "no limit"
		}
		return digits(1 / (x * unit))
	}
}

// fit is the command that finds parameters by some of the points that were measured, and says by how much
// it then misses the others.
func fit(args []string, out io.Writer) error {
	flags := newFlags("fit")
	file := flags.String("points", "", "file of lines such as "+`{"ranks":2,"values":1000000,"seconds":0.004,"algorithm":"ordered"}`)
	onRanks := flags.String("on-ranks", "", "fit points with these numbers of ranks only, with commas between them")
	onValues := flags.String("on-values", "", "fit points with these numbers of values only, with commas between them")
	names := flags.String("fit", "latency,gbit,add", "options to find; others take no time, unless they are given")
	only := flags.Int("bytes", 0, "leave out points with other bytes a value; 0 for none")
	from := flags.Int("from", 0, "leave out points with fewer values")
	within := flags.Float64("within", 0, "fail if a point that was not fitted is missed by more percent; 0 for any")
	given := declare(flags, func(name string) bool {
		return name == "host" || name == "cores" || name == "bucket" || slices.ContainsFunc(parameters, func(p parameter) bool { return p.name == name })
	}, false)
	if err := parse(flags, args, "Fits a cluster to measured sums, and predicts others.", out); err != nil {
		return err
	}
	wanted, err := parametersOf(*names)
	if err != nil {
		return err
	}
	points, err := pointsOf(*file, out)
	if err != nil {
		return err
	}
	points = slices.DeleteFunc(points, func(p point) bool { return p.Values < *from || *only != 0 && p.Bytes != *only })
	base, err := bare(*given, wanted)
	if err != nil {
		return err
	}
	for _, p := range points {
		if err := (plan{values: p.Values, bucket: base.plan.bucket}).check(); err != nil {
			return err
		}
	}
	chosen, err := chosenPoints(points, *onRanks, *onValues)
	if err != nil {
		return err
	}
	s, found, err := solve(base, wanted, points, chosen)
	if err != nil {
		return err
	}
	printFound(out, s, wanted, found)
	return report(out, s, points, chosen, *within)
}

func parametersOf(names string) ([]parameter, error) {
	var wanted []parameter
	for name := range strings.SplitSeq(names, ",") {
		i := slices.IndexFunc(parameters, func(p parameter) bool { return p.name == name })
		if i < 0 {
			return nil, fmt.Errorf("-fit %q, want some of latency, overhead, gbit, host-latency, host-overhead, host-gbit, copy, add", name)
		}
		wanted = append(wanted, parameters[i])
	}
	return wanted, nil
}

// pointsOf reads a file, and says what of it is left out.
func pointsOf(file string, out io.Writer) ([]point, error) {
	if file == "" {
		return nil, errors.New("no points: want -points FILE")
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	points, others, err := readPoints(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	for _, name := range slices.Sorted(maps.Keys(others)) {
		fmt.Fprintf(out, "Left out: %d points of the algorithm %q, which is not simulated.\n\n", others[name], name)
	}
	if len(points) == 0 {
		return nil, fmt.Errorf("%s: no points of the algorithms ordered, ring and tree", file)
	}
	return points, nil
}

// bare are settings in which what is not given takes no time.
func bare(given []*list, wanted []parameter) (settings, error) {
	texts := map[string]string{"values": "1"}
	for _, l := range given {
		if slices.ContainsFunc(wanted, func(p parameter) bool { return p.name == l.name }) {
			return settings{}, fmt.Errorf("-%s is given, and to be found as well", l.name)
		}
		if len(l.values) > 1 {
			return settings{}, fmt.Errorf("-%s has %d values, want one", l.name, len(l.values))
		}
		texts[l.name] = l.values[0]
	}
	s, err := newSettings(texts)
	for _, p := range parameters {
		if _, ok := texts[p.name]; !ok {
			*p.at(&s) = 0
		}
	}
	return s, err
}

// chosenPoints says of each point whether it is fitted: all, or those with some ranks and some values.
func chosenPoints(points []point, onRanks, onValues string) ([]bool, error) {
	chosen := make([]bool, len(points))
	for i, p := range points {
		a, errA := among(p.Ranks, onRanks)
		b, errB := among(p.Values, onValues)
		if err := errors.Join(errA, errB); err != nil {
			return nil, err
		}
		chosen[i] = a && b
	}
	if !slices.Contains(chosen, true) {
		return nil, errors.New("no point has these ranks, values and bytes: nothing to fit")
	}
	return chosen, nil
}

func among(x int, list string) (bool, error) {
	if list == "" {
		return true, nil
	}
	found := false
	for text := range strings.SplitSeq(list, ",") {
		y, err := strconv.Atoi(text)
		if err != nil {
			return false, fmt.Errorf("%q, want whole numbers with commas between them", list)
		}
		found = found || x == y
	}
	return found, nil
}

// of simulates what was measured at a point.
func (s settings) of(p point) float64 {
	s.cluster.ranks, s.plan.values, s.plan.width, s.plan.algorithm = p.Ranks, p.Values, float64(p.Bytes), p.Algorithm
	return s.simulate().seconds
}

// solve finds the parameters, none below 0, with the least sum of squares of relative misses. What the
// points can't tell from the parameters before it is not found.
func solve(base settings, wanted []parameter, points []point, chosen []bool) (settings, []parameter, error) {
	var rows [][]float64
	var rest []float64 // of the measured time, what is left to explain
	for i, p := range points {
		if !chosen[i] {
			continue
		}
		var row []float64
		for _, w := range wanted {
			one := base
			for _, other := range parameters {
				*other.at(&one) = 0
			}
			*w.at(&one) = 1
			row = append(row, one.of(p)/p.Seconds)
		}
		rows = append(rows, row)
		rest = append(rest, 1-base.of(p)/p.Seconds)
	}
	var told []int
	for j := range wanted {
		if next := append(slices.Clone(told), j); independent(rows, next) {
			told = next
		}
	}
	if len(told) == 0 {
		return base, nil, errors.New("none of the options of -fit changes the time of these points")
	}
	values := leastSquares(rows, rest, told)
	var found []parameter
	for i, j := range told {
		*wanted[j].at(&base) = values[i]
		found = append(found, wanted[j])
	}
	return base, found, nil
}

// independent says whether no column is nearly a sum of multiples of the others.
func independent(rows [][]float64, columns []int) bool {
	if len(columns) > len(rows) {
		return false
	}
	a := matrix(rows, columns)
	for j := range columns {
		norm := mat.Norm(a.ColView(j), 2)
		if norm == 0 {
			return false
		}
		for i := range rows {
			a.Set(i, j, a.At(i, j)/norm)
		}
	}
	var qr mat.QR
	qr.Factorize(a)
	return qr.Cond() < 1e6
}

func matrix(rows [][]float64, columns []int) *mat.Dense {
	a := mat.NewDense(len(rows), len(columns), nil)
	for i := range rows {
		for j, column := range columns {
			a.Set(i, j, rows[i][column])
		}
	}
	return a
}

// leastSquares solves for columns with factors of 0 or more. It tries all sets of columns that are not 0,
// which are few.
func leastSquares(rows [][]float64, want []float64, columns []int) []float64 {
	best, least := make([]float64, len(columns)), math.Inf(1)
	for set := range 1 << len(columns) {
		var part []int
		for i, column := range columns {
			if set>>i&1 == 1 {
				part = append(part, column)
			}
		}
		x := make([]float64, bits.OnesCount(uint(set)))
		if len(part) > 0 {
			var solution mat.VecDense
			if err := solution.SolveVec(matrix(rows, part), mat.NewVecDense(len(want), want)); err != nil {
				continue
			}
			copy(x, solution.RawVector().Data)
		}
		if slices.ContainsFunc(x, func(v float64) bool { return !(v >= 0) }) {
			continue
		}
		var squares float64
		for i, row := range rows {
			miss := want[i]
			for j, column := range part {
				miss -= x[j] * row[column]
			}
			squares += miss * miss
		}
		if squares < least {
			least = squares
			clear(best)
			for i, next := 0, 0; i < len(columns); i++ {
				if set>>i&1 == 1 {
					best[i] = x[next]
					next++
				}
			}
		}
	}
	return best
}

// printFound prints parameters as options of step.
func printFound(out io.Writer, s settings, wanted, found []parameter) {
	t := table{out: out}
	t.row("option", "found")
	for _, w := range wanted {
		text := "nothing: these points don't tell it from those above"
		if slices.ContainsFunc(found, func(p parameter) bool { return p.name == w.name }) {
			text = w.show(*w.at(&s))
		}
		t.row("`-"+w.name+"`", text)
	}
	fmt.Fprintln(out)
}

// report prints all points. It is an error if one that was not fitted is missed by more than so many
// percent.
func report(out io.Writer, s settings, points []point, chosen []bool, within float64) error {
	t := table{out: out}
	t.row("ranks", "values", "bytes", "algorithm", "measured, s", "simulated, s", "off by", "")
	var misses []float64
	for i, p := range points {
		simulated, use := s.of(p), "fitted"
		miss := simulated/p.Seconds - 1
		if !chosen[i] {
			use = "predicted"
			misses = append(misses, math.Abs(miss))
		}
		t.row(fmt.Sprint(p.Ranks), fmt.Sprint(p.Values), fmt.Sprint(p.Bytes), p.Algorithm, digits(p.Seconds), digits(simulated), fmt.Sprintf("%+.1f %%", 100*miss), use)
	}
	if t.err != nil {
		return t.err
	}
	if len(misses) == 0 && within > 0 {
		return errors.New("all points were fitted, so -within has nothing to check: want -on-ranks or -on-values")
	}
	if len(misses) == 0 {
		_, err := fmt.Fprintln(out, "\nAll points were fitted, so none says how good a prediction is: see -on-ranks and -on-values.")
		return err
	}
	worst := 100 * slices.Max(misses)
	fmt.Fprintf(out, "\nOf the %d points that were not fitted, the simulation misses the worst by %.1f %%, the median by %.1f %%.\n", len(misses), worst, 100*median(misses))
	if within > 0 && !(worst <= within) {
		return fmt.Errorf("a point that was not fitted is missed by %.1f %%, want at most %g %%", worst, within)
	}
	return nil
}
