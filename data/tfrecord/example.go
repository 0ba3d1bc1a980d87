package tfrecord

import (
	"errors"
	"fmt"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// Feature is a list of one of three types; the others are nil.
type Feature struct {
	Bytes  [][]byte
	Floats []float32
	Ints   []int64
}

// Example is the message tf.train.Example: features by name.
type Example map[string]Feature

// Field numbers of the messages. Example, Features and the lists have field 1 only.
const (
	only      = 1
	key       = 1
	value     = 2
	bytesList = 1
	floatList = 2
	int64List = 3
)

// Parse reads the message tf.train.Example. Lists of numbers may be packed or not. Bytes share
// memory with b.
func Parse(b []byte) (Example, error) {
	out := Example{}
	err := messages(b, only, func(features []byte) error {
		return messages(features, only, out.add)
	})
	if err != nil {
		return nil, fmt.Errorf("no tf.train.Example: %w", err)
	}
	return out, nil
}

// add adds an entry of the map of features. Of two with one name, the last counts.
func (e Example) add(entry []byte) error {
	var name string
	var f Feature
	err := fields(entry, func(field protowire.Number, v any) error {
		b, ok := v.([]byte)
		switch {
		case field != key && field != value:
		case !ok:
			return errType
		case field == key:
			name = string(b)
		default:
			f = Feature{}
			return fields(b, f.add)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("feature %.60q: %w", name, err)
	}
	e[name] = f
	return nil
}

// add adds a list to a feature. A list of another type replaces those before it.
func (f *Feature) add(field protowire.Number, v any) error {
	if field < bytesList || field > int64List {
		return nil
	}
	list, ok := v.([]byte)
	if !ok {
		return errType
	}
	switch field {
	case bytesList:
		*f = Feature{Bytes: f.Bytes}
	case floatList:
		*f = Feature{Floats: f.Floats}
	case int64List:
		*f = Feature{Ints: f.Ints}
	}
	return fields(list, func(n protowire.Number, v any) error {
		if n != only {
			return nil
		}
		return f.append(field, v)
	})
}

// append appends an element, or the elements of a packed list.
func (f *Feature) append(list protowire.Number, v any) error {
	switch v := v.(type) {
	case []byte:
		if list == bytesList {
			f.Bytes = append(f.Bytes, v)
			return nil
		}
		return f.unpack(list, v)
	case uint32:
		if list == floatList {
			f.Floats = append(f.Floats, math.Float32frombits(v))
			return nil
		}
	case uint64:
		if list == int64List {
			f.Ints = append(f.Ints, int64(v))
			return nil
		}
	}
	return errType
}

// unpack appends the numbers of a packed list.
func (f *Feature) unpack(list protowire.Number, packed []byte) error {
	for len(packed) > 0 {
		var n int
		if list == floatList {
			var bits uint32
			if bits, n = protowire.ConsumeFixed32(packed); n > 0 {
				f.Floats = append(f.Floats, math.Float32frombits(bits))
			}
		} else {
			var number uint64
			if number, n = protowire.ConsumeVarint(packed); n > 0 {
				f.Ints = append(f.Ints, int64(number))
			}
		}
		if n < 0 {
			return protowire.ParseError(n)
		}
		packed = packed[n:]
	}
	return nil
}

var errType = errors.New("a field of another type than the message has")

// messages calls each for every message in a field; other fields are passed over.
func messages(b []byte, wanted protowire.Number, each func(message []byte) error) error {
	return fields(b, func(field protowire.Number, v any) error {
		if field != wanted {
			return nil
		}
		message, ok := v.([]byte)
		if !ok {
			return errType
		}
		return each(message)
	})
}

// fields calls each for every field of a message, with a uint64 for a varint, a uint32 for 4 bytes,
// the bytes of what has a length, and nil for everything else.
func fields(b []byte, each func(field protowire.Number, v any) error) error {
	for len(b) > 0 {
		field, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		b = b[n:]
		var v any
		switch kind {
		case protowire.VarintType:
			v, n = protowire.ConsumeVarint(b)
		case protowire.Fixed32Type:
			v, n = protowire.ConsumeFixed32(b)
		case protowire.BytesType:
			v, n = protowire.ConsumeBytes(b)
		default:
			n = protowire.ConsumeFieldValue(field, kind, b)
		}
		if n < 0 {
			return protowire.ParseError(n)
		}
		if err := each(field, v); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}
