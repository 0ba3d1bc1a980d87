package tfrecord

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

// record is a record with its checksums.
func record(data []byte) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(data)))
	b = binary.LittleEndian.AppendUint32(b, masked(b))
	return binary.LittleEndian.AppendUint32(append(b, data...), masked(data))
}

func message(field protowire.Number, b []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, field, protowire.BytesType), b)
}

// example is an Example of features, each the bytes of the message Feature.
func example(features map[string][]byte) []byte {
	var all []byte
	for name, f := range features {
		all = append(all, message(only, append(message(key, []byte(name)), message(value, f)...))...)
	}
	return message(only, all)
}

// The checksum of "123456789" is the check value of CRC-32C, 0xe3069283; the mask is TensorFlow's.
func TestMasked(t *testing.T) {
	const crc = 0xe3069283
	if got, want := masked([]byte("123456789")), uint32((crc>>15|crc<<17)&0xffffffff)+0xa282ead8; got != want {
		t.Errorf("%08x, want %08x", got, want)
	}
}

func open(t *testing.T, b []byte) (*File, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a.tfrecords")
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err == nil {
		t.Cleanup(func() { f.Close() })
	} else if !strings.HasPrefix(err.Error(), path+": ") {
		t.Errorf("%v: want it to name the file", err)
	}
	return f, err
}

func TestRecords(t *testing.T) {
	want := [][]byte{[]byte("one"), {}, bytes.Repeat([]byte("three"), 1000)}
	var b []byte
	for _, w := range want {
		b = append(b, record(w)...)
	}
	f, err := open(t, b)
	if err != nil || f.Len() != len(want) {
		t.Fatal(f, err)
	}
	for i, w := range want {
		if got, err := f.Read(i); err != nil || !bytes.Equal(got, w) {
			t.Errorf("record %d: %q, %v", i, got, err)
		}
	}
	if f, err := open(t, nil); err != nil || f.Len() != 0 {
		t.Errorf("an empty file: %v", err)
	}
}

// Whatever byte is changed, something says so; and so it does wherever the file is cut off.
func TestDamageIsNeverSilent(t *testing.T) {
	whole := append(record([]byte("first")), record([]byte("second"))...)
	read := func(b []byte) error {
		f, err := open(t, b)
		for i := 0; err == nil && i < f.Len(); i++ {
			_, err = f.Read(i)
		}
		return err
	}
	if err := read(whole); err != nil {
		t.Fatal(err)
	}
	for i := range whole {
		b := bytes.Clone(whole)
		b[i] ^= 0x10
		if read(b) == nil {
			t.Errorf("byte %d changed: no error", i)
		}
		if cut := len(record([]byte("first"))); i > 0 && i != cut && read(whole[:i]) == nil {
			t.Errorf("cut off at byte %d: no error", i)
		}
	}
	huge := binary.LittleEndian.AppendUint64(nil, maxRecord+1)
	huge = append(binary.LittleEndian.AppendUint32(huge, masked(huge)), 0, 0, 0, 0)
	if err := read(huge); err == nil || !strings.Contains(err.Error(), "want 268435456 or fewer") {
		t.Errorf("a huge record: %v", err)
	}
}

func TestParse(t *testing.T) {
	floats := binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, math.Float32bits(1.5)), math.Float32bits(-2))
	fixed := func(x float32) []byte {
		return protowire.AppendFixed32(protowire.AppendTag(nil, only, protowire.Fixed32Type), math.Float32bits(x))
	}
	varint := func(x int64) []byte {
		return protowire.AppendVarint(protowire.AppendTag(nil, only, protowire.VarintType), uint64(x))
	}
	packed := protowire.AppendVarint(protowire.AppendVarint(nil, 300), math.MaxUint64) // 300 and -1
	got, err := Parse(example(map[string][]byte{
		"bytes":           message(bytesList, append(message(only, []byte("a")), message(only, nil)...)),
		"floats packed":   message(floatList, message(only, floats)),
		"floats unpacked": message(floatList, append(fixed(1.5), fixed(-2)...)),
		"ints packed":     message(int64List, message(only, packed)),
		"ints unpacked":   message(int64List, append(varint(300), varint(-1)...)),
		"empty":           nil,
	}))
	want := Example{
		"bytes":           {Bytes: [][]byte{[]byte("a"), {}}},
		"floats packed":   {Floats: []float32{1.5, -2}},
		"floats unpacked": {Floats: []float32{1.5, -2}},
		"ints packed":     {Ints: []int64{300, -1}},
		"ints unpacked":   {Ints: []int64{300, -1}},
		"empty":           {},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v, %v, want %v", got, err, want)
	}
	for what, b := range map[string][]byte{
		"a field that is cut off":   example(map[string][]byte{"a": message(bytesList, message(only, []byte("text")))})[:20],
		"a float among integers":    example(map[string][]byte{"a": message(int64List, fixed(1))}),
		"half a float":              example(map[string][]byte{"a": message(floatList, message(only, floats[:6]))}),
		"a number for a message":    varint(7),
		"an integer for all floats": example(map[string][]byte{"a": varint(7)}),
	} {
		if got, err := Parse(b); err == nil {
			t.Errorf("%s: %v, want an error", what, got)
		}
	}
}

// Where a feature has lists of two types, the last counts, and nothing of the other is left.
func TestTheLastListCounts(t *testing.T) {
	text, number := message(bytesList, message(only, []byte("a"))), message(int64List, message(only, []byte{7}))
	for _, tt := range []struct {
		lists []byte
		want  Feature
	}{
		{append(bytes.Clone(text), number...), Feature{Ints: []int64{7}}},
		{append(bytes.Clone(number), text...), Feature{Bytes: [][]byte{[]byte("a")}}},
	} {
		got, err := Parse(example(map[string][]byte{"a": tt.lists}))
		if err != nil || !reflect.DeepEqual(got["a"], tt.want) {
			t.Errorf("%+v, %v, want %+v", got["a"], err, tt.want)
		}
	}
}

func FuzzFile(f *testing.F) {
	f.Add(record(example(map[string][]byte{"0/image": message(bytesList, message(only, []byte("abc")))})))
	f.Add(append(record(nil), record([]byte("second"))...))
	f.Add([]byte("text"))
	f.Fuzz(func(t *testing.T, b []byte) {
		records, err := index(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		file := &File{from: bytes.NewReader(b), records: records}
		for i := range file.Len() {
			if data, err := file.Read(i); err == nil {
				Parse(data)
			}
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add(example(map[string][]byte{"a": message(bytesList, message(only, []byte("abc"))), "b": message(floatList, message(only, make([]byte, 8)))}))
	f.Add(example(map[string][]byte{"c": message(int64List, message(only, []byte{1, 2, 3}))}))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := Parse(b)
		if err != nil {
			return
		}
		total := 0
		for name, feature := range e {
			total += len(name) + len(feature.Bytes) + len(feature.Floats) + len(feature.Ints)
		}
		if total > len(b) {
			t.Errorf("%d elements and characters out of %d bytes", total, len(b))
		}
	})
}
