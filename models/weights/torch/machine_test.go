package torch

import (
	"bytes"
	"math"
	"math/big"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"mcvd/models/weights"
)

func TestValues(t *testing.T) {
	class := &Object{Class: "torch.x"}
	for body, want := range map[string]any{
		"N": nil, "\x88": true, "\x89": false,
		"K\xff": int64(255), "M\xff\xff": int64(65535), "J\xff\xff\xff\xff": int64(-1), "J\xff\xff\xff\x7f": int64(math.MaxInt32),
		"\x8a\x00": int64(0), "\x8a\x01\x80": int64(-128), "\x8a\x01\x7f": int64(127), "\x8a\x02\x80\x00": int64(128), "\x8b\x02\x00\x00\x00\x00\xff": int64(-256),
		integer(math.MinInt64): int64(math.MinInt64), integer(math.MaxInt64): int64(math.MaxInt64),
		"\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x80\x00": new(big.Int).Lsh(big.NewInt(1), 63),
		"G\xbf\xf8\x00\x00\x00\x00\x00\x00":            -1.5,
		"X\x02\x00\x00\x00ab":                          "ab", "\x8c\x01a": "a", "\x8d\x01\x00\x00\x00\x00\x00\x00\x00a": "a", "U\x01a": "a", "T\x01\x00\x00\x00a": "a",
		"C\x01\xff": []byte{255}, "B\x01\x00\x00\x00\xff": []byte{255}, "\x8e\x01\x00\x00\x00\x00\x00\x00\x00\xff": []byte{255}, "\x96\x00\x00\x00\x00\x00\x00\x00\x00": []byte{},
		"]": List{}, ")": List{}, "\x8f": List{}, "(t": List{}, "(\x91": List{}, "]K\x01a": List{int64(1)}, "](NNe": List{nil, nil}, "\x8f(N\x90": List{nil},
		"(KaNt": List{int64('a'), nil}, "N\x85": List{nil}, "N\x88\x86": List{nil, true}, "N\x88\x89\x87": List{nil, true, false},
		"NN0": nil, "N(NN1": nil, "(N0N\x91": List{nil},
		"K\x05q\x000h\x00": int64(5), "K\x05r\x01\x00\x00\x000j\x01\x00\x00\x00": int64(5), "K\x05\x94K\x06\x940h\x01h\x00\x86\x86": List{int64(5), List{int64(6), int64(5)}},
		"ctorch\nx\n": class, text("torch") + text("x") + "\x93": class,
		"ctorch\nx\n)R": &Object{Class: "torch.x", Args: List{}}, "ctorch\nx\n)\x81K\x01b": &Object{Class: "torch.x", Args: List{}, State: int64(1)},
		"]}b": List{}, "\x95\x01\x00\x00\x00\x00\x00\x00\x00N": nil,
		called("collections", "deque"): List{}, called("collections", "deque", "]Na", "K\x05"): List{nil}, called("builtins", "frozenset"): List{},
		called("__builtin__", "set", "]Na"): List{nil}, called("__builtin__", "bytes"): []byte{}, called("_codecs", "encode", text("aÿ"), text("latin-1")): []byte("a\xff"),
		called("__builtin__", "complex", "K\x01", "K\x02"): &Object{Class: "__builtin__.complex", Args: List{int64(1), int64(2)}},
	} {
		f, err := openBytes(saved(body))
		if err != nil {
			t.Errorf("%q: %v", body, err)
		} else if got := f.Root(); !reflect.DeepEqual(got, want) {
			t.Errorf("%q = %#v, want %#v", body, got, want)
		}
	}
}

func TestMappings(t *testing.T) {
	for _, body := range []string{
		"}" + text("b") + "K\x02s" + text("a") + "]s",
		"}(" + text("b") + "K\x02" + text("a") + "]u",
		called("collections", "OrderedDict", "]("+text("b")+"K\x02\x86"+text("a")+"]\x86e"),
		called("collections", "Counter", "}("+text("b")+"K\x02"+text("a")+"]u"),
		called("collections", "defaultdict", "cbuiltins\nlist\n", "}("+text("b")+"K\x02"+text("a")+"]u"),
		called("collections", "defaultdict", "cbuiltins\nlist\n") + text("b") + "K\x02s" + text("a") + "]s",
		called("collections", "OrderedDict") + "(" + text("b") + "K\x02" + text("a") + "]u}" + text("_metadata") + "Nsb",
	} {
		f, err := openBytes(saved(body))
		if err != nil {
			t.Errorf("%q: %v", body, err)
			continue
		}
		d, ok := f.Root().(*Dict)
		if !ok || !reflect.DeepEqual(keys(d), []any{"b", "a"}) || at(d, "b") != int64(2) || !reflect.DeepEqual(at(d, "a"), List{}) {
			t.Errorf("%q = %#v, want b: 2, a: []", body, f.Root())
		}
	}
}

func TestRebuiltTensors(t *testing.T) {
	half := stored("HalfStorage", "0", 2)
	view := viewed(half, 1, []int64{1}, []int64{1})
	plain := called("torch._utils", "_rebuild_tensor", half, integer(1), integers64(1), integers64(1))
	for _, body := range []string{
		view, plain,
		called("torch._utils", "_rebuild_parameter", view, "\x88", "}"),
		called("torch._utils", "_rebuild_parameter_with_state", view, "\x88", "}", "}"),
		called("torch._tensor", "_rebuild_from_type_v2", "ctorch._utils\n_rebuild_tensor_v2\n", "ctorch\nTensor\n", tuple(half, integer(1), integers64(1), integers64(1)), "}"),
		called("torch._tensor", "_rebuild_from_type_v2", "ctorch._utils\n_rebuild_parameter\n", "ctorch\nTensor\n", tuple(view, "\x88", "}"), "}"),
		view + "}b",
	} {
		f, err := openBytes(saved(body, "\x00\x3c\x00\xc0"))
		if err != nil {
			t.Errorf("%q: %v", body, err)
			continue
		}
		tensor, ok := f.Root().(*Tensor)
		if !ok {
			t.Errorf("%q = %#v, want a tensor", body, f.Root())
			continue
		}
		if got, err := tensor.Float32s(); err != nil || !reflect.DeepEqual(got, []float32{-2}) {
			t.Errorf("%q = %v, %v, want -2", body, got, err)
		}
	}
	for _, body := range []string{
		called("torch._utils", "_rebuild_parameter"), called("torch._utils", "_rebuild_parameter", "N"), called("torch._utils", "_rebuild_sparse_tensor", "N"),
	} {
		if _, ok := mustOpen(t, saved(body)).Root().(*Object); !ok {
			t.Errorf("%q isn't inert", body)
		}
	}
}

func TestTypesOfUntypedStorages(t *testing.T) {
	const raw = "\xff\xff\xff\xff\xff\xff\xff\xff"
	for dtype, want := range map[string]int64{
		"int64": -1, "int32": -1, "int16": -1, "int8": -1, "uint32": math.MaxUint32, "uint16": math.MaxUint16, "uint8": math.MaxUint8,
	} {
		body := called("torch._utils", "_rebuild_tensor_v3", stored("UntypedStorage", "0", 8), "K\x00", integers64(1), integers64(1), "\x89", "}", "ctorch\n"+dtype+"\n")
		if got, err := mustOpen(t, saved(body, raw)).Root().(*Tensor).Int64s(); err != nil || got[0] != want {
			t.Errorf("%s: %v, %v, want %d", dtype, got, err, want)
		}
	}
	refused(t, saved(called("torch._utils", "_rebuild_tensor_v3", stored("FloatStorage", "0", 2), "K\x00", ")", ")", "\x89", "}", "ctorch\nint8\n"), raw), "without an untyped storage")
}

func TestTruncatedPickles(t *testing.T) {
	for _, file := range []string{"1.12-legacy.pt", "2.15-zip.pt", "2.15-protocol5.pt"} {
		b, err := os.ReadFile(filepath.Join("testdata", file))
		if err != nil {
			t.Fatal(err)
		}
		// The pickle that names the storages: the fourth of the legacy form, the first record of
		// the zip form.
		pickle := b[bytes.Index(b, []byte("f32"))-40:]
		pickle = pickle[bytes.Index(pickle, []byte("\x80")):]
		for n := range 3000 {
			if _, err := newInput(bytes.NewReader(pickle[:n]), int64(n)).unpickle(anything); err == nil {
				t.Errorf("%s: %d bytes: no error", file, n)
			}
		}
		if _, err := newInput(bytes.NewReader(pickle), int64(len(pickle))).unpickle(anything); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}

// anything stands for any storage.
func anything([]any) (any, error) {
	return span{storage: &storage{dtype: weights.F32, width: 1}, count: 1000}, nil
}
