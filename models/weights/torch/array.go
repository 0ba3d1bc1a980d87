package torch

import (
	"fmt"
	"slices"

	"mcvd/models/weights"
)

// Array is an array of NumPy. Its elements lie in the pickle, so they are in memory as long as the
// file's root is.
type Array struct {
	dtype weights.DType
	shape []int
	data  []byte // little-endian, row-major
}

// Shape is a copy of the shape; a scalar has no dimensions.
func (a *Array) Shape() []int { return slices.Clone(a.shape) }

// DType is the type of the elements.
func (a *Array) DType() weights.DType { return a.dtype }

// Float32s returns the elements of a floating-point array, row-major. F32 and F16 are exact; F64 is
// rounded to the nearest float32. Other types are an error.
func (a *Array) Float32s() ([]float32, error) {
	if !slices.Contains([]weights.DType{weights.F64, weights.F32, weights.F16}, a.dtype) {
		return nil, fmt.Errorf("array of shape %v: got %s, want F64, F32 or F16", a.shape, a.dtype)
	}
	out := make([]float32, len(a.data)/a.dtype.Width())
	weights.Decode(out, a.data, a.dtype)
	return out, nil
}

// arrayTypes are the types of elements by NumPy's kind and width.
var arrayTypes = map[string]weights.DType{
	"f8": weights.F64, "f4": weights.F32, "f2": weights.F16,
	"i8": weights.I64, "i4": weights.I32, "i2": weights.I16, "i1": weights.I8,
	"u8": weights.U64, "u4": weights.U32, "u2": weights.U16, "u1": weights.U8, "b1": weights.BOOL,
}

// reconstructors are the functions that NumPy's pickles name to make an array: before and since
// NumPy 2, up to protocol 4 (the elements follow as the array's state) and from 5 on (they are the
// first argument).
var (
	reconstructors = []string{"numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct"}
	fromBuffers    = []string{"numpy.core.numeric._frombuffer", "numpy._core.numeric._frombuffer"}
)

// Array returns the NumPy array that the object stands for, or nil if it stands for something else.
// It fails for an array whose parts don't fit, and for one that is neither little-endian and
// row-major nor of numbers.
func (o *Object) Array() (*Array, error) {
	var data, dtype, shape any
	rows := true // whether it is row-major
	switch {
	case slices.Contains(reconstructors, o.Class):
		state, ok := o.State.(List) // version, shape, type, whether it is column-major, elements
		if !ok || len(state) != 5 {
			return nil, fmt.Errorf("an array without shape, type and elements")
		}
		shape, dtype, data = state[1], state[2], state[4]
		rows = state[3] == any(false)
	case slices.Contains(fromBuffers, o.Class):
		if len(o.Args) != 4 {
			return nil, fmt.Errorf("an array of %d arguments, want 4", len(o.Args))
		}
		data, dtype, shape = o.Args[0], o.Args[1], o.Args[2]
		rows = o.Args[3] == any("C")
	default:
		return nil, nil
	}
	a := &Array{}
	dims, ok := shape.(List)
	if !ok || len(dims) > maxDims {
		return nil, fmt.Errorf("an array without a shape of %d dimensions or fewer", maxDims)
	}
	for _, dim := range dims {
		n, ok := dim.(int64)
		if !ok {
			return nil, fmt.Errorf("an array of shape %v", dims)
		}
		a.shape = append(a.shape, int(n))
	}
	if !rows && len(dims) > 1 {
		return nil, fmt.Errorf("array of shape %v: column-major, which is not supported", a.shape)
	}
	var err error
	if a.dtype, err = arrayType(dtype); err != nil {
		return nil, fmt.Errorf("array of shape %v: %w", a.shape, err)
	}
	size, err := weights.Tensor{DType: a.dtype, Shape: a.shape}.Size()
	if err != nil {
		return nil, fmt.Errorf("array of shape %v: %w", a.shape, err)
	}
	if a.data, ok = data.([]byte); !ok || int64(len(a.data)) != size {
		return nil, fmt.Errorf("array of shape %v: %d bytes of elements, want %d of %s", a.shape, len(a.data), size, a.dtype)
	}
	return a, nil
}

// arrayType reads numpy.dtype("f4"), whose state's second entry is the order of the bytes.
func arrayType(v any) (weights.DType, error) {
	o, ok := v.(*Object)
	if !ok || o.Class != "numpy.dtype" || len(o.Args) == 0 {
		return "", fmt.Errorf("a type of elements that isn't numpy.dtype")
	}
	name, ok := o.Args[0].(string)
	dtype, known := arrayTypes[name]
	if !ok || !known {
		return "", fmt.Errorf("elements of %v, which are not supported", o.Args[0])
	}
	state, ok := o.State.(List)
	if !ok || len(state) < 2 || state[1] != any("<") && state[1] != any("|") {
		return "", fmt.Errorf("elements of %s that aren't little-endian", name)
	}
	return dtype, nil
}
