package bair

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"mcvd/data/clips"
)

// message is a field of bytes.
func message(field protowire.Number, b []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, field, protowire.BytesType), b)
}

// record is a tf.train.Example of frames, each in so many pieces of bytes.
func record(pieces ...int) []byte {
	var features []byte
	for t, n := range pieces {
		frame, list := make([]byte, side*side*channels), []byte{}
		for k := range n { // all in the first
			list = append(list, message(1, frame[:len(frame)*(1-min(k, 1))])...)
		}
		entry := append(message(1, fmt.Appendf(nil, "%d/image_aux1/encoded", t)), message(2, message(1, list))...)
		features = append(features, message(1, entry)...)
	}
	return message(1, features)
}

// write makes a data set of one file of records.
func write(t *testing.T, records ...[]byte) string {
	t.Helper()
	var out []byte
	sum := func(b []byte) {
		s := crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli))
		out = binary.LittleEndian.AppendUint32(out, (s>>15|s<<17)+0xa282ead8)
	}
	for _, r := range records {
		head := binary.LittleEndian.AppendUint64(nil, uint64(len(r)))
		out = append(out, head...)
		sum(head)
		out = append(out, r...)
		sum(r)
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "train"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "train", "a.tfrecords"), out, 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// All records of a file have as many frames as the first, and a frame is one piece.
func TestRecordsUnlikeTheFirst(t *testing.T) {
	two := record(1, 1)
	for want, odd := range map[string][]byte{
		"":                           two,
		"not 2 frames, as the first": record(1, 1, 1),
		"not 2 frames":               record(1),
		"feature 1/image_aux1/encoded: 2 pieces of bytes, want the 12288": record(1, 2),
	} {
		d, err := open(config(write(t, two, odd, odd, two)), clips.Train, 1)
		if err != nil {
			t.Fatal(err)
		}
		clip, err := d.Clip(1, 0, 2)
		switch {
		case want == "" && (err != nil || clip.Frames != 2):
			t.Errorf("a record like the first: %v", err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("error %v, want %s", err, want)
		}
	}
}
