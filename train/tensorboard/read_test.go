package tensorboard

import (
	"encoding/binary"
	"hash/crc32"
	"math"
	"os"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

// read reads all events of a file; every checksum must be right, and nothing may follow the last
// record.
func read(t *testing.T, path string) (events []event) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for len(text) > 0 {
		if len(text) < 16 {
			t.Fatalf("%s: %d bytes behind the last record", path, len(text))
		}
		length := binary.LittleEndian.Uint64(text)
		if uint64(len(text))-16 < length {
			t.Fatalf("%s: a record of %d bytes, of which %d are there", path, length, len(text)-16)
		}
		data := text[12 : 12+length]
		for _, of := range []struct {
			what string
			data []byte
			sum  uint32
		}{{"length", text[:8], binary.LittleEndian.Uint32(text[8:])}, {"data", data, binary.LittleEndian.Uint32(text[12+length:])}} {
			// Unmask, as TensorFlow does.
			rotated := of.sum - 0xa282ead8
			if crc := rotated>>17 | rotated<<15; crc != crc32.Checksum(of.data, crc32.MakeTable(crc32.Castagnoli)) {
				t.Fatalf("%s: wrong checksum of a record's %s", path, of.what)
			}
		}
		events = append(events, parse(t, data))
		text = text[16+length:]
	}
	return events
}

func parse(t *testing.T, text []byte) (e event) {
	for _, f := range fields(t, text) {
		switch f.number {
		case 1:
			e.time = math.Float64frombits(f.value)
		case 2:
			e.step = int(f.value)
		case 3:
			e.version = string(f.bytes)
		case 5:
			for _, v := range fields(t, f.bytes) {
				e.values = append(e.values, parseValue(t, v.bytes))
			}
		case 7:
			status := fields(t, f.bytes)
			e.start = len(status) == 1 && status[0].number == 1 && status[0].value == 1
		}
	}
	return e
}

func parseValue(t *testing.T, text []byte) (v value) {
	for _, f := range fields(t, text) {
		switch f.number {
		case 1:
			v.tag = string(f.bytes)
		case 2:
			v.scalar = float64(math.Float32frombits(uint32(f.value)))
		case 4:
			for _, i := range fields(t, f.bytes) {
				switch i.number {
				case 1:
					v.height = int(i.value)
				case 2:
					v.width = int(i.value)
				case 4:
					v.image = i.bytes
				}
			}
		}
	}
	return v
}

// field is a field of a message: a number, or bytes.
type field struct {
	number protowire.Number
	value  uint64
	bytes  []byte
}

func fields(t *testing.T, text []byte) (all []field) {
	t.Helper()
	for len(text) > 0 {
		number, kind, n := protowire.ConsumeTag(text)
		if n < 0 {
			t.Fatal(protowire.ParseError(n))
		}
		text = text[n:]
		f := field{number: number}
		switch kind {
		case protowire.VarintType:
			f.value, n = protowire.ConsumeVarint(text)
		case protowire.Fixed64Type:
			f.value, n = protowire.ConsumeFixed64(text)
		case protowire.Fixed32Type:
			var short uint32
			short, n = protowire.ConsumeFixed32(text)
			f.value = uint64(short)
		default:
			f.bytes, n = protowire.ConsumeBytes(text)
		}
		if n < 0 {
			t.Fatal(protowire.ParseError(n))
		}
		all, text = append(all, f), text[n:]
	}
	return all
}
