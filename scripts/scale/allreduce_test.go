package main

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// near fails for NaN.
func near(got, want float64) bool { return math.Abs(got-want) <= 1e-9*math.Abs(want) }

// flat is a cluster with a rank on each host, and numbers that no two terms have in common.
func flat(ranks int) cluster {
	return cluster{ranks: ranks, host: 1, network: link{latency: 3e-5, overhead: 7e-6, perByte: 1.1e-9}, perAdd: 1.3e-10}
}

// took is how long a sum takes ranks that begin at once, and what each of them sends.
func took(c cluster, how plan) (seconds float64, sent []float64) {
	t := newTraffic(c, how)
	at := make([]float64, c.ranks)
	t.sum(how.values, at)
	return slices.Max(at), t.sent
}

func TestAlgorithmsTakeTheTimeOfTheirFormulas(t *testing.T) {
	const n, width = 960_960, 4 // divisible by all numbers of ranks here
	for _, ranks := range []int{1, 2, 3, 4, 8, 13, 16, 64} {
		c := flat(ranks)
		p, log := float64(ranks), math.Ceil(math.Log2(float64(ranks)))
		alpha, o, beta, gamma := c.network.latency, c.network.overhead, width*c.network.perByte, c.perAdd
		for _, want := range []struct {
			algorithm     string
			seconds, sent float64
		}{
			{"ring", 2*(p-1)*(alpha+o) + (p-1)/p*n*(2*beta+gamma), 2 * (p - 1) / p * n * width},
			{"exchange", 2*alpha + 2*(p-1)*o + (p-1)/p*n*(2*beta+gamma), 2 * (p - 1) / p * n * width},
			{"tree", log * (2*(alpha+o+n*beta) + n*gamma), log * n * width},
		} {
			if ranks == 1 {
				want.seconds, want.sent = 0, 0
			}
			if want.algorithm == "tree" && ranks&(ranks-1) != 0 {
				continue // not all ways are equally long
			}
			got, sent := took(c, plan{algorithm: want.algorithm, values: n, width: width})
			if !near(got, want.seconds) || !near(slices.Max(sent), want.sent) {
				t.Errorf("%s, %d ranks: %g s and %g bytes, want %g and %g", want.algorithm, ranks, got, slices.Max(sent), want.seconds, want.sent)
			}
		}
	}
}

// A tree of ranks that are no power of two takes longer than the power below and at most as long as that
// above. All but the first send their values once on the way up.
func TestATreeOfAnyNumberOfRanks(t *testing.T) {
	how := plan{algorithm: "tree", values: 1000, width: 4}
	for ranks := 3; ranks < 70; ranks++ {
		log := int(math.Ceil(math.Log2(float64(ranks))))
		below, _ := took(flat(1<<log/2), how)
		above, _ := took(flat(1<<log), how)
		got, sent := took(flat(ranks), how)
		var all float64
		for _, x := range sent {
			all += x
		}
		if !(got > below && got <= above*(1+1e-12)) || all != float64(2*(ranks-1)*4000) {
			t.Errorf("%d ranks: %g s and %g bytes, want %g to %g s and %d bytes", ranks, got, all, below, above, 2*(ranks-1)*4000)
		}
	}
}

// Pieces are equally long, so the last ones may be filled up.
func TestPiecesAreFilledUp(t *testing.T) {
	for _, algorithm := range []string{"ring", "exchange"} {
		a, _ := took(flat(8), plan{algorithm: algorithm, values: 793, width: 4})
		b, _ := took(flat(8), plan{algorithm: algorithm, values: 800, width: 4})
		if a != b {
			t.Errorf("%s: 793 values take %g s, 800 %g, want the same", algorithm, a, b)
		}
	}
}

// Within hosts first: a ring for the parts of 4 ranks, then hosts with all that is on one, then back.
func TestHostsFirst(t *testing.T) {
	const n, width = 960_960, 2
	c := flat(24)
	c.host, c.within = 4, link{latency: 2e-6, overhead: 3e-7, perByte: 1e-11}
	inside := 2*3*(c.within.latency+c.within.overhead) + 3.0/4*n*(2*width*c.within.perByte+c.perAdd)
	for _, algorithm := range sortedNames(algorithms) {
		how := plan{algorithm: algorithm, values: n, width: width}
		outside, _ := took(flat(6), how)
		how.hostsFirst = true
		if got, _ := took(c, how); !near(got, inside+outside) {
			t.Errorf("%s: %g s, want %g within hosts and %g between them", algorithm, got, inside, outside)
		}
	}
}

// Ranks of a host share its end of the network. In an exchange it carries what each of them sends to all
// ranks of other hosts; in a ring only what passes from one host to the next.
func TestRanksOfAHostShareItsNetwork(t *testing.T) {
	const n, width, ranks, host = 960_960, 4, 32, 4
	c := cluster{ranks: ranks, host: host, network: link{perByte: 1e-9}, within: link{perByte: 1e-15}}
	for algorithm, pieces := range map[string]float64{"exchange": 2 * host * (ranks - host), "ring": 2 * (ranks - 1)} {
		least := pieces * n / ranks * width * c.network.perByte
		got, _ := took(c, plan{algorithm: algorithm, values: n, width: width})
		if !(got >= least*(1-1e-9) && got <= least*1.15) {
			t.Errorf("%s: %g s, want at least %g, and not much more", algorithm, got, least)
		}
	}
}

// Ranks that share cores take turns, within a host.
func TestSharedCores(t *testing.T) {
	own := cluster{ranks: 8, host: 8, within: link{latency: 1e-6, overhead: 1e-7, perByte: 1e-10}, perAdd: 1e-10}
	few := own
	few.cores = 2
	how := plan{algorithm: "exchange", values: 8000, width: 4}
	a, _ := took(own, how)
	if b, _ := took(few, how); !near(b, 4*a) {
		t.Errorf("8 ranks on 2 cores: %g s, want 4 times %g", b, a)
	}
	few.cores = 100
	if b, _ := took(few, how); b != a {
		t.Errorf("8 ranks on 100 cores: %g s, want %g", b, a)
	}
}

// If one rank is late, all end as much later; with a tree they may end earlier, because others have added
// up theirs before, but not before the late rank's values went up and the sums came down.
func TestALateRankDelaysAll(t *testing.T) {
	const late = 0.5
	for _, algorithm := range sortedNames(algorithms) {
		for k := range 8 {
			how := plan{algorithm: algorithm, values: 8000, width: 4}
			most, _ := took(flat(8), how)
			least := most
			if algorithm == "tree" {
				least = most * 4 / 6
			}
			at := make([]float64, 8)
			at[k] = late
			newTraffic(flat(8), how).sum(how.values, at)
			got := slices.Max(at) - late
			if !(got >= least*(1-1e-9) && got <= most*(1+1e-9)) {
				t.Errorf("%s, rank %d late: %g s after it, want %g to %g", algorithm, k, got, least, most)
			}
		}
	}
}

// A link carries one message at a time, each when it is ready or later.
func TestALinkCarriesOneMessageAtATime(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	l := link{latency: 0.3, overhead: 0.2, perByte: 0.01}
	var out, in [3]float64
	var outEnds, inEnds [3]float64
	for range 2000 {
		a, b := rng.IntN(3), rng.IntN(3)
		bytes, ready := float64(rng.IntN(50)), rng.Float64()*1000
		left, arrived := l.carry(&out[a], &in[b], bytes, ready)
		busy := l.overhead + bytes*l.perByte
		if !(left-busy >= ready-1e-9 && left-busy >= outEnds[a]-1e-9 && arrived-busy >= inEnds[b]-1e-9 && math.Abs(arrived-left-l.latency) <= 1e-9) {
			t.Fatalf("%g bytes, ready at %g: left %g, arrived %g, but the ends were busy until %g and %g", bytes, ready, left, arrived, outEnds[a], inEnds[b])
		}
		outEnds[a], inEnds[b] = left, arrived
	}
}

// What is known of a sum, because all ranks began at once before, is what simulating it again gives.
func TestKnownSumsAreThoseSimulated(t *testing.T) {
	for _, algorithm := range sortedNames(algorithms) {
		for _, hostsFirst := range []bool{false, true} {
			c := flat(12)
			c.host, c.within = 3, link{latency: 1e-6, perByte: 1e-10}
			how := plan{algorithm: algorithm, hostsFirst: hostsFirst, values: 1200, width: 4}
			knows, forgets := newTraffic(c, how), newTraffic(c, how)
			for i := range 5 {
				at := make([]float64, c.ranks)
				for k := range at {
					at[k] = float64(i)
				}
				want := slices.Clone(at)
				knows.sum(1200, at)
				clear(forgets.known)
				forgets.sum(1200, want)
				for k := range at {
					if !near(at[k], want[k]) || !near(knows.sent[k], forgets.sent[k]) {
						t.Fatalf("%s, hosts first %v, sum %d, rank %d: %g s and %g bytes, want %g and %g", algorithm, hostsFirst, i, k, at[k], knows.sent[k], want[k], forgets.sent[k])
					}
				}
			}
		}
	}
}

func TestTheQueueIsInOrder(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		n := 1 + rng.IntN(40)
		at := make([]float64, n)
		for i := range at {
			at[i] = float64(rng.IntN(10))
		}
		q := newQueue(at)
		left, last := 0, entry{-1, 0}
		for len(q) > 0 {
			if !last.before(q[0]) {
				t.Fatalf("%v after %v", q[0], last)
			}
			last = q[0]
			if rng.IntN(2) == 0 {
				q.delay(last.time + float64(1+rng.IntN(5)))
				continue
			}
			q.drop()
			left++
		}
		if left != n {
			t.Fatalf("%d members left, want %d", left, n)
		}
	}
}

func BenchmarkExchangeOf1024Ranks(b *testing.B) {
	for b.Loop() {
		took(flat(1024), plan{algorithm: "exchange", values: 1 << 20, width: 4})
	}
}
