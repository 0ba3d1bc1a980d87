package main

import "fmt"

// A link is what a message passes. It arrives latency + overhead + bytes perByte after it began, and
// keeps both of its ends busy for all of that but the latency (LogGP: Alexandrov et al. 1995). Both
// directions of a link are used at once.
type link struct {
	latency  float64 // seconds; other messages may follow meanwhile
	overhead float64 // seconds
	perByte  float64 // seconds
}

// slower is the link where everything takes so many times as long.
func (l link) slower(times float64) link {
	return link{l.latency * times, l.overhead * times, l.perByte * times}
}

// A cluster has ranks on hosts. Ranks of one host reach each other by links of their own; what goes to
// another host passes its host's end of the network, which all ranks of a host share.
type cluster struct {
	ranks   int
	host    int     // ranks on a host; the last host may have fewer
	within  link    // between ranks of a host
	network link    // between hosts
	perAdd  float64 // seconds to add a value
	cores   int     // of a host; 0 if each rank has enough of its own
}

// shared says how many times as long it takes what processors do, because ranks share cores: messages
// within a host, copies and additions.
func (c cluster) shared() float64 {
	if c.cores == 0 {
		return 1
	}
	return max(1, float64(min(c.host, c.ranks))/float64(c.cores))
}

func (c cluster) check() error {
	switch {
	case c.ranks < 1 || c.ranks > maxRanks:
		return fmt.Errorf("ranks: %d, want 1 to %d", c.ranks, maxRanks)
	case c.host < 1:
		return fmt.Errorf("host: %d ranks, want 1 or more", c.host)
	}
	return nil
}

// A plan says how gradients are added up.
type plan struct {
	algorithm  string
	hostsFirst bool    // within hosts before between them
	values     int     // gradients
	width      float64 // bytes of a value that travels
	bucket     int     // values that travel at a time; 0 for all
	perCopied  float64 // seconds to copy a byte between device and host
	overlap    bool    // copy one bucket while another travels
}

// maxBuckets bounds what one step takes to simulate.
const maxBuckets = 1 << 20

func (p plan) check() error {
	if p.bucket > 0 && (p.values-1)/p.bucket >= maxBuckets {
		return fmt.Errorf("%d values in buckets of %d: want at most %d buckets", p.values, p.bucket, maxBuckets)
	}
	return nil
}

// maxRanks bounds the messages of one sum, of which an exchange has twice the square of the ranks.
const maxRanks = 4096

// traffic is who is busy until when, in seconds from the beginning. Messages are given to it in the
// order in which links carry them.
type traffic struct {
	cluster
	plan            plan
	hostOf          []int
	out, in         []float64 // of a rank's link within its host, by rank
	hostOut, hostIn []float64 // of a host's link, by host
	sent            []float64 // bytes, by rank
	add             float64   // seconds to add a value, on shared cores
	known           map[int]durations
	next            []float64 // memory of pass and spread
}

// durations are what a sum of so many values takes each rank, where all begin at once.
type durations struct{ seconds, sent []float64 }

func newTraffic(c cluster, how plan) *traffic {
	hosts := (c.ranks + c.host - 1) / c.host
	t := &traffic{
		cluster: c, plan: how, hostOf: make([]int, c.ranks),
		out: make([]float64, c.ranks), in: make([]float64, c.ranks), sent: make([]float64, c.ranks),
		hostOut: make([]float64, hosts), hostIn: make([]float64, hosts),
		add: c.perAdd * c.shared(), known: map[int]durations{},
		next: make([]float64, c.ranks),
	}
	t.within = c.within.slower(c.shared())
	for k := range t.hostOf {
		t.hostOf[k] = k / c.host
	}
	return t
}

// send carries a message that may begin when its two ranks are ready, once both ends of its link are
// free. It returns when it has left the one, and arrived at the other.
func (t *traffic) send(from, to int, bytes, ready float64) (left, arrived float64) {
	t.sent[from] += bytes
	a, b := t.hostOf[from], t.hostOf[to]
	if a == b {
		return t.within.carry(&t.out[from], &t.in[to], bytes, ready)
	}
	return t.network.carry(&t.hostOut[a], &t.hostIn[b], bytes, ready)
}

// carry moves the times until when the ends of a link are busy.
func (l *link) carry(out, in *float64, bytes, ready float64) (left, arrived float64) {
	begin := max(ready, *out, *in-l.latency)
	*out = begin + l.overhead + bytes*l.perByte
	*in = *out + l.latency
	return *out, *in
}
