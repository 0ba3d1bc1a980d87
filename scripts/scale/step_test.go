package main

import (
	"math"
	"math/rand/v2"
	"testing"
)

// steady is work without jitter.
var steady = work{compute: 0.25, jitter: "lognormal", accumulate: 1, local: 1}

// Without jitter nobody waits for the slowest, and a step is its computation and a sum.
func TestStepsWithoutJitter(t *testing.T) {
	for _, algorithm := range sortedNames(algorithms) {
		for _, ranks := range []int{1, 2, 7, 32} {
			how := plan{algorithm: algorithm, values: 224_000, width: 4}
			sum, sent := took(flat(ranks), how)
			if ranks == 1 {
				how.perCopied = 1 // which one rank needn't
			}
			got := simulate(flat(ranks), how, steady, 1, 1)
			if !near(got.seconds, 0.25+sum) || !near(got.communicating+0.25, got.seconds) || !near(got.computing, 0.25) || !(math.Abs(got.waiting) < 1e-12) || got.sent < sent[0] {
				t.Errorf("%s, %d ranks: %+v, want %g s of communication", algorithm, ranks, got, sum)
			}
			if got := simulate(flat(ranks), how, steady, 7, 1); !(math.Abs(got.waiting) < 1e-12) {
				t.Errorf("%s, %d ranks, 7 steps: waiting %g, want none", algorithm, ranks, got.waiting)
			}
			if ranks == 1 && got.efficiency() != 1 {
				t.Errorf("one rank: efficiency %g, want 1", got.efficiency())
			}
		}
	}
}

// The times of a step add up to it.
func TestTimesAddUp(t *testing.T) {
	w := work{compute: 0.1, jitter: "exponential", spread: 0.5, accumulate: 2, local: 3}
	for _, algorithm := range sortedNames(algorithms) {
		r := simulate(flat(9), plan{algorithm: algorithm, values: 1 << 20, width: 4, bucket: 1 << 18, perCopied: 1e-10, overlap: true}, w, 20, 5)
		if !near(r.computing+r.waiting+r.communicating, r.seconds) || !(r.communicating > 0) || !(r.waiting > 0) {
			t.Errorf("%s: %+v does not add up", algorithm, r)
		}
	}
}

// free is a plan whose messages take no time.
var free = plan{algorithm: "tree", values: 1, width: 4}

// The largest of P exponential delays has the mean 1 + 1/2 + ... + 1/P.
func TestTheSlowestOfExponentialDelays(t *testing.T) {
	for _, ranks := range []int{1, 2, 16, 100} {
		var harmonic float64
		for k := range ranks {
			harmonic += 1 / float64(k+1)
		}
		w := steady
		w.jitter, w.spread = "exponential", 0.2
		r := simulate(cluster{ranks: ranks, host: 1}, free, w, 4000, 11)
		// The standard deviation of the largest is below 1.29 of a delay's, so that of the mean below 0.0204.
		want := 0.25 * 0.2 * (harmonic - 1)
		if !(math.Abs(r.waiting-want) <= 0.25*0.2*5*0.0204) || !(math.Abs(r.computing-0.25*1.2) <= 0.25*0.2*5*0.016) {
			t.Errorf("%d ranks: waiting %g s and computing %g, want %g and %g", ranks, r.waiting, r.computing, want, 0.25*1.2)
		}
	}
}

func TestJittersHaveTheirMoments(t *testing.T) {
	means := map[string]float64{"exponential": 1.3, "lognormal": 1}
	for _, name := range sortedNames(jitters) {
		rng := rand.New(rand.NewPCG(1, 1))
		var sum, squares float64
		const n = 200_000
		for range n {
			x := jitters[name](rng, 0.3)
			if !(x > 0) {
				t.Fatalf("%s: %g times as long", name, x)
			}
			sum += x
			squares += x * x
		}
		mean := sum / n
		deviation := math.Sqrt(squares/n - mean*mean)
		if !(math.Abs(mean-means[name]) <= 0.004) || !(math.Abs(deviation-0.3) <= 0.006) {
			t.Errorf("%s: mean %g and standard deviation %g, want %g and 0.3", name, mean, deviation, means[name])
		}
	}
}

// The same seed gives the same steps, another one others.
func TestTheSeedMakesTheJitter(t *testing.T) {
	w := steady
	w.spread = 0.1
	how := plan{algorithm: "ring", values: 1 << 16, width: 4}
	a, b, c := simulate(flat(8), how, w, 10, 1), simulate(flat(8), how, w, 10, 1), simulate(flat(8), how, w, 10, 2)
	if a != b || a == c {
		t.Errorf("%+v, %+v and with another seed %+v", a, b, c)
	}
}

// Accumulating batches divides the share of communication, local steps divide communication itself.
func TestAccumulationAndLocalSteps(t *testing.T) {
	how := plan{algorithm: "exchange", values: 1 << 20, width: 4}
	once := simulate(flat(8), how, steady, 1, 1)
	for _, n := range []int{2, 8, 64} {
		w := steady
		w.accumulate = n
		many := simulate(flat(8), how, w, 1, 1)
		if !near(many.seconds, float64(n)*0.25+once.communicating) || many.sent != once.sent {
			t.Errorf("%d batches: %+v, one: %+v", n, many, once)
		}
		w = steady
		w.local = n
		local := simulate(flat(8), how, w, 2*n-1, 1)
		if !near(local.communicating, once.communicating/float64(n)) || !near(local.sent, once.sent/float64(n)) || !near(local.computing, 0.25) {
			t.Errorf("%d local steps: %+v, one: %+v", n, local, once)
		}
	}
}

// Where ranks meet less often, delays of several steps even out.
func TestLocalStepsEvenOutDelays(t *testing.T) {
	w := steady
	w.spread = 0.3
	often := simulate(flat(32), free, w, 640, 3)
	w.local = 16
	rarely := simulate(flat(32), free, w, 640, 3)
	if !(rarely.waiting < often.waiting/3 && rarely.waiting > often.waiting/5) {
		t.Errorf("waiting %g s a step with 16 local steps, want about a quarter of %g", rarely.waiting, often.waiting)
	}
}

// Buckets travel one after the other. With overlap the next one is copied meanwhile, so that a step has
// the longer of both for all buckets but one.
func TestBucketsAndOverlap(t *testing.T) {
	const buckets, size = 5, 8 << 10
	for _, perCopied := range []float64{1e-11, 1e-8} { // much faster than the network, and slower
		for _, algorithm := range []string{"ring", "exchange"} {
			how := plan{algorithm: algorithm, values: buckets * size, width: 2, bucket: size, perCopied: perCopied}
			one, _ := took(flat(8), plan{algorithm: algorithm, values: size, width: 2})
			copying := 4 * size * perCopied
			if got := simulate(flat(8), how, steady, 1, 1).communicating; !near(got, buckets*(one+2*copying)) {
				t.Errorf("%s: %g s, want %d buckets of %g s and two copies of %g", algorithm, got, buckets, one, copying)
			}
			how.overlap = true
			if got, want := simulate(flat(8), how, steady, 1, 1).communicating, one+2*copying+(buckets-1)*math.Max(one, copying); !near(got, want) {
				t.Errorf("%s, overlap: %g s, want %g", algorithm, got, want)
			}
		}
	}
}

func TestTheLastBucketIsSmaller(t *testing.T) {
	for _, c := range []struct {
		values, bucket int
		want           []int
	}{{10, 0, []int{10}}, {10, 4, []int{4, 4, 2}}, {8, 4, []int{4, 4}}, {3, 4, []int{3}}} {
		got := plan{values: c.values, bucket: c.bucket}.buckets()
		if len(got) != len(c.want) || got[0] != c.want[0] || got[len(got)-1] != c.want[len(c.want)-1] {
			t.Errorf("%d values in buckets of %d: %v, want %v", c.values, c.bucket, got, c.want)
		}
	}
}
