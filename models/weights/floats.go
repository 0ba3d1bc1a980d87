package weights

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Float32s returns the elements of a floating-point tensor, row-major. F32, F16 and BF16 are exact;
// F64 is rounded to the nearest float32. Other types are an error.
func (f *File) Float32s(name string) ([]float32, error) { return floats[float32](f, name) }

// Float64s returns the elements of a floating-point tensor, row-major, exactly. Other types are an
// error.
func (f *File) Float64s(name string) ([]float64, error) { return floats[float64](f, name) }

// floats reads through a small buffer, so that a tensor's bytes and its numbers are never both in
// memory.
func floats[T float32 | float64](f *File, name string) ([]T, error) {
	t, err := f.find(name)
	if err != nil {
		return nil, err
	}
	switch t.DType {
	case F64, F32, F16, BF16:
	default:
		return nil, fmt.Errorf("%s: tensor %q: got %s, want F64, F32, F16 or BF16", f.path, name, t.DType)
	}
	width := widths[t.DType]
	out := make([]T, (t.end-t.start)/int64(width))
	rest := out
	err = f.stream(t, make([]byte, min(bufferSize, t.end-t.start)), func(chunk []byte) {
		n := len(chunk) / width
		Decode(rest[:n], chunk, t.DType)
		rest = rest[n:]
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Decode turns as many little-endian elements of F64, F32, F16 or BF16 as dst has into numbers.
func Decode[T float32 | float64](dst []T, src []byte, dtype DType) {
	le := binary.LittleEndian
	switch dtype {
	case F64:
		for i := range dst {
			dst[i] = T(math.Float64frombits(le.Uint64(src[8*i:])))
		}
	case F32:
		for i := range dst {
			dst[i] = T(math.Float32frombits(le.Uint32(src[4*i:])))
		}
	case F16:
		for i := range dst {
			dst[i] = T(fromHalf(le.Uint16(src[2*i:])))
		}
	case BF16:
		for i := range dst {
			dst[i] = T(math.Float32frombits(uint32(le.Uint16(src[2*i:])) << 16))
		}
	}
}

// fromHalf converts IEEE 754 binary16: a sign, 5 bits of exponent with bias 15, 10 bits of
// fraction.
func fromHalf(bits uint16) float32 {
	sign, exponent, fraction := uint32(bits>>15)<<31, uint32(bits>>10)&0x1f, uint32(bits)&0x3ff
	switch exponent {
	case 0: // subnormal: a multiple of 2^-24, which is a normal float32
		return math.Float32frombits(sign | math.Float32bits(float32(fraction)*0x1p-24))
	case 0x1f: // infinity or NaN
		return math.Float32frombits(sign | 0xff<<23 | fraction<<13)
	default:
		return math.Float32frombits(sign | (exponent+127-15)<<23 | fraction<<13)
	}
}
