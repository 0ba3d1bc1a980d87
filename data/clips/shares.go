package clips

import (
	"crypto/sha256"
	"encoding/binary"
)

// Shares divides videos among the splits by a hash of their names, so that a video stays in its
// split when others come or go. Valid and Test are fractions of all; training has the rest.
type Shares struct{ Valid, Test float64 }

// Of depends on nothing but a video's name and the fractions.
func (s Shares) Of(name string) Split {
	switch u := place(name); {
	case u < s.Valid:
		return Valid
	case u < s.Valid+s.Test:
		return Test
	}
	return Train
}

// All divides the videos as [Shares.Of] says. If there are three videos or more, a split that should
// have some, but has none, gets a training video: the one whose place is the lowest.
func (s Shares) All(names []string) map[string]Split {
	splits, counts := map[string]Split{}, map[Split]int{}
	for _, name := range names {
		splits[name] = s.Of(name)
		counts[splits[name]]++
	}
	for _, wanted := range []struct {
		split    Split
		fraction float64
	}{{Valid, s.Valid}, {Test, s.Test}} {
		if wanted.fraction == 0 || counts[wanted.split] > 0 || counts[Train] < 2 || len(names) < 3 {
			continue
		}
		nearest := ""
		for _, name := range names {
			if splits[name] == Train && (nearest == "" || place(name) < place(nearest)) {
				nearest = name
			}
		}
		splits[nearest] = wanted.split
		counts[Train]--
	}
	return splits
}

// place is a number from 0 to 1 that depends on nothing but a video's name.
func place(name string) float64 {
	sum := sha256.Sum256([]byte(name))
	return float64(binary.BigEndian.Uint64(sum[:])) / (1 << 64)
}
