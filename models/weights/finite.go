package weights

import (
	"encoding/binary"
	"fmt"
)

// NotFiniteError says that a tensor has values that are infinite or no numbers.
type NotFiniteError struct {
	Count, Of int // how many of how many values
}

func (e NotFiniteError) Error() string {
	return fmt.Sprintf("%d of %d values are not finite", e.Count, e.Of)
}

// NotFinite counts the infinities and NaNs among little-endian elements. Integers have none.
func NotFinite(data []byte, dtype DType) (n int) {
	le := binary.LittleEndian
	switch dtype {
	case F64:
		for ; len(data) >= 8; data = data[8:] {
			if le.Uint64(data)>>52&0x7ff == 0x7ff {
				n++
			}
		}
	case F32:
		for ; len(data) >= 4; data = data[4:] {
			if le.Uint32(data)>>23&0xff == 0xff {
				n++
			}
		}
	case F16:
		n = notFinite16(data, 0x7c00)
	case BF16:
		n = notFinite16(data, 0x7f80)
	}
	return n
}

// notFinite16 counts elements of 16 bits in which all bits of the exponent are set.
func notFinite16(data []byte, exponent uint16) (n int) {
	for ; len(data) >= 2; data = data[2:] {
		if binary.LittleEndian.Uint16(data)&exponent == exponent {
			n++
		}
	}
	return n
}
