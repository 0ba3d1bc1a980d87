package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"mcvd/train/ranks"
)

// benchRanks times the sums of gradients.
type benchRanks struct {
	*app
	millions []float64
	rounds   int
	json     bool
}

// ways of adding up, by the names that scripts/scale reads.
var sums = []struct {
	name  string
	bytes int
	how   ranks.Exchange
}{
	{"ordered", 4, ranks.Exchange{InOrder: true}},
	{"ordered", 2, ranks.Exchange{InOrder: true, Half: true}},
	{"library", 4, ranks.Exchange{}},
}

// sumTime is the time of one sum.
type sumTime struct {
	Ranks     int     `json:"ranks"`
	Values    int     `json:"values"`
	Algorithm string  `json:"algorithm"`
	Bytes     int     `json:"bytes"`   // of a value that travels
	Seconds   float64 `json:"seconds"` // of the sum alone
	Spread    float64 `json:"spread"`  // of that: the middle half of the rounds, as a share of the median
	Copies    float64 `json:"copies"`  // of copying the values there and back alone
	Both      float64 `json:"both"`    // of the sum with the copies, of which some are made meanwhile
	Library   string  `json:"library"`
}

func newBenchRanks(a *app) *cobra.Command {
	c := &benchRanks{app: a}
	cmd := &cobra.Command{
		Use:   "ranks",
		Short: "Time the sums over ranks that a training step makes",
		Long: `Time the sums that ranks make of their gradients in each step of a training. It is started as the
ranks of an MPI job, and times all that train.ranks.options.sum and precision may be, with the
copies to and from the memory in which values travel. Times are medians, those of the slowest rank;
the spread is that of the middle half of the sums. scripts/scale fit reads the lines of --json.`,
		Example: `  mpirun -n 2 mcvd bench ranks
  mpirun -n 2 mcvd bench ranks --millions 1,4 --json`,
		Args: arguments(0, 0, "none"),
		RunE: func(cmd *cobra.Command, args []string) error { return c.run(cmd) },
	}
	f := cmd.Flags()
	f.Float64SliceVar(&c.millions, "millions", []float64{0.1, 1, 4, 28}, "numbers of values, in millions")
	c.rounds = 7
	f.Var(count(&c.rounds), "rounds", "sums of each kind, after two that are left out")
	f.BoolVar(&c.json, "json", false, "print one JSON object a line instead of a table")
	return cmd
}

func (c *benchRanks) run(cmd *cobra.Command) error {
	for _, m := range c.millions {
		if !(m >= 1e-6 && m <= 1000) {
			return fmt.Errorf("--millions %g: want 0.000001 to 1000", m)
		}
	}
	if err := c.join(cmd.Context()); err != nil {
		return err
	}
	if !c.ranks.Several() {
		return errors.New("bench ranks: started alone; want several ranks, such as mpirun -n 2 mcvd bench ranks")
	}
	var all []sumTime
	for _, m := range c.millions {
		for _, s := range sums {
			t := sumTime{Ranks: c.ranks.Size(), Values: int(1e6 * m), Algorithm: s.name, Bytes: s.bytes, Library: c.ranks.Library()}
			if err := c.time(&t, s.how); err != nil {
				return err
			}
			all = append(all, t)
		}
	}
	if !c.ranks.First() {
		return nil
	}
	out := cmd.OutOrStdout()
	if c.json {
		for _, t := range all {
			line, err := json.Marshal(t)
			if err != nil {
				return err
			}
			fmt.Fprintln(out, string(line))
		}
		return nil
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "values\tsum\tbytes\tms\tspread\tcopies, ms\tboth, ms\t")
	for _, t := range all {
		fmt.Fprintf(table, "%d\t%s\t%d\t%.2f\t%.0f %%\t%.2f\t%.2f\t\n", t.Values, t.Algorithm, t.Bytes, 1e3*t.Seconds, 1e2*t.Spread, 1e3*t.Copies, 1e3*t.Both)
	}
	return table.Flush()
}

// time measures one kind of sum.
func (c *benchRanks) time(t *sumTime, how ranks.Exchange) error {
	s := ranks.NewSums(c.ranks, how)
	x, from, to := make([]float32, t.Values), make([]float32, t.Values), make([]float32, t.Values)
	for i := range from {
		from[i] = float32(i%97) - 48
	}
	fill := func(a, b int) error { copy(x[a:b], from[a:b]); return nil }
	use := func(a, b int) error { copy(to[a:b], x[a:b]); return nil }
	sum, err := c.rounded(func() error { return s.Mean(x) })
	if err != nil {
		return err
	}
	copies, err := c.rounded(func() error { return errors.Join(fill(0, len(x)), use(0, len(x))) })
	if err != nil {
		return err
	}
	both, err := c.rounded(func() error { return s.MeanOf(x, fill, use) })
	if err != nil {
		return err
	}
	n := c.rounds
	t.Seconds, t.Copies, t.Both = sum[n/2], copies[n/2], both[n/2]
	t.Spread = (sum[n-1-n/4] - sum[n/4]) / t.Seconds
	return nil
}

// rounded are the times of the rounds, of the slowest rank in each, the shortest first.
func (c *benchRanks) rounded(do func() error) ([]float64, error) {
	const warmUp = 2
	var took []float64
	for range warmUp + c.rounds {
		if _, err := ranks.All(c.ranks, true, nil); err != nil { // all begin at the same time
			return nil, err
		}
		began := time.Now()
		err := do()
		all, err := ranks.All(c.ranks, time.Since(began).Seconds(), err)
		if err != nil {
			return nil, err
		}
		took = append(took, slices.Max(all))
	}
	took = took[warmUp:]
	slices.Sort(took)
	return took, nil
}
