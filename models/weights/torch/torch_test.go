package torch

import (
	"fmt"
	"math/big"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"mcvd/models/weights"
)

// open opens a file of testdata, which its README describes.
func open(t *testing.T, name string) *File {
	t.Helper()
	f, err := Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

var everythings = []string{"1.12-zip.pt", "1.12-legacy.pt", "2.15-zip.pt", "2.15-legacy.pt", "2.15-protocol5.pt"}

func TestTensorsOfPyTorch(t *testing.T) {
	third := float32(1) / 3
	arange := make([]float32, 24)
	for i := range arange {
		arange[i] = float32(i)
	}
	for _, file := range everythings {
		root := open(t, file).Root().(*Dict)
		for _, tt := range []struct {
			key   string
			dtype weights.DType
			shape []int
			want  any
		}{
			{"f32", weights.F32, []int{4, 6}, arange},
			{"f64", weights.F64, []int{4}, []float32{0, third, 2 * third, 1}},
			{"f16", weights.F16, []int{4}, []float32{0, 0.5, 1, 1.5}},
			{"bf16", weights.BF16, []int{4}, []float32{0, 1.5, 3, 4.5}},
			{"i64", weights.I64, []int{3}, []int64{-1, 0, 1}},
			{"i32", weights.I32, []int{3}, []int64{-1, 0, 1}},
			{"i16", weights.I16, []int{3}, []int64{-1, 0, 1}},
			{"i8", weights.I8, []int{3}, []int64{-1, 0, 1}},
			{"u8", weights.U8, []int{3}, []int64{253, 254, 255}},
			{"bool", weights.BOOL, []int{3}, []int64{0, 1, 0}},
			{"transposed", weights.F32, []int{6, 4}, []float32{0, 6, 12, 18, 1, 7, 13, 19, 2, 8, 14, 20, 3, 9, 15, 21, 4, 10, 16, 22, 5, 11, 17, 23}},
			{"sliced", weights.F32, []int{2, 3}, []float32{8, 9, 10, 14, 15, 16}},
			{"strided", weights.F32, []int{4, 3}, []float32{0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22}},
			{"expanded", weights.F32, []int{2, 3}, []float32{0, 1, 2, 0, 1, 2}},
			{"scalar", weights.F32, []int{}, []float32{7}},
			{"empty", weights.F32, []int{0, 3}, []float32{}},
			{"storage", weights.F32, []int{24}, arange},
			{"parameter", weights.F32, []int{4}, []float32{0, 1, 2, 3}},
			{"noted", weights.F32, []int{2}, []float32{0, 1}},
		} {
			v, _ := root.Get(tt.key)
			tensor, ok := v.(*Tensor)
			if !ok {
				t.Errorf("%s: %s is a %T, want a tensor", file, tt.key, v)
				continue
			}
			var got any
			var err error
			if _, ok := tt.want.([]float32); ok {
				got, err = tensor.Float32s()
			} else {
				got, err = tensor.Int64s()
			}
			if err != nil || !reflect.DeepEqual(got, tt.want) || tensor.DType() != tt.dtype || !slices.Equal(tensor.Shape(), tt.shape) {
				t.Errorf("%s: %s = %v, shape %v of %s, error %v, want %v, shape %v of %s",
					file, tt.key, got, tensor.Shape(), tensor.DType(), err, tt.want, tt.shape, tt.dtype)
			}
		}
		overlapping, _ := root.Get("overlapping")
		if _, err := overlapping.(*Tensor).Float32s(); err == nil || !strings.HasSuffix(err.Error(), "tensor of shape [3 2]: strides [1 1] overlap, which is not supported") {
			t.Errorf("%s: overlapping: %v", file, err)
		}
	}
}

func TestObjectsOfPyTorch(t *testing.T) {
	power := new(big.Int).Lsh(big.NewInt(1), 70)
	for _, file := range everythings {
		root := open(t, file).Root().(*Dict)
		for key, want := range map[any]any{
			"bytes": []byte("a\xff"), "set": List{int64(3)}, "frozen": List{int64(4)},
			"tuple": List{int64(1), List{int64(2), int64(3), int64(4), int64(5)}},
			"none":  nil, "yes": true, "big": power, "negative": new(big.Int).Neg(power), "long": int64(-1 << 40), "int": int64(-5),
			"text": strings.Repeat("é", 200), 1: "one", int64(1): "one", 2.5: "two",
			"size":  &Object{Class: "torch.Size", Args: List{List{int64(2)}}},
			"dtype": &Object{Class: "torch.float16"}, "device": &Object{Class: "torch.device", Args: List{"cpu"}},
		} {
			if got, ok := root.Get(key); !ok || !reflect.DeepEqual(got, want) {
				t.Errorf("%s: %v = %#v, want %#v", file, key, got, want)
			}
		}
		if got, want := fmt.Sprint(keys(root)), "[f32 f64 f16 bf16 i64 i32 i16 i8 u8 bool transposed sliced strided expanded scalar empty overlapping "+
			"storage parameter noted namespace ordered default numpy array bytes set frozen tuple none yes big negative long int text "+
			"1 2.5 [1 2] size dtype device parallel adam]"; got != want || root.Len() != 44 {
			t.Errorf("%s: keys %s, want %s", file, got, want)
		}
		if got := keys(at(root, "ordered").(*Dict)); !reflect.DeepEqual(got, []any{"b", "a"}) {
			t.Errorf("%s: ordered keys %v, want b, a", file, got)
		}
		if got := at(root, "default", "k"); !reflect.DeepEqual(got, List{int64(1)}) {
			t.Errorf("%s: default = %v", file, got)
		}
		space := at(root, "namespace").(*Object)
		if lr, sizes := at(space.State, "lr"), at(at(space.State, "inner").(*Object).State, "sizes"); space.Class != "argparse.Namespace" ||
			lr != 0.5 || !reflect.DeepEqual(sizes, List{int64(1), int64(2)}) {
			t.Errorf("%s: namespace %s with lr %v, sizes %v", file, space.Class, lr, sizes)
		}
		number := at(root, "numpy").(*Object)
		if !strings.HasSuffix(number.Class, "multiarray.scalar") || !reflect.DeepEqual(number.Args[1], []byte("\x00\x00\x00\x00\x00\x00\xf8\x3f")) {
			t.Errorf("%s: numpy number %s %v", file, number.Class, number.Args)
		}
	}
}

// The first step of Adam has moments of 0.1 g and 0.001 g^2, and moves a weight by its rate.
func TestStatesOfPyTorch(t *testing.T) {
	for _, file := range everythings {
		root := open(t, file).Root().(*Dict)
		check := func(want []float32, path ...any) {
			t.Helper()
			got, err := at(root, path...).(*Tensor).Float32s()
			if err != nil || len(got) != len(want) {
				t.Fatalf("%s: %v = %v, %v, want %v", file, path, got, err, want)
			}
			for i := range got {
				if d := got[i] - want[i]; !(max(d, -d) < 1e-6) {
					t.Errorf("%s: %v = %v, want %v", file, path, got, want)
				}
			}
		}
		check([]float32{-0.5, 0.5, 1.5, 2.5}, "parallel", "module.weight")
		check([]float32{-0.5, 0.5}, "parallel", "module.bias")
		check([]float32{0.1, 0.1}, "adam", "state", 1, "exp_avg")
		check([]float32{0.001, 0.001, 0.001, 0.001}, "adam", "state", 0, "exp_avg_sq")
		check([]float32{1}, "adam", "state", 0, "step")
		if lr := at(at(root, "adam", "param_groups").(List)[0], "lr"); lr != 0.5 {
			t.Errorf("%s: lr %v", file, lr)
		}
	}
}

func TestUntypedStorages(t *testing.T) {
	root := open(t, "2.15-untyped.pt").Root().(List)
	u16 := root[0].(*Tensor)
	if got, err := u16.Int64s(); err != nil || !slices.Equal(got, []int64{0, 1, 2}) || u16.DType() != weights.U16 {
		t.Errorf("uint16: %v, %s, %v", got, u16.DType(), err)
	}
	if got, err := root[1].(*Tensor).Int64s(); err != nil || len(got) != 16 || got[6] != 0x80 || got[7] != 0x3f {
		t.Errorf("bytes of 0, 1, 2, 3: %v, %v", got, err)
	}
}

func TestWholeModule(t *testing.T) {
	module := open(t, "2.15-module.pt").Root().(*Object)
	if module.Class != "torch.nn.modules.linear.Linear" {
		t.Errorf("class %s", module.Class)
	}
	bias := at(module.State, "_parameters", "bias").(*Tensor)
	if got, err := bias.Float32s(); err != nil || len(got) != 2 {
		t.Errorf("bias %v, %v", got, err)
	}
}

// at follows keys.
func at(v any, path ...any) any {
	for _, key := range path {
		v, _ = v.(*Dict).Get(key)
	}
	return v
}

func keys(d *Dict) (keys []any) {
	for k := range d.All() {
		keys = append(keys, k)
	}
	return keys
}
