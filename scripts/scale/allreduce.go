package main

import "slices"

// algorithms add up values over members, ranks that begin at the times `at`. They put there when each
// has all sums. A piece has equally many values for each member, the last one is filled up with zeros.
var algorithms = map[string]func(t *traffic, members []int, values int, width float64, at []float64){
	"ring":     ring,
	"tree":     tree,
	"exchange": exchange,
}

// ring passes pieces around: each member adds its own to what it got and passes it on, until one member
// has the sum of each piece; then the sums go around.
func ring(t *traffic, members []int, values int, width float64, at []float64) {
	piece := pieceOf(values, len(members))
	t.pass(members, piece*width, piece*t.add, at)
	t.pass(members, piece*width, 0, at)
}

// exchange sends the k-th piece of each member to member k, which adds the pieces in the order of ranks
// when all are there, and sends the sums to all.
func exchange(t *traffic, members []int, values int, width float64, at []float64) {
	piece := pieceOf(values, len(members))
	t.spread(members, piece*width, at)
	for i := range at {
		at[i] += float64(len(members)-1) * piece * t.add
	}
	t.spread(members, piece*width, at)
}

// tree adds up all values in pairs, pairs of pairs and so on up to member 0, and gives the sums back on
// the same ways: a binomial tree. A member passes on nothing before it has everything.
func tree(t *traffic, members []int, values int, width float64, at []float64) {
	n, bytes := len(members), float64(values)*width
	step := 1
	for ; step < n; step *= 2 {
		for i := step; i < n; i += 2 * step {
			to := i - step
			left, arrived := t.send(members[i], members[to], bytes, max(at[i], at[to]))
			at[i], at[to] = left, arrived+float64(values)*t.add
		}
	}
	for step /= 2; step > 0; step /= 2 {
		for i := step; i < n; i += 2 * step {
			from := i - step
			at[from], at[i] = t.send(members[from], members[i], bytes, max(at[i], at[from]))
		}
	}
}

func pieceOf(values, members int) float64 { return float64((values + members - 1) / members) }

// pass sends a piece from each member to the next one, once fewer than there are members. A member goes
// on when its own piece has left, and the one that came is added.
func (t *traffic) pass(members []int, bytes, add float64, at []float64) {
	next := t.next[:len(members)]
	for range len(members) - 1 {
		clear(next)
		for i := range members {
			to := (i + 1) % len(members)
			left, arrived := t.send(members[i], members[to], bytes, max(at[i], at[to]))
			next[i], next[to] = max(next[i], left), max(next[to], arrived+add)
		}
		copy(at, next)
	}
}

// spread sends a piece from each member to every other one, first to the one behind it. A member is done
// when all its pieces have left and all others' have arrived. Of the messages that wait for a link, the
// one whose sender was ready first goes first.
func (t *traffic) spread(members []int, bytes float64, at []float64) {
	n := len(members)
	if n == 1 {
		return
	}
	done := t.next[:n]
	copy(done, at)
	sent := make([]int, n)
	for q := newQueue(at); len(q) > 0; {
		i := q[0].member
		sent[i]++
		to := (i + sent[i]) % n
		left, arrived := t.send(members[i], members[to], bytes, max(q[0].time, at[to]))
		done[i], done[to] = max(done[i], left), max(done[to], arrived)
		if sent[i] == n-1 {
			q.drop()
		} else {
			q.delay(left)
		}
	}
	copy(at, done)
}

// sum adds up values over all ranks, which begin at the times `at`, and puts there when each has the
// sums. Where all begin at once, it takes each rank as long as the last time.
func (t *traffic) sum(values int, at []float64) {
	begin := at[0]
	together := !slices.ContainsFunc(at, func(x float64) bool { return x != begin })
	if d, ok := t.known[values]; ok && together {
		for k := range at {
			at[k] = begin + d.seconds[k]
			t.sent[k] += d.sent[k]
		}
		return
	}
	before := slices.Clone(t.sent)
	if t.plan.hostsFirst {
		t.inHostsFirst(values, at)
	} else {
		algorithms[t.plan.algorithm](t, numbers(t.ranks), values, t.plan.width, at)
	}
	if together {
		d := durations{slices.Clone(at), slices.Clone(t.sent)}
		for k := range at {
			d.seconds[k] -= begin
			d.sent[k] -= before[k]
		}
		t.known[values] = d
	}
}

// inHostsFirst adds up within each host, so that each of its ranks has the sums of a piece, then between
// hosts, all pieces of a host in one message, and gives the sums to all ranks of a host. Within hosts it
// is a ring. What a host sends counts as sent by its first rank.
func (t *traffic) inHostsFirst(values int, at []float64) {
	how := t.plan
	var hosts [][]int
	for _, k := range numbers(t.ranks) {
		if k%t.host == 0 {
			hosts = append(hosts, nil)
		}
		hosts[len(hosts)-1] = append(hosts[len(hosts)-1], k)
	}
	leaders, begin := make([]int, len(hosts)), make([]float64, len(hosts))
	for h, ranks := range hosts {
		piece := pieceOf(values, len(ranks))
		own := at[ranks[0]:][:len(ranks)]
		t.pass(ranks, piece*how.width, piece*t.add, own)
		leaders[h], begin[h] = ranks[0], slices.Max(own)
	}
	algorithms[how.algorithm](t, leaders, values, how.width, begin)
	for h, ranks := range hosts {
		own := at[ranks[0]:][:len(ranks)]
		for i := range own {
			own[i] = begin[h]
		}
		t.pass(ranks, pieceOf(values, len(ranks))*how.width, 0, own)
	}
}

// numbers are those below n.
func numbers(n int) []int {
	x := make([]int, n)
	for i := range x {
		x[i] = i
	}
	return x
}
