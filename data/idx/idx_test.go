package idx

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mcvd/data/clips"
)

// idxFile makes a file of n squares; all bytes of image i are i+1.
func idxFile(n, side int) []byte {
	out := binary.BigEndian.AppendUint32(nil, 0x803)
	for _, v := range []int{n, side, side} {
		out = binary.BigEndian.AppendUint32(out, uint32(v))
	}
	for i := range n {
		out = append(out, bytes.Repeat([]byte{byte(i + 1)}, side*side)...)
	}
	return out
}

func TestBrokenIdxIsNamed(t *testing.T) {
	good := idxFile(2, 4)
	lying := slices.Clone(good)
	binary.BigEndian.PutUint32(lying[4:], 9_000_000)
	labels := slices.Clone(good)
	labels[3] = 1
	for name, row := range map[string]struct {
		content []byte
		want    string
	}{
		"empty":          {nil, "idx head"},
		"half a head":    {good[:9], "idx head"},
		"labels":         {labels, "magic number 0x00000801"},
		"cut off":        {good[:len(good)-1], "cut off: 31 bytes of images, want 32"},
		"more":           {append(slices.Clone(good), 0), "more than the 32 bytes"},
		"count too high": {lying, "cut off"},
	} {
		if _, err := read(bytes.NewReader(row.content)); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, row.want)
		}
	}
	if _, err := unpacked(bytes.NewReader(good), true); err == nil {
		t.Error("a plain file named .gz gave no error")
	}
}

func TestMissingFilesNameTheScript(t *testing.T) {
	dir := t.TempDir()
	_, err := Open(dir, "train-images-idx3-ubyte")
	if err == nil || !strings.Contains(err.Error(), dir+": no train-images-idx3-ubyte") || !strings.Contains(err.Error(), "scripts/install-data.sh mnist") {
		t.Errorf("error %v, want one with the folder, the file and the script", err)
	}
}

// labelsFile makes a file of labels.
func labelsFile(labels ...byte) []byte {
	return append(binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, 0x801), uint32(len(labels))), labels...)
}

// Labels stay beside their images in every split, whatever form the files have.
func TestLabelsOfEverySplit(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, content []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("train-images-idx3-ubyte", idxFile(24, 4))
	write("t10k-images-idx3-ubyte", idxFile(2, 4))
	if images, err := Of(dir, clips.Train); err != nil || images.Labels != nil || Classes(images.Labels) != nil {
		t.Errorf("without a file of labels: %v and error %v, want none", images.Labels, err)
	}
	var all []byte
	for i := range 24 {
		all = append(all, byte(i%7))
	}
	write("train-labels.idx1-ubyte", labelsFile(all...))
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	zip.Write(labelsFile(9, 3))
	zip.Close()
	write("t10k-labels-idx1-ubyte.gz", packed.Bytes())
	for split, want := range map[clips.Split][]byte{clips.Train: all[:22], clips.Valid: all[22:], clips.Test: {9, 3}} {
		images, err := Of(dir, split)
		if err != nil || !slices.Equal(images.Labels, want) || len(images.Pix) != len(want) {
			t.Errorf("%s: labels %v of %d images and error %v, want %v", split, images.Labels, len(images.Pix), err, want)
		}
		if first := images.First(1); len(first.Pix) != 1 || !slices.Equal(first.Labels, want[:1]) {
			t.Errorf("%s: the first has labels %v", split, first.Labels)
		}
	}
	if got := Classes([]byte{11, 2}); len(got) != 12 || got[11] != "11" {
		t.Errorf("classes %q of labels up to 11", got)
	}
	if got := Distinct([]byte{8, 3, 8}); !slices.Equal(got, []string{"3", "8"}) {
		t.Errorf("%q, want 3 and 8", got)
	}
	for text, content := range map[string][]byte{
		"23 labels, want 24":      labelsFile(all[:23]...),
		"magic number 0x00000803": idxFile(24, 1),
		"not the 24 bytes":        append(labelsFile(all...), 0),
	} {
		write("train-labels.idx1-ubyte", content)
		if _, err := Of(dir, clips.Train); err == nil || !strings.Contains(err.Error(), text) || !strings.Contains(err.Error(), "train-labels.idx1-ubyte") {
			t.Errorf("error %v, want one with the file and %q", err, text)
		}
	}
}

func FuzzIdx(f *testing.F) {
	f.Add(idxFile(2, 4))
	f.Add(idxFile(1, 28)[:20])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, content []byte) {
		images, err := read(bytes.NewReader(content))
		if (err == nil) == (len(images.Pix) == 0) {
			t.Fatalf("%d images and error %v", len(images.Pix), err)
		}
		total := 16
		for _, g := range images.Pix {
			if len(g) != images.Side*images.Side {
				t.Fatalf("%d bytes for an image of size %d", len(g), images.Side)
			}
			total += len(g)
		}
		if err == nil && total != len(content) {
			t.Fatalf("read %d of %d bytes without an error", total, len(content))
		}
	})
}

// FuzzLabels reads any labels: so many as there are images, or an error.
func FuzzLabels(f *testing.F) {
	f.Add([]byte("\x00\x00\x08\x01\x00\x00\x00\x03\x07\x00\xff"), uint16(3))
	f.Add([]byte("\x00\x00\x08\x01\x00\x00\x00\x03\x07\x00"), uint16(3))
	f.Fuzz(func(t *testing.T, content []byte, count uint16) {
		labels, err := readLabels(bytes.NewReader(content), int(count))
		if err == nil && (len(labels) != int(count) || len(content) != 8+len(labels) || !bytes.Equal(labels, content[8:])) {
			t.Errorf("labels %v of %d images in %q", labels, count, content)
		}
		if err == nil && count > 0 && len(Classes(labels)) <= int(slices.Max(labels)) {
			t.Errorf("classes %q of %v", Classes(labels), labels)
		}
	})
}
