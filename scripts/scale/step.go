package main

import (
	"math/rand/v2"
	"slices"
)

// work is what a rank computes between two sums.
type work struct {
	compute    float64 // seconds for one batch
	jitter     string
	spread     float64 // standard deviation of the jitter, as a share of compute
	accumulate int     // batches a step
	local      int     // steps from one sum to the next
}

// seconds draws how long one rank computes until the next sum.
func (w work) seconds(rng *rand.Rand) float64 {
	batches := w.accumulate * w.local
	if w.spread == 0 {
		return float64(batches) * w.compute
	}
	var sum float64
	for range batches {
		sum += w.compute * jitters[w.jitter](rng, w.spread)
	}
	return sum
}

// A result has means over steps. Its times add up to the seconds of a step, from the last rank that ends
// a step to the last that ends the next one.
type result struct {
	seconds       float64
	computing     float64 // the mean rank
	waiting       float64 // for the slowest rank
	communicating float64 // from when the slowest rank has its gradients until all have the sums
	sent          float64 // bytes, by the rank that sends most
}

// efficiency is the share of the time that the mean rank computes. So it is also how many times as many
// clips a second all ranks together train as one alone, divided by their number.
func (r result) efficiency() float64 { return r.computing / r.seconds }

// simulate makes as many steps, or a few more so that the last one ends with a sum. Each rank begins a
// step when it has ended the one before, and need not wait for others to.
func simulate(c cluster, how plan, w work, steps int, seed uint64) result {
	t := newTraffic(c, how)
	rng := rand.New(rand.NewPCG(seed, 0))
	at := make([]float64, c.ranks)
	var r result
	var end float64
	sums := (steps + w.local - 1) / w.local
	for range sums {
		var mean float64
		for k := range at {
			x := w.seconds(rng)
			at[k] += x
			mean += x / float64(c.ranks)
		}
		slowest := slices.Max(at)
		t.gradients(at)
		r.computing += mean
		r.waiting += slowest - end - mean
		end = slices.Max(at)
		r.communicating += end - slowest
	}
	n := float64(sums * w.local)
	return result{end / n, r.computing / n, r.waiting / n, r.communicating / n, slices.Max(t.sent) / n}
}

// onDevice is how many bytes a gradient has when it is copied from a device: float32, whatever travels.
const onDevice = 4

// gradients copies all gradients from the devices, adds them up over ranks, a bucket after the other, and
// copies the sums back. A rank sends a bucket when it has the sums of the one before. One rank alone has
// nothing to do.
func (t *traffic) gradients(at []float64) {
	if t.ranks == 1 {
		return
	}
	perValue := onDevice * t.plan.perCopied * t.shared()
	from, to := slices.Clone(at), slices.Clone(at) // until when a rank copies from its device, and to it
	if !t.plan.overlap {
		for k := range at {
			at[k] += float64(t.plan.values) * perValue
		}
	}
	for _, n := range t.plan.buckets() {
		copying := float64(n) * perValue
		if t.plan.overlap {
			for k := range at {
				from[k] += copying
				at[k] = max(at[k], from[k])
			}
		}
		t.sum(n, at)
		for k := range at {
			to[k] = max(to[k], at[k]) + copying
		}
	}
	if t.plan.overlap {
		copy(at, to)
		return
	}
	for k := range at {
		at[k] += float64(t.plan.values) * perValue
	}
}

// buckets are how many values each bucket has. Where values are too few for the last one, it has fewer.
func (p plan) buckets() []int {
	size := p.bucket
	if size == 0 {
		size = p.values
	}
	var sizes []int
	for left := p.values; left > 0; left -= size {
		sizes = append(sizes, min(size, left))
	}
	return sizes
}
