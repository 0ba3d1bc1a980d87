package main

import (
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

func TestMistakesInOptions(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"", "want step or fit"},
		{"steps", "want step or fit"},
		{"step", "no gradients: want -network or -values"},
		{"step 16", `argument "16"`},
		{"step -network smmnist", `-network "smmnist", want one of smmnist-concat, `},
		{"step -values 10 -ranks 0", `-ranks "0": want a whole number from 1 to 4096`},
		{"step -values 10 -ranks 5000", `-ranks "5000": want a whole number from 1 to 4096`},
		{"step -values -1", `-values "-1": want a whole number`},
		{"step -values 10 -ranks 2 -ranks 3", "is given twice"},
		{"step -values 10 -gbit 0", `-gbit "0": want a number above 0`},
		{"step -values 10 -gbit NaN", `-gbit "NaN": want a number above 0`},
		{"step -values 10 -latency 5", `-latency "5": want a time such as 5us`},
		{"step -values 10 -latency -5us", `-latency "-5us": want a time`},
		{"step -values 10 -bytes 3", `-bytes "3": want 4 or 2`},
		{"step -values 10 -algorithm star", `-algorithm "star": want one of exchange, ring, tree`},
		{"step -values 10 -overlap", "-overlap has no effect without -copy\n-overlap has no effect without -bucket"},
		{"step -values 10 -hosts-first", "-hosts-first has no effect without -host, more than 1"},
		{"step -values 10 -cores 2", "-cores has no effect without -host, more than 1"},
		{"step -values 10 -jitter lognormal", "-jitter has no effect without -spread"},
		{"step -values 10 -spread 0.1", "-spread has no effect without -compute or -flops"},
		{"step -values 10 -share-batch", "-share-batch has no effect without -compute or -flops"},
		{"step -values 10 -averaged 2", "-averaged has no effect without -local"},
		{"step -values 10 -compute 0s -show efficiency", "-show efficiency says nothing where computing takes no time"},
		{"step -values 10 -show efficiency", "-show efficiency says nothing where computing takes no time: want -compute"},
		{"step -network bair-concat -gbit 1,2 -show waiting", "-show waiting says nothing where computing takes no time"},
		{"step -values 10 -compute 1s -ranks 2,4 -gbit 1,2 -show seconds,sent", "want one of them"},
		{"step -values 10 -flops 1e12", "-flops has no effect without -network"},
		{"step -values 10 -network bair-concat", "-values has no effect without -values instead of -network"},
		{"step -network bair-concat -flops 1e12 -compute 1s", "-compute has no effect"},
		{"step -values 10 -ranks 1,2 -gbit 1,2 -bytes 2,4", "3 options have several values, want at most two"},
		{"step -values 2000000 -bucket 1", "2000000 values in buckets of 1: want at most 1048576 buckets"},
		{"step -values 10 -show speed", `-show "speed", want one of seconds, `},
	} {
		err := run(strings.Fields(c.args), io.Discard)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("scale %s: %v, want %q", c.args, err, c.want)
		}
	}
}

func TestHelpHasAllOptions(t *testing.T) {
	var out strings.Builder
	if err := run([]string{"step", "-help"}, &out); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("%v, want that help was asked for", err)
	}
	for _, o := range options {
		if !strings.Contains(out.String(), "  -"+o.name+" ") && !strings.Contains(out.String(), "  -"+o.name+"\n") {
			t.Errorf("-%s is not in\n%s", o.name, out.String())
		}
	}
}

// Each option changes a step that has everything.
func TestEachOptionHasAnEffect(t *testing.T) {
	all := map[string]string{"network": "smmnist-concat", "flops": "1e13", "ranks": "8", "host": "4", "cores": "2", "copy": "20", "bucket": "100000", "spread": "0.1", "add": "1e9",
		"host-overhead": "1us", "steps": "4", "local": "2"}
	other := map[string]string{"ranks": "16", "gbit": "10", "latency": "1ms", "overhead": "1ms", "host": "2", "host-gbit": "10", "host-latency": "1ms", "host-overhead": "1ms",
		"cores": "1", "add": "1e8", "algorithm": "ring", "hosts-first": "true", "bytes": "2", "bucket": "200000", "copy": "10", "overlap": "true", "network": "smmnist-spatin",
		"flops": "1e12", "share-batch": "true", "accumulate": "2", "local": "4", "averaged": "1", "jitter": "exponential", "spread": "0.2", "steps": "8", "seed": "2"}
	before := resultOf(t, all)
	for _, o := range options {
		changed := map[string]string{}
		for name, text := range all {
			changed[name] = text
		}
		changed[o.name] = other[o.name]
		if o.name == "values" || o.name == "compute" { // instead of the network's
			delete(changed, "network")
			delete(changed, "flops")
			changed["values"], changed["compute"] = "1000", "1s"
		}
		if resultOf(t, changed) == before {
			t.Errorf("-%s %s changes nothing", o.name, changed[o.name])
		}
	}
}

func resultOf(t *testing.T, texts map[string]string) result {
	t.Helper()
	s, err := newSettings(texts)
	if err != nil {
		t.Fatal(err)
	}
	return s.simulate()
}

func TestRanksShareABatch(t *testing.T) {
	texts := map[string]string{"values": "1000", "compute": "1s", "ranks": "8", "share-batch": "true"}
	if got := resultOf(t, texts); !near(got.computing, 1.0/8) {
		t.Errorf("computing %g s, want 1/8", got.computing)
	}
}

// The sizes of networks are those of docs/reproduce.md, which a test of cmd/mcvd compares with the
// networks, and their batches those of the configurations.
func TestNetworksAreThePublishedOnes(t *testing.T) {
	page, err := os.ReadFile("../../docs/reproduce.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range networks {
		row := regexp.MustCompile("(?m)^\\| `" + n.name + "` \\| [^|]* \\| ([0-9.]+) \\| ([0-9.]+) \\|").FindStringSubmatch(string(page))
		if row == nil || row[1] != strconv.FormatFloat(n.millions, 'f', 2, 64) || row[2] != strconv.FormatFloat(n.gflop, 'f', 2, 64) {
			t.Errorf("%s: docs/reproduce.md says %q, here it is %.2f million and %.2f GFLOP", n.name, row, n.millions, n.gflop)
		}
		if got := batchOf(t, n.name+".yml"); got != n.batch {
			t.Errorf("%s: batches of %d, here %d", n.name, got, n.batch)
		}
	}
}

// batchOf reads train.batch of a configuration or of one below it.
func batchOf(t *testing.T, name string) int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../configs/published", name))
	if err != nil {
		t.Fatal(err)
	}
	var c struct {
		Base  string
		Train struct{ Batch int }
	}
	if err := yaml.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	if c.Train.Batch == 0 && c.Base != "" {
		return batchOf(t, c.Base)
	}
	return c.Train.Batch
}
