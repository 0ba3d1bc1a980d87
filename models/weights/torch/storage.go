package torch

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"

	"mcvd/models/weights"
)

// storageTypes are the classes of storages and the types of their elements.
var storageTypes = map[string]weights.DType{
	"DoubleStorage":   weights.F64,
	"FloatStorage":    weights.F32,
	"HalfStorage":     weights.F16,
	"BFloat16Storage": weights.BF16,
	"LongStorage":     weights.I64,
	"IntStorage":      weights.I32,
	"ShortStorage":    weights.I16,
	"CharStorage":     weights.I8,
	"ByteStorage":     weights.U8,
	"UntypedStorage":  weights.U8,
	"_UntypedStorage": weights.U8,
	"BoolStorage":     weights.BOOL,
}

// dtypes are the types that tensors in an untyped storage may have, by PyTorch's names.
var dtypes = map[string]weights.DType{
	"torch.float64":  weights.F64,
	"torch.float32":  weights.F32,
	"torch.float16":  weights.F16,
	"torch.bfloat16": weights.BF16,
	"torch.int64":    weights.I64,
	"torch.int32":    weights.I32,
	"torch.int16":    weights.I16,
	"torch.int8":     weights.I8,
	"torch.uint64":   weights.U64,
	"torch.uint32":   weights.U32,
	"torch.uint16":   weights.U16,
	"torch.uint8":    weights.U8,
	"torch.bool":     weights.BOOL,
}

// storage is count elements of width bytes in a record of the file.
type storage struct {
	extent
	file  *File
	dtype weights.DType
	width int64
	count int64

	once   sync.Once // compares the checksum
	broken error     // what came of that
}

// verified says whether the storage is as it was written. It reads the storage at most once.
func (s *storage) verified() error {
	s.once.Do(func() { s.broken = s.file.verify(s.extent) })
	return s.broken
}

// span is a part of a storage: count elements from offset on.
type span struct {
	*storage
	offset, count int64
}

// persistent finds what an identifier in the pickle names: a tuple of "storage", class, key,
// device, number of elements and, in the legacy form, None or the key, offset and size of a part.
// There, a class comes with its source text, too.
func (f *File) persistent(id []any) (any, error) {
	if len(id) >= 2 && id[0] == any("module") && f.locate == nil {
		return id[1], nil
	}
	if len(id) < 5 || id[0] != any("storage") {
		return nil, errors.New("an identifier that doesn't name a storage")
	}
	class, ok := id[1].(*object)
	key, also := id[2].(string)
	count, too := id[4].(int64)
	if !ok || !also || !too {
		return nil, errors.New("an identifier without class, key and number of elements")
	}
	s, err := f.storage(class.out.Class, key, count)
	if err != nil {
		return nil, fmt.Errorf("storage %.40q: %w", key, err)
	}
	if len(id) < 6 || id[5] == nil {
		return span{s, 0, count}, nil
	}
	part, ok := id[5].(*list)
	if !ok || len(part.items) != 3 {
		return nil, fmt.Errorf("storage %.40q: a part without key, offset and size", key)
	}
	offset, ok := part.items[1].(int64)
	size, also := part.items[2].(int64)
	if !ok || !also || offset < 0 || size < 0 || offset > count || size > count-offset {
		return nil, fmt.Errorf("storage %.40q: part of %d elements at %d, it has %d", key, size, offset, count)
	}
	return span{s, offset, size}, nil
}

// storage returns the storage of a key, which all identifiers describe alike.
func (f *File) storage(class, key string, count int64) (*storage, error) {
	name := class[strings.LastIndexByte(class, '.')+1:]
	dtype, ok := storageTypes[name]
	if !ok || !strings.HasPrefix(class, "torch.") {
		return nil, fmt.Errorf("elements of %q, which are not supported", class)
	}
	s := &storage{file: f, dtype: dtype, width: int64(dtype.Width()), count: count, extent: extent{at: -1}}
	if count < 0 || count > math.MaxInt64/s.width {
		return nil, fmt.Errorf("%d elements", count)
	}
	if known := f.storages[key]; known != nil {
		if known.dtype != s.dtype || known.count != s.count {
			return nil, fmt.Errorf("%d of %s in one place and %d of %s in another", known.count, known.dtype, s.count, s.dtype)
		}
		return known, nil
	}
	if f.locate != nil {
		if err := f.locate(key, s); err != nil {
			return nil, err
		}
	}
	f.storages[key] = s
	return s, nil
}

// tensor is the span as a tensor of one dimension.
func (s span) tensor() *Tensor {
	return &Tensor{storage: s.storage, dtype: s.dtype, n: s.count, offset: s.offset, shape: []int{int(s.count)}, stride: []int64{1}}
}

// rebuild makes a tensor of a storage, an offset, a shape and strides, all in elements. What
// follows, such as whether it wants a gradient, doesn't matter.
func (m *machine) rebuild(args []any) (any, error) {
	if len(args) < 4 {
		return nil, fmt.Errorf("a tensor of %d arguments", len(args))
	}
	s, ok := args[0].(span)
	if !ok {
		return nil, fmt.Errorf("a tensor of %T, want a storage", args[0])
	}
	return m.view(s, s.dtype, args)
}

// rebuildAs is rebuild with the type of the elements, to which an untyped storage is converted, as
// the seventh argument.
func (m *machine) rebuildAs(args []any) (any, error) {
	if len(args) < 7 {
		return nil, fmt.Errorf("a tensor of %d arguments", len(args))
	}
	s, ok := args[0].(span)
	o, also := args[6].(*object)
	if !ok || !also || s.width != 1 || s.offset != 0 {
		return nil, errors.New("a tensor without an untyped storage and a type")
	}
	dtype, ok := dtypes[o.out.Class]
	if !ok {
		return nil, fmt.Errorf("elements of %q, which are not supported", o.out.Class)
	}
	s.count /= int64(dtype.Width())
	return m.view(s, dtype, args)
}

// view checks that all elements of a tensor lie within its part of a storage.
func (m *machine) view(s span, dtype weights.DType, args []any) (any, error) {
	offset, ok := args[1].(int64)
	shape, also := integers(args[2])
	stride, too := integers(args[3])
	if err := m.in.spend(len(shape) + len(stride)); err != nil {
		return nil, err
	}
	if !ok || !also || !too || len(shape) != len(stride) {
		return nil, errors.New("a tensor without offset, shape and strides")
	}
	t := &Tensor{storage: s.storage, dtype: dtype, offset: s.offset + offset, shape: make([]int, len(shape)), stride: stride}
	for i, size := range shape {
		t.shape[i] = int(size)
	}
	bytes, err := weights.Tensor{DType: dtype, Shape: t.shape}.Size()
	if err != nil {
		return nil, err
	}
	t.n = bytes / int64(dtype.Width())
	last := offset
	for i, size := range shape {
		if stride[i] < 0 || size > 1 && stride[i] > (math.MaxInt64-max(last, 0))/(size-1) {
			return nil, fmt.Errorf("tensor of shape %v: strides %v", shape, stride)
		}
		last += max(size-1, 0) * stride[i]
	}
	if offset < 0 || t.n > 0 && last >= s.count {
		return nil, fmt.Errorf("tensor of shape %v and strides %v at %d: its storage has %d elements", shape, stride, offset, s.count)
	}
	if t.n > max(s.count, maxRepeated) {
		return nil, fmt.Errorf("tensor of shape %v and strides %v: repeats %d elements to more than %d", shape, stride, s.count, maxRepeated)
	}
	return t, nil
}

// maxDims is PyTorch's own limit.
const maxDims = 64

// integers are those of a tuple.
func integers(v any) ([]int64, bool) {
	l, ok := v.(*list)
	if !ok || len(l.items) > maxDims {
		return nil, false
	}
	out := make([]int64, len(l.items))
	for i, item := range l.items {
		if out[i], ok = item.(int64); !ok {
			return nil, false
		}
	}
	return out, true
}
