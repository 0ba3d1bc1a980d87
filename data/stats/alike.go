package stats

import (
	"math/bits"

	"mcvd/data/clips"
)

// look is what some frames of a video look like.
type look struct {
	name   string
	frames [perVideo]picture
}

// picture is a small frame, and its hash.
type picture struct {
	hash uint64
	pix  [lookHeight * lookWidth]uint8
}

const (
	lookHeight, lookWidth = 8, 9
	mostBits              = 6 // of 64 by which the hashes of frames that look alike differ
	mostLevels            = 4 // of 256 by which their pixels differ in the mean
)

// pictureOf shrinks a frame in grey to 9x8, by the mean of each area, and takes the difference hash: a
// bit for each pixel and its right neighbour, which says whether it grows brighter. Scaling, coding
// and brightness change few of the bits.
func pictureOf(c clips.Clip) picture {
	var l picture
	for y := range lookHeight {
		for x := range lookWidth {
			l.pix[y*lookWidth+x] = mean(c, y*c.Height/lookHeight, (y+1)*c.Height/lookHeight, x*c.Width/lookWidth, (x+1)*c.Width/lookWidth)
		}
	}
	for y := range lookHeight {
		for x := range lookWidth - 1 {
			l.hash <<= 1
			if l.pix[y*lookWidth+x] < l.pix[y*lookWidth+x+1] {
				l.hash |= 1
			}
		}
	}
	return l
}

// mean is the brightness of an area, at least one pixel.
func mean(c clips.Clip, top, bottom, left, right int) uint8 {
	bottom, right = max(bottom, top+1), max(right, left+1)
	sum, n := 0, 0
	for y := top; y < bottom; y++ {
		for _, v := range c.Pix[(y*c.Width+left)*c.Channels : (y*c.Width+right)*c.Channels] {
			sum += int(v)
			n++
		}
	}
	return uint8(sum / n)
}

// alike says whether two videos look alike in all frames that were kept.
func (l *look) alike(other *look) bool {
	for i := range l.frames {
		if !l.frames[i].alike(&other.frames[i]) {
			return false
		}
	}
	return true
}

// alike says whether two frames look alike. The hash finds candidates; in frames that are mostly
// black it says little, so the pixels must agree, too.
func (l *picture) alike(other *picture) bool {
	if bits.OnesCount64(l.hash^other.hash) > mostBits {
		return false
	}
	sum := 0
	for i, v := range l.pix {
		sum += max(int(v)-int(other.pix[i]), int(other.pix[i])-int(v))
	}
	return sum <= mostLevels*len(l.pix)
}

// Alike are two videos that look alike in a few frames, evenly spread over each.
type Alike struct {
	A      string      `json:"a"`
	SplitA clips.Split `json:"split_a"`
	B      string      `json:"b"`
	SplitB clips.Split `json:"split_b"`
}

// Duplicates are pairs of sampled videos that look alike, within a split and between
// splits, those between first, at most that many. count is how many there are between splits and
// within them.
func Duplicates(splits []Split, most int) (pairs []Alike, between, within int) {
	var inside []Alike
	for i, a := range splits {
		for j := range i + 1 {
			b := splits[j]
			for k := range a.looks {
				x, others := &a.looks[k], b.looks
				if i == j {
					others = b.looks[:k]
				}
				for m := range others {
					y := &others[m]
					if !x.alike(y) {
						continue
					}
					pair := Alike{A: y.name, SplitA: b.Name, B: x.name, SplitB: a.Name}
					if i == j {
						if within++; len(inside) < most {
							inside = append(inside, pair)
						}
					} else if between++; len(pairs) < most {
						pairs = append(pairs, pair)
					}
				}
			}
		}
	}
	return append(pairs, inside[:min(len(inside), most-len(pairs))]...), between, within
}
