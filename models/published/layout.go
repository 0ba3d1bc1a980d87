package published

// Layout says how a published tensor is stored.
type Layout int

const (
	Same     Layout = iota // the same in both
	DenseOI                // published [out, in], here [in, out]
	ConvOIHW               // published [out, in, height, width], here [height, width, in, out]
)

// Shape is the published shape of a parameter that has shape d here.
func (l Layout) Shape(d []int) []int {
	switch l {
	case DenseOI:
		return []int{d[1], d[0]}
	case ConvOIHW:
		return []int{d[3], d[2], d[0], d[1]}
	}
	return d
}

// FromPublished reorders the published values of a parameter that has shape d here.
func (l Layout) FromPublished(values []float32, d []int) []float32 {
	return l.reorder(values, d, func(here, there int) (to, from int) { return here, there })
}

// ToPublished is the inverse of FromPublished.
func (l Layout) ToPublished(values []float32, d []int) []float32 {
	return l.reorder(values, d, func(here, there int) (to, from int) { return there, here })
}

// reorder reorders values. move gets a value's index here and in the published layout.
func (l Layout) reorder(values []float32, d []int, move func(here, there int) (to, from int)) []float32 {
	if l == Same {
		return values
	}
	taps, in, out := 1, d[len(d)-2], d[len(d)-1]
	if l == ConvOIHW {
		taps = d[0] * d[1]
	}
	moved := make([]float32, len(values))
	for o := range out {
		for i := range in {
			for tap := range taps {
				to, from := move((tap*in+i)*out+o, (o*in+i)*taps+tap)
				moved[to] = values[from]
			}
		}
	}
	return moved
}
