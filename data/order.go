package data

import (
	"math/bits"
	"math/rand/v2"
)

// permutation puts 0 to n-1 in an order that looks random and depends only on key. It needs no
// memory. A Feistel network permutes the numbers of the next even number of bits; a result outside
// of 0 to n-1 is permuted again until it is inside (cycle walking; Black and Rogaway 2002). Fewer
// than 4n numbers are permuted, so this takes under 4 rounds on average.
type permutation struct {
	n    uint64
	half int // bits of each half
	key  uint64
}

func newPermutation(n int, key uint64) permutation {
	return permutation{uint64(n), max(1, (bits.Len64(uint64(n)-1)+1)/2), key}
}

// at is where i goes, 0 <= i < n.
func (p permutation) at(i int) int {
	x := uint64(i)
	for {
		if x = p.feistel(x); x < p.n {
			return int(x)
		}
	}
}

// feistel is a bijection of the numbers below 4^half: each round is undone by itself with the
// halves swapped.
func (p permutation) feistel(x uint64) uint64 {
	mask := uint64(1)<<p.half - 1
	left, right := x>>p.half, x&mask
	for round := range uint64(6) {
		left, right = right, left^(hash(p.key, round, right)&mask)
	}
	return left<<p.half | right
}

// hash mixes numbers into one (the finalizer of SplitMix64, Steele et al. 2014, over a chain).
func hash(words ...uint64) uint64 {
	h := uint64(0x9e3779b97f4a7c15)
	for _, w := range words {
		h = (h ^ w) + 0x9e3779b97f4a7c15
		h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
		h = (h ^ h>>27) * 0x94d049bb133111eb
		h ^= h >> 31
	}
	return h
}

// The purposes that random numbers are drawn for, so that equal seeds give unrelated numbers.
const (
	forOrder uint64 = iota + 1
	forClip
	forFixedOrder
	forFixedClip
	forReplacement
	forReplacedClip
	forAugmentation
	forTimes
)

// source is a generator that depends on words only.
func source(words ...uint64) *rand.Rand {
	return rand.New(rand.NewPCG(hash(words...), hash(append(words, 1)...)))
}
