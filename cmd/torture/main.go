// Command torture does to mcvd what users, machines and enemies do to it: it kills it at any moment,
// fills its disk, damages its files, gives it hostile media, lets two processes write into one folder,
// and kills one of those that train together. It counts what was tried and what survived, and names what did not.
//
// Something survives if nothing is silently wrong and nothing is lost: a command that is run again
// ends with the bytes of one that was never disturbed, or it says in a sentence what is wrong.
//
//	make build && go run ./cmd/torture            # everything; an hour on two cores
//	go run ./cmd/torture -scale 0.1 -seed 7       # a tenth of it, by other chances
//	go run ./cmd/torture -only kills,disk -keep   # parts of it; the folders of failures stay
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"
)

// campaign is one kind of torture.
type campaign struct {
	name  string
	times int // how often it is tried at a scale of 1
	about string
	// run tries it so often, and reports each try.
	run func(ctx context.Context, a *arena, rng *rand.Rand, times int, report func(try)) error
}

// try is what came of one: no failure is a survival.
type try struct {
	what    string // was done
	failure string
}

// campaigns are all of them, in order.
var campaigns = []campaign{
	{"kills-train", 200, "SIGKILL in training, then the same command again", killTraining},
	{"kills", 70, "SIGKILL in predict, eval, import, export, convert and the cache, then again", killOthers},
	{"mutations", 1000, "damaged files of every kind that is read", mutate},
	{"media", 100, "playlists in disguise, giant and broken files in a folder of videos", hostileMedia},
	{"disk", 60, "a disk that is full after so many bytes", fillDisk},
	{"writers", 20, "two processes and one run folder", twoWriters},
	{"ranks", 20, "SIGKILL and SIGSTOP of one of two ranks that train together, then the same command again", killRanks},
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o := options{}
	flag.StringVar(&o.mcvd, "mcvd", "bin/mcvd", "the program")
	flag.StringVar(&o.backend, "backend", "go", "go or xla-cpu")
	flag.Uint64Var(&o.seed, "seed", 1, "of all chances")
	flag.Float64Var(&o.scale, "scale", 1, "how much of each campaign")
	flag.StringVar(&o.only, "only", "", "names of campaigns, with commas between them (default: all)")
	flag.BoolVar(&o.keep, "keep", false, "keep the folders of failures")
	flag.Parse()
	failures, err := torture(ctx, o, os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "torture:", err)
		os.Exit(2)
	}
	if failures > 0 {
		os.Exit(1)
	}
}

// options are those of the command line.
type options struct {
	mcvd, backend, only string
	seed                uint64
	scale               float64
	keep                bool
}

// torture runs the campaigns and prints a table. It returns the number of failures.
func torture(ctx context.Context, o options, out io.Writer) (failures int, err error) {
	chosen, err := choose(o.only)
	if err != nil {
		return 0, err
	}
	a, err := newArena(ctx, o)
	if err != nil {
		return 0, err
	}
	defer a.close()
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "campaign\ttried\tsurvived\tfailed\tseconds\t\n")
	var failed []string
	for i, c := range chosen {
		began, tried, bad := time.Now(), 0, 0
		rng := rand.New(rand.NewPCG(o.seed, uint64(slices.IndexFunc(campaigns, func(other campaign) bool { return other.name == c.name }))))
		times := max(1, int(math.Round(float64(c.times)*o.scale)))
		err := c.run(ctx, a, rng, times, func(t try) {
			if ctx.Err() != nil { // what was stopped is no failure
				return
			}
			tried++
			if t.failure != "" {
				bad++
				failed = append(failed, fmt.Sprintf("%s, %s: %s", c.name, t.what, t.failure))
				fmt.Fprintln(os.Stderr, failed[len(failed)-1])
			}
		})
		if ctx.Err() != nil {
			return failures, context.Cause(ctx)
		}
		if err != nil {
			return failures, fmt.Errorf("%s: %w", c.name, err)
		}
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%.0f\t%s\n", c.name, tried, tried-bad, bad, time.Since(began).Seconds(), c.about)
		failures += bad
		fmt.Fprintf(os.Stderr, "%d of %d campaigns: %s, %d tried, %d failed\n", i+1, len(chosen), c.name, tried, bad)
	}
	fmt.Fprintf(table, "\nbackend %s, seed %d, scale %g\n", o.backend, o.seed, o.scale)
	if err := table.Flush(); err != nil {
		return failures, err
	}
	for _, f := range failed {
		fmt.Fprintln(out, f)
	}
	if failures > 0 && o.keep {
		a.keep = true
		fmt.Fprintln(out, "the folders are in", a.dir)
	}
	return failures, nil
}

// choose finds campaigns by their names.
func choose(only string) ([]campaign, error) {
	if only == "" {
		return campaigns, nil
	}
	var chosen []campaign
	for name := range strings.SplitSeq(only, ",") {
		i := slices.IndexFunc(campaigns, func(c campaign) bool { return c.name == name })
		if i < 0 {
			var names []string
			for _, c := range campaigns {
				names = append(names, c.name)
			}
			return nil, fmt.Errorf("-only: no campaign %q, want some of %s", name, strings.Join(names, ", "))
		}
		chosen = append(chosen, campaigns[i])
	}
	return chosen, nil
}

// absolute is the path of the program for processes in other folders.
func absolute(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err == nil {
		_, err = os.Stat(path)
	}
	return path, err
}
