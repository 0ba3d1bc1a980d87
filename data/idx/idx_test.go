package idx

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
	"testing"
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
		if _, err := readImages(bytes.NewReader(row.content), false); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, row.want)
		}
	}
	if _, err := readImages(bytes.NewReader(good), true); err == nil {
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
