// Package weights keeps named tensors on disk as safetensors files: a JSON header, then the
// tensors' bytes.
//
// [Write] and [Open] hold one tensor in memory at a time, never a whole file. Files written here
// carry a CRC-32C of the header and of each tensor in the header's metadata, which reading
// verifies; other programs read them as ordinary safetensors files. Files of other programs,
// without checksums, are read as they are.
package weights

import (
	"fmt"
	"math"
)

// Tensor says what a tensor is, without its values. A shape without dimensions is a scalar.
type Tensor struct {
	Name  string
	DType DType
	Shape []int
}

// DType is the type of a tensor's elements, by the name that safetensors gives it.
type DType string

// The types of elements. BF16 is the upper half of an F32; BOOL takes a byte.
const (
	F64  DType = "F64"
	F32  DType = "F32"
	F16  DType = "F16"
	BF16 DType = "BF16"
	I64  DType = "I64"
	I32  DType = "I32"
	I16  DType = "I16"
	I8   DType = "I8"
	U64  DType = "U64"
	U32  DType = "U32"
	U16  DType = "U16"
	U8   DType = "U8"
	BOOL DType = "BOOL"
)

// widths are the bytes that an element takes.
var widths = map[DType]int{
	F64: 8, F32: 4, F16: 2, BF16: 2,
	I64: 8, I32: 4, I16: 2, I8: 1,
	U64: 8, U32: 4, U16: 2, U8: 1, BOOL: 1,
}

// Width is the number of bytes that an element takes, 0 for a type that isn't one of the above.
func (d DType) Width() int { return widths[d] }

// Size is the number of bytes that the tensor's elements take. It fails for an unknown type, a
// negative dimension and a size that no file can have.
func (t Tensor) Size() (int64, error) {
	width, ok := widths[t.DType]
	if !ok {
		return 0, fmt.Errorf("tensor %q: unknown dtype %q", t.Name, string(t.DType))
	}
	size := int64(width)
	for _, dim := range t.Shape {
		switch {
		case dim < 0:
			return 0, fmt.Errorf("tensor %q: shape %v has a negative dimension", t.Name, t.Shape)
		case dim > 0 && size > math.MaxInt64/int64(dim):
			return 0, fmt.Errorf("tensor %q: shape %v of %s overflows", t.Name, t.Shape, t.DType)
		}
		size *= int64(dim)
	}
	return size, nil
}
