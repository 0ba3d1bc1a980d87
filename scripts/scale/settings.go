package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// settings are all that one simulation depends on.
type settings struct {
	cluster    cluster
	plan       plan
	work       work
	network    string  // a published one, which says values and compute
	flops      float64 // a second on a rank, for its compute
	shareBatch bool
	averaged   int // values of each parameter that are averaged after local steps
	steps      int
	seed       uint64
}

// An option is a setting of the command line.
type option struct {
	name, value, usage string // value is the default
	heading            string // of a table in which it varies
	set                func(s *settings, text string) error
}

// options are all settings, those of the cluster first.
var options = []option{
	{"ranks", "16", "GPUs that train together, each a rank here; with -hosts-first, those of a host are one rank of mcvd", "ranks", func(s *settings, x string) error { return whole(x, 1, maxRanks, &s.cluster.ranks) }},
	{"gbit", "100", "bandwidth of a host's end of the network in each direction, in Gbit/s", "Gbit/s", func(s *settings, x string) error { return perByte(x, &s.cluster.network) }},
	{"latency", "5us", "how long a message between hosts that has no bytes is under way", "latency", func(s *settings, x string) error { return seconds(x, &s.cluster.network.latency) }},
	{"overhead", "1us", "how long a message between hosts that has no bytes keeps both of them busy", "overhead", func(s *settings, x string) error { return seconds(x, &s.cluster.network.overhead) }},
	{"host", "1", "ranks on a host, which share its end of the network", "ranks on a host", func(s *settings, x string) error { return whole(x, 1, maxRanks, &s.cluster.host) }},
	{"host-gbit", "1200", "bandwidth of a rank's link to the others of its host in each direction, in Gbit/s", "Gbit/s in a host", func(s *settings, x string) error { return perByte(x, &s.cluster.within) }},
	{"host-latency", "2us", "latency within a host", "latency in a host", func(s *settings, x string) error { return seconds(x, &s.cluster.within.latency) }},
	{"host-overhead", "0s", "overhead within a host", "overhead in a host", func(s *settings, x string) error { return seconds(x, &s.cluster.within.overhead) }},
	{"cores", "0", "cores of a host, which its ranks share for messages within it, copies and additions; 0 if each has enough", "cores", func(s *settings, x string) error { return whole(x, 0, maxRanks, &s.cluster.cores) }},
	{"add", "0", "additions a second of a rank; 0 if they take no time", "additions a second", func(s *settings, x string) error { return each(x, 1, &s.cluster.perAdd) }},

	{"algorithm", "exchange", "how gradients are added up: exchange, ring or tree", "algorithm", func(s *settings, x string) error { return choice(x, algorithms, &s.plan.algorithm) }},
	{"hosts-first", "false", "add up within hosts before between them", "hosts first", func(s *settings, x string) error { return yes(x, &s.plan.hostsFirst) }},
	{"bytes", "4", "bytes of a value that travels: 4, or 2 for bfloat16", "bytes", setBytes},
	{"bucket", "0", "values that travel at a time; 0 for all", "bucket", func(s *settings, x string) error { return whole(x, 0, maxValues, &s.plan.bucket) }},
	{"copy", "0", "bandwidth between a rank's device and its host in each direction, in GB/s; 0 if gradients are on the host", "GB/s to the device", func(s *settings, x string) error { return each(x, 1e9, &s.plan.perCopied) }},
	{"overlap", "false", "copy a bucket while the one before travels", "overlap", func(s *settings, x string) error { return yes(x, &s.plan.overlap) }},

	{"network", "", "a published network, which says values and compute; or all", "network", func(s *settings, x string) error { s.network = x; return nil }},
	{"flops", "0", "operations a second of a rank, for the network's compute", "FLOP/s", func(s *settings, x string) error { return number(x, &s.flops) }},
	{"values", "0", "gradients", "values", func(s *settings, x string) error { return whole(x, 0, maxValues, &s.plan.values) }},
	{"compute", "0s", "how long a rank computes for one batch", "compute", func(s *settings, x string) error { return seconds(x, &s.work.compute) }},
	{"share-batch", "false", "ranks share one batch, so each computes for its part of it; else each has a batch", "one batch for all", func(s *settings, x string) error { return yes(x, &s.shareBatch) }},
	{"accumulate", "1", "batches a step", "batches a step", func(s *settings, x string) error { return whole(x, 1, 1<<20, &s.work.accumulate) }},
	{"local", "1", "steps of a round, each made with a rank's own gradients; then ranks average what they have", "local steps", func(s *settings, x string) error { return whole(x, 1, 1<<20, &s.work.local) }},
	{"averaged", "4", "values of each parameter that are averaged after local steps: the weight, two moments of the optimizer, and the average of weights", "values averaged", func(s *settings, x string) error { return whole(x, 1, 64, &s.averaged) }},
	{"jitter", "lognormal", "how the time of a batch varies: lognormal or exponential", "jitter", func(s *settings, x string) error { return choice(x, jitters, &s.work.jitter) }},
	{"spread", "0", "standard deviation of the time of a batch, as a share of -compute", "spread", func(s *settings, x string) error { return number(x, &s.work.spread) }},
	{"steps", "1", "steps that are simulated", "steps", func(s *settings, x string) error { return whole(x, 1, 1<<20, &s.steps) }},
	{"seed", "1", "seed of the random times of batches", "seed", func(s *settings, x string) (err error) { s.seed, err = strconv.ParseUint(x, 10, 64); return err }},
}

// maxValues bounds the values of a sum: a million million.
const maxValues = 1_000_000_000_000

// newSettings makes them of texts by the names of options; others have their defaults.
func newSettings(given map[string]string) (settings, error) {
	var s settings
	for _, o := range options {
		text, ok := given[o.name]
		if !ok {
			text = o.value
		}
		if err := o.set(&s, text); err != nil {
			return s, fmt.Errorf("-%s %q: %w", o.name, text, err)
		}
	}
	if err := s.effects(given); err != nil {
		return s, err
	}
	if err := s.sizes(); err != nil {
		return s, err
	}
	if s.work.local > 1 {
		s.plan.values *= s.averaged
	}
	if s.shareBatch {
		s.work.compute /= float64(s.cluster.ranks)
	}
	return s, errors.Join(s.cluster.check(), s.plan.check())
}

// effects finds what was given and changes nothing.
func (s settings) effects(given map[string]string) error {
	needs := func(has bool, need string, names ...string) error {
		for _, name := range names {
			if _, ok := given[name]; ok && !has {
				return fmt.Errorf("-%s has no effect without %s", name, need)
			}
		}
		return nil
	}
	return errors.Join(
		needs(s.cluster.host > 1, "-host, more than 1", "host-gbit", "host-latency", "host-overhead", "cores", "hosts-first"),
		needs(s.plan.perCopied > 0, "-copy", "overlap"),
		needs(s.plan.bucket > 0, "-bucket", "overlap"),
		needs(s.work.spread > 0, "-spread", "jitter", "seed"),
		needs(s.work.compute > 0 || s.flops > 0, "-compute or -flops", "spread", "accumulate", "share-batch"),
		needs(given["local"] != "", "-local", "averaged"),
		needs(s.network != "", "-network", "flops"),
		needs(s.network == "", "-values instead of -network", "values"),
		needs(s.flops == 0, "-values, or with -flops", "compute"),
	)
}

// sizes takes values and compute from a published network.
func (s *settings) sizes() error {
	if s.network == "" {
		if s.plan.values == 0 {
			return errors.New("no gradients: want -network or -values")
		}
		return nil
	}
	i := slices.IndexFunc(networks, func(n published) bool { return n.name == s.network })
	if i < 0 {
		return fmt.Errorf("-network %q, want one of %s", s.network, strings.Join(networkNames(), ", "))
	}
	s.plan.values = networks[i].values()
	if s.flops > 0 {
		s.work.compute = networks[i].flop() / s.flops
	}
	return nil
}

func networkNames() []string {
	var names []string
	for _, n := range networks {
		names = append(names, n.name)
	}
	return names
}

func (s settings) simulate() result { return simulate(s.cluster, s.plan, s.work, s.steps, s.seed) }

func whole(text string, least, most int, to *int) error {
	x, err := strconv.Atoi(text)
	if err != nil || x < least || x > most {
		return fmt.Errorf("want a whole number from %d to %d", least, most)
	}
	*to = x
	return nil
}

// number reads one of 0 or more.
func number(text string, to *float64) error {
	x, err := strconv.ParseFloat(text, 64)
	if err != nil || !(x >= 0 && x <= 1e30) {
		return errors.New("want a number of 0 or more")
	}
	*to = x
	return nil
}

// each reads how many fit into a second, in units, and puts down how long one takes: nothing if it is 0.
func each(text string, unit float64, to *float64) error {
	var x float64
	if err := number(text, &x); err != nil {
		return err
	}
	*to = 0
	if x > 0 {
		*to = 1 / (x * unit)
	}
	return nil
}

func perByte(text string, to *link) error {
	if err := each(text, 1e9/8, &to.perByte); err != nil || to.perByte == 0 {
		return errors.New("want a number above 0")
	}
	return nil
}

func seconds(text string, to *float64) error {
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return errors.New("want a time such as 5us, 20ms or 1.5s")
	}
	*to = d.Seconds()
	return nil
}

func setBytes(s *settings, text string) error {
	if text != "4" && text != "2" {
		return errors.New("want 4 or 2")
	}
	s.plan.width = float64(text[0] - '0')
	return nil
}

func yes(text string, to *bool) error {
	x, err := strconv.ParseBool(text)
	if err != nil {
		return errors.New("want true or false")
	}
	*to = x
	return nil
}

func choice[T any](text string, among map[string]T, to *string) error {
	if _, ok := among[text]; !ok {
		return fmt.Errorf("want one of %s", strings.Join(sortedNames(among), ", "))
	}
	*to = text
	return nil
}
