package torch

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"
	"strings"
	"testing"

	"mcvd/models/weights"
)

// array is the instructions for a NumPy array, as protocol 3 has them.
func array(kind, order string, shape []int64, columns bool, data string) string {
	flag := "\x89"
	if columns {
		flag = "\x88"
	}
	dtype := called("numpy", "dtype", text(kind), "\x89", "\x88") + tuple("K\x03", text(order), "N", "N", "N", integer(-1), integer(-1), "K\x00") + "b"
	bytes := "B" + string(binary.LittleEndian.AppendUint32(nil, uint32(len(data)))) + data
	return called("numpy.core.multiarray", "_reconstruct", "cnumpy\nndarray\n", tuple("K\x00"), "C\x01b") +
		tuple("K\x01", integers64(shape...), dtype, flag, bytes) + "b"
}

// buffered is an array as protocol 5 has it.
func buffered(kind string, shape []int64, order, data string) string {
	dtype := called("numpy", "dtype", text(kind), "\x89", "\x88") + tuple("K\x03", text("<"), "N", "N", "N", integer(-1), integer(-1), "K\x00") + "b"
	bytes := "\x96" + string(binary.LittleEndian.AppendUint64(nil, uint64(len(data)))) + data
	return called("numpy._core.numeric", "_frombuffer", bytes, dtype, integers64(shape...), text(order))
}

func openPlain(b []byte) (*File, error) {
	return newFile("mem", bytes.NewReader(b), int64(len(b)), true)
}

func TestArraysOfNumPy(t *testing.T) {
	for _, tt := range []struct {
		name, body string
		dtype      weights.DType
		shape      []int
		want       []float32
	}{
		{"f4", array("f4", "<", []int64{2, 2}, false, floats(4)), weights.F32, []int{2, 2}, []float32{0, 1, 2, 3}},
		{"one dimension is in either order", array("f4", "<", []int64{2}, true, floats(2)), weights.F32, []int{2}, []float32{0, 1}},
		{"f8", array("f8", "<", []int64{1}, false, string(binary.LittleEndian.AppendUint64(nil, math.Float64bits(0.1)))), weights.F64, []int{1}, []float32{0.1}},
		{"f2", array("f2", "<", []int64{2}, false, "\x00\x3c\x00\xb8"), weights.F16, []int{2}, []float32{1, -0.5}},
		{"a scalar", array("f4", "<", nil, false, floats(1)), weights.F32, nil, []float32{0}},
		{"empty", array("f4", "<", []int64{0, 3}, false, ""), weights.F32, []int{0, 3}, []float32{}},
		{"protocol 5", buffered("f4", []int64{3}, "C", floats(3)), weights.F32, []int{3}, []float32{0, 1, 2}},
	} {
		f, err := openPlain([]byte(pickled(tt.body)))
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		a, err := f.Root().(*Object).Array()
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		values, err := a.Float32s()
		if err != nil || a.DType() != tt.dtype || !slices.Equal(a.Shape(), tt.shape) || !slices.Equal(values, tt.want) {
			t.Errorf("%s: %s %v %v, %v", tt.name, a.DType(), a.Shape(), values, err)
		}
	}
}

func TestBadArrays(t *testing.T) {
	for _, tt := range []struct{ name, body, want string }{
		{"too few bytes", array("f4", "<", []int64{3}, false, floats(2)), "8 bytes of elements, want 12"},
		{"too many bytes", array("f4", "<", []int64{1}, false, floats(2)), "8 bytes of elements, want 4"},
		{"a shape that overflows", array("f4", "<", []int64{1 << 62, 1 << 62}, false, ""), "overflows"},
		{"a negative shape", array("f4", "<", []int64{-1}, false, ""), "negative"},
		{"column-major", array("f4", "<", []int64{2, 2}, true, floats(4)), "column-major"},
		{"column-major, protocol 5", buffered("f4", []int64{2, 2}, "F", floats(4)), "column-major"},
		{"big-endian", array("f4", ">", []int64{1}, false, floats(1)), "little-endian"},
		{"Python objects", array("O8", "|", []int64{1}, false, ""), "elements of O8"},
		{"no state", called("numpy.core.multiarray", "_reconstruct", "cnumpy\nndarray\n", tuple("K\x00"), "C\x01b"), "without shape, type and elements"},
		{"no arguments", called("numpy.core.numeric", "_frombuffer"), "0 arguments"},
		{"no shape", called("numpy.core.numeric", "_frombuffer", "N", "N", "N", "N"), "without a shape"},
		{"no type", called("numpy.core.numeric", "_frombuffer", "N", "N", tuple("K\x01"), text("C")), "isn't numpy.dtype"},
	} {
		f, err := openPlain([]byte(pickled(tt.body)))
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if a, err := f.Root().(*Object).Array(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v and %v, want an error with %q", tt.name, a, err, tt.want)
		}
	}
	integers, err := openPlain([]byte(pickled(array("i8", "<", []int64{1}, false, strings.Repeat("\x00", 8)))))
	if err != nil {
		t.Fatal(err)
	}
	a, err := integers.Root().(*Object).Array()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Float32s(); err == nil {
		t.Error("integers were read as floating-point numbers")
	}
}

func TestPlainPickles(t *testing.T) {
	for _, tt := range []struct {
		name string
		b    []byte
		want string
	}{
		{"something behind it", []byte(pickled("N") + "x"), "1 bytes behind the pickle"},
		{"text", []byte("hello"), "neither a zip file nor a pickle"},
		{"cut off", []byte(pickled(array("f4", "<", []int64{2}, false, floats(2))))[:150], "announced"},
		{"code", []byte(pickled(called("os", "system", text("true")))), "refused"},
		{"more than any pickle may have", []byte(pickled("N") + strings.Repeat("x", maxPickle)), "a pickle of 67108868 bytes, want 67108864"},
	} {
		if f, err := openPlain(tt.b); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, %v, want an error with %q", tt.name, f, err, tt.want)
		}
	}
	for name, b := range map[string][]byte{"zip": saved(text("v")), "legacy": legacy(text("v"), "]", "")} {
		if f, err := openPlain(b); err != nil || f.Root() != any("v") {
			t.Errorf("a %s file of torch.save: %v", name, err)
		}
	}
	if _, err := openBytes([]byte(pickled("N"))); err == nil || !strings.Contains(err.Error(), "not a file of torch.save") {
		t.Errorf("Open of a plain pickle: %v", err)
	}
}

// The attributes of TorchScript's modules are states of objects, tensors among them. [Open] refuses
// such an archive, and other files may not name its classes.
func TestTorchScript(t *testing.T) {
	const path = "testdata/2.15-script.ts"
	f, err := OpenPickle(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	state := func(v any, name string) any {
		o, ok := v.(*Object)
		if !ok || !strings.HasPrefix(o.Class, "__torch__.") {
			t.Fatalf("%v, want a module with %s", v, name)
		}
		value, ok := o.State.(*Dict).Get(name)
		if !ok {
			t.Fatalf("%s has no %s", o.Class, name)
		}
		return value
	}
	unit := state(f.Root(), "0")
	for _, tensor := range []any{state(state(unit, "conv3d"), "weight"), state(state(unit, "bn"), "running_var")} {
		if values, err := tensor.(*Tensor).Float32s(); err != nil || !slices.Equal(values, []float32{3, 4}) {
			t.Errorf("%v, %v, want 3 and 4", values, err)
		}
	}
	if _, err := Open(path); err == nil || !strings.Contains(err.Error(), "TorchScript") {
		t.Errorf("Open: %v", err)
	}
	module := "c__torch__\nNet\n)\x81"
	for _, b := range [][]byte{saved(module), []byte(pickled(module))} {
		if _, err := openPlain(b); err == nil || !strings.Contains(err.Error(), "__torch__.Net\": refused") {
			t.Errorf("a class of TorchScript elsewhere: %v", err)
		}
	}
}
