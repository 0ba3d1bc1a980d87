package torch

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"slices"

	"mcvd/models/weights"
)

const (
	maxRepeated = 16 << 20 // elements of a tensor that has more of them than its storage
	bufferSize  = 1 << 20  // bytes that reading takes at a time: a multiple of every element's width
)

// Tensor is a view of a storage in the file. Reading it applies offset and strides.
type Tensor struct {
	*storage
	dtype  weights.DType
	n      int64 // elements
	offset int64 // in elements, as are the strides
	shape  []int
	stride []int64
}

// Shape is a copy of the shape; a scalar has no dimensions.
func (t *Tensor) Shape() []int { return slices.Clone(t.shape) }

// DType is the type of the elements.
func (t *Tensor) DType() weights.DType { return t.dtype }

// Float32s returns the elements of a floating-point tensor, row-major. F32, F16 and BF16 are exact;
// F64 is rounded to the nearest float32. Other types are an error.
func (t *Tensor) Float32s() ([]float32, error) {
	switch t.dtype {
	case weights.F64, weights.F32, weights.F16, weights.BF16:
		return read(t, weights.Decode[float32])
	}
	return nil, t.errorf("got %s, want F64, F32, F16 or BF16", t.dtype)
}

// Int64s returns the elements of a tensor of integers or booleans, row-major. U64 and
// floating-point types are an error.
func (t *Tensor) Int64s() ([]int64, error) {
	switch t.dtype {
	case weights.F64, weights.F32, weights.F16, weights.BF16, weights.U64:
		return nil, t.errorf("got %s, want integers of 64 bits with a sign or fewer", t.dtype)
	}
	return read(t, decodeIntegers)
}

func decodeIntegers(dst []int64, src []byte, dtype weights.DType) {
	le := binary.LittleEndian
	for i := range dst {
		switch dtype {
		case weights.I64:
			dst[i] = int64(le.Uint64(src[8*i:]))
		case weights.I32:
			dst[i] = int64(int32(le.Uint32(src[4*i:])))
		case weights.U32:
			dst[i] = int64(le.Uint32(src[4*i:]))
		case weights.I16:
			dst[i] = int64(int16(le.Uint16(src[2*i:])))
		case weights.U16:
			dst[i] = int64(le.Uint16(src[2*i:]))
		case weights.I8:
			dst[i] = int64(int8(src[i]))
		case weights.U8, weights.BOOL:
			dst[i] = int64(src[i])
		}
	}
}

func (t *Tensor) errorf(format string, args ...any) error {
	return fmt.Errorf("%s: tensor of shape %v: %w", t.file.path, t.shape, fmt.Errorf(format, args...))
}

// read streams the elements in the order of the result. If the file has another order, it reads in
// that of the file and puts elements in their places.
func read[T any](t *Tensor, decode func([]T, []byte, weights.DType)) ([]T, error) {
	if t.n == 0 {
		return []T{}, nil
	}
	axes, dense := t.axes()
	w := window[T]{t: t, decode: decode, end: t.last() + 1}
	if dense && t.n*int64(t.dtype.Width()) == t.size { // the whole storage: its checksum needs no reading of its own
		return w.copyAll()
	}
	if err := t.verified(); err != nil {
		return nil, t.errorf("%w", err)
	}
	if dense {
		return w.copy()
	}
	// A view steps through its storage if the axis with the largest stride is the outermost one.
	// Then it reads no byte twice, unless an axis overlaps the next step of another one.
	slices.SortFunc(axes, func(a, b axis) int { return cmp.Compare(b.stride, a.stride) })
	for i, inner := len(axes)-1, int64(0); i >= 0; i-- {
		if a := axes[i]; a.stride > 0 && a.stride <= inner {
			return nil, t.errorf("strides %v overlap, which is not supported", t.stride)
		}
		inner += (axes[i].size - 1) * axes[i].stride
	}
	return w.gather(axes)
}

// axis is a dimension of size two or more, with its steps in the storage and in the result.
type axis struct{ size, stride, out, i int64 }

// axes are those of the tensor. It is dense if both steps agree everywhere.
func (t *Tensor) axes() (axes []axis, dense bool) {
	dense = true
	out := int64(1)
	for i := len(t.shape) - 1; i >= 0; i-- {
		size := int64(t.shape[i])
		if size > 1 {
			axes = append(axes, axis{size: size, stride: t.stride[i], out: out})
			dense = dense && t.stride[i] == out
		}
		out *= size
	}
	return axes, dense
}

// last is the highest element in the storage.
func (t *Tensor) last() int64 {
	last := t.offset
	for i, size := range t.shape {
		last += int64(size-1) * t.stride[i]
	}
	return last
}

// window is the part of a storage that was read last: elements from start on, of which the tensor
// has none at end.
type window[T any] struct {
	t          *Tensor
	decode     func([]T, []byte, weights.DType)
	start, end int64
	raw        []byte
	elements   []T
	sum        uint32 // of all that was read
}

// fill reads elements from start on into dst, as many as fit the buffer.
func (w *window[T]) fill(dst []T, start int64) (n int, err error) {
	t, width := w.t, w.t.dtype.Width()
	n = min(len(dst), bufferSize/width)
	if len(w.raw) < n*width {
		w.raw = make([]byte, n*width)
	}
	raw := w.raw[:n*width]
	if got, err := t.file.data.ReadAt(raw, t.at+start*int64(width)); got < len(raw) {
		return 0, t.errorf("%w", err)
	}
	w.sum = crc32.Update(w.sum, crc32.IEEETable, raw)
	w.decode(dst[:n], raw, t.dtype)
	return n, nil
}

// copyAll is copy for a tensor that is all of its storage in its order. So the checksum can be
// computed from the same bytes.
func (w *window[T]) copyAll() ([]T, error) {
	out, err := w.copy()
	if err == nil {
		if err = w.t.compare(w.sum); err != nil {
			err = w.t.errorf("%w", err)
		}
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}

// copy reads the elements of a dense tensor.
func (w *window[T]) copy() ([]T, error) {
	out := make([]T, w.t.n)
	for done := 0; done < len(out); {
		n, err := w.fill(out[done:], w.t.offset+int64(done))
		if err != nil {
			return nil, err
		}
		done += n
	}
	return out, nil
}

// gather reads the elements along the axes, the last of which turns fastest.
func (w *window[T]) gather(axes []axis) ([]T, error) {
	out := make([]T, w.t.n)
	buffer := make([]T, min(bufferSize/int64(w.t.dtype.Width()), w.end-w.t.offset))
	from, to := w.t.offset, int64(0)
	for range out {
		if from < w.start || from >= w.start+int64(len(w.elements)) {
			n, err := w.fill(buffer[:min(int64(len(buffer)), w.end-from)], from)
			if err != nil {
				return nil, err
			}
			w.start, w.elements = from, buffer[:n]
		}
		out[to] = w.elements[from-w.start]
		for i := len(axes) - 1; i >= 0; i-- {
			a := &axes[i]
			if a.i++; a.i < a.size {
				from, to = from+a.stride, to+a.out
				break
			}
			a.i = 0
			from, to = from-(a.size-1)*a.stride, to-(a.size-1)*a.out
		}
	}
	return out, nil
}
