package weights

import (
	"encoding/binary"
	"errors"
	"math"
	"path/filepath"
	"testing"
)

func TestFloats(t *testing.T) {
	le := binary.LittleEndian
	values := []float64{0, math.Copysign(0, -1), 1, -2.5, math.Inf(1), 0x1p-14, 65504}
	half := []uint16{0, 0x8000, 0x3c00, 0xc100, 0x7c00, 0x0400, 0x7bff}
	data := map[DType][]byte{}
	for i, v := range values {
		data[F64] = le.AppendUint64(data[F64], math.Float64bits(v))
		data[F32] = le.AppendUint32(data[F32], math.Float32bits(float32(v)))
		data[F16] = le.AppendUint16(data[F16], half[i])
		if i < 6 { // 65504 has more digits than BF16 holds
			data[BF16] = le.AppendUint16(data[BF16], uint16(math.Float32bits(float32(v))>>16))
		}
	}
	for dtype, raw := range data {
		n := len(raw) / widths[dtype]
		path := filepath.Join(t.TempDir(), "a")
		if err := Write(path, nil, []Entry{entry("a", dtype, []int{n}, raw)}); err != nil {
			t.Fatal(err)
		}
		f, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		single, err32 := f.Float32s("a")
		double, err64 := f.Float64s("a")
		if err := errors.Join(err32, err64); err != nil || len(single) != n || len(double) != n {
			t.Fatalf("%s: %d and %d elements, want %d, %v", dtype, len(single), len(double), n, err)
		}
		for i, want := range values[:n] {
			if math.Float64bits(double[i]) != math.Float64bits(want) || math.Float32bits(single[i]) != math.Float32bits(float32(want)) {
				t.Errorf("%s: element %d = %g and %g, want %g", dtype, i, single[i], double[i], want)
			}
		}
	}
}

// Every half-precision number, by its definition.
func TestFromHalf(t *testing.T) {
	for bits := range 1 << 16 {
		exponent, fraction := bits>>10&31, float64(bits&1023)
		want := math.Ldexp(1+fraction/1024, exponent-15)
		switch {
		case exponent == 0:
			want = math.Ldexp(fraction/1024, -14)
		case exponent == 31 && fraction == 0:
			want = math.Inf(1)
		case exponent == 31:
			want = math.NaN()
		}
		if bits>>15 == 1 {
			want = -want
		}
		got := float64(fromHalf(uint16(bits)))
		if got != want && !(math.IsNaN(got) && math.IsNaN(want)) || math.Signbit(got) != (bits>>15 == 1) {
			t.Fatalf("%#04x = %g, want %g", bits, got, want)
		}
	}
}

// Longer than the buffer, so that a wrong seam shows.
func TestLargeTensor(t *testing.T) {
	data := make([]byte, 0, 3*bufferSize)
	for i := range 3*bufferSize/4 - 1 {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(float32(i)))
	}
	path := filepath.Join(t.TempDir(), "large")
	if err := Write(path, nil, []Entry{entry("a", F32, []int{len(data) / 4}, data)}); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got, err := f.Float32s("a")
	if err := errors.Join(err, f.Verify()); err != nil {
		t.Fatal(err)
	}
	for i, v := range got {
		if v != float32(i) {
			t.Fatalf("element %d = %g", i, v)
		}
	}
}
