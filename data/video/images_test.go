package video

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func saveImage(t *testing.T, path string, img image.Image) {
	t.Helper()
	var out bytes.Buffer
	err := png.Encode(&out, img)
	if filepath.Ext(path) != ".png" {
		out.Reset()
		err = jpeg.Encode(&out, img, nil)
	}
	if err := errors.Join(err, os.WriteFile(path, out.Bytes(), 0o644)); err != nil {
		t.Fatal(err)
	}
}

func TestImagesInNaturalOrder(t *testing.T) {
	dir := t.TempDir()
	for i, name := range []string{"frame1.png", "frame2.jpg", "frame10.png", "frame010.png", ".hidden.png", "notes.txt"} {
		img := image.NewGray(image.Rect(0, 0, 20, 10))
		for j := range img.Pix {
			img.Pix[j] = uint8(50 * i)
		}
		saveImage(t, filepath.Join(dir, name), img)
	}
	names, err := Images(dir)
	if err != nil {
		t.Fatal(err)
	}
	for i := range names {
		names[i] = filepath.Base(names[i])
	}
	if want := []string{"frame1.png", "frame2.jpg", "frame010.png", "frame10.png"}; !slices.Equal(names, want) {
		t.Errorf("%q, want %q", names, want)
	}
	got := decodeAll(t, dir, DecodeOptions{Size: 4, Channels: 1, Crop: Center})
	if got.Frames != 4 || !near([]uint8{got.Pix[0], got.Pix[16], got.Pix[32], got.Pix[48]}, []uint8{0, 50, 150, 100}, 1) {
		t.Errorf("%d frames: %v", got.Frames, got.Pix)
	}
	if info, err := Probe(context.Background(), dir); err != nil || info != (Info{Width: 20, Height: 10, Frames: 4}) {
		t.Errorf("%+v, %v", info, err)
	}
	_, err = tryDecode(dir, DecodeOptions{Channels: 1, FPS: 5})
	if err == nil || !strings.Contains(err.Error(), "5 frames a second: images don't say how many a second they are") {
		t.Errorf("a rate for images of which nobody said theirs: %v", err)
	}
	half := decodeAll(t, dir, DecodeOptions{Size: 4, Channels: 1, FPS: 5, ImageFPS: 10})
	if half.Frames != 2 || !near([]uint8{half.Pix[0], half.Pix[16]}, []uint8{0, 150}, 1) {
		t.Errorf("every second image: %d frames: %v", half.Frames, half.Pix)
	}
	saveImage(t, filepath.Join(dir, "frame3.png"), image.NewGray(image.Rect(0, 0, 21, 10)))
	if _, err := tryDecode(dir, DecodeOptions{Size: 4, Channels: 1}); err == nil || !strings.Contains(err.Error(), "frame3.png: 21x10 pixels, want 20x10") {
		t.Errorf("an image of another size: %v", err)
	}
	os.WriteFile(filepath.Join(dir, "frame3.png"), []byte("no image"), 0o644)
	if _, err := tryDecode(dir, DecodeOptions{Size: 4, Channels: 1}); err == nil || !strings.Contains(err.Error(), "frame3.png: not a readable image") {
		t.Errorf("a broken image: %v", err)
	}
}

func TestResampledImagesAreTheNearest(t *testing.T) {
	names := []string{"0", "1", "2", "3", "4", "5"}
	if got := strings.Join(resample(names, 29.97, 30), ""); got != "012345" {
		t.Errorf("almost the same rate: %s, want each once", got)
	}
	for want, rates := range map[string][2]float64{"012345": {7, 0}, "024": {10, 5}, "03": {30, 10}, "001122334455": {10, 20}, "0134": {3, 2},
		"0122345": {5, 6}} {
		got := strings.Join(resample(names, rates[0], rates[1]), "")
		if got != want {
			t.Errorf("%g to %g a second: %s, want %s", rates[0], rates[1], got, want)
		}
	}
}

// hugePNG has a head that says so many pixels, with a right checksum, and no pixels.
func hugePNG(width, height uint32) []byte {
	chunk := func(name string, data []byte) []byte {
		body := append([]byte(name), data...)
		out := append(binary.BigEndian.AppendUint32(nil, uint32(len(data))), body...)
		return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(body))
	}
	head := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, width), height)
	return slices.Concat([]byte("\x89PNG\r\n\x1a\n"), chunk("IHDR", append(head, 8, 0, 0, 0, 0)), chunk("IDAT", nil), chunk("IEND", nil))
}

// An image with more pixels than fit is refused by its head: Go would take memory for all of them.
func TestHugeImagesAreRefusedBeforeTheyAreDecoded(t *testing.T) {
	const want = "40000x40000 pixels, want 1 to 67108864: make it smaller first"
	huge := hugePNG(40000, 40000)
	path := filepath.Join(t.TempDir(), "frame.png")
	if err := os.WriteFile(path, huge, 0o644); err != nil {
		t.Fatal(err)
	}
	_, piece := DecodeImage(huge, DecodeOptions{Size: 8, Channels: 1})
	_, probed := Probe(context.Background(), filepath.Dir(path))
	_, decoded := tryDecode(filepath.Dir(path), DecodeOptions{Size: 8, Channels: 1})
	_, read := readImage(path, image.Pt(40000, 40000))
	for name, err := range map[string]error{"a piece": piece, "a folder": probed, "decoded": decoded, "one": read} {
		if err == nil || !strings.HasSuffix(err.Error(), want) || name != "a piece" && !strings.HasPrefix(err.Error(), path+": ") {
			t.Errorf("%s: error %v, want %s", name, err, want)
		}
	}
	if err := checkPixels(8192, 8192); err != nil {
		t.Errorf("the most: %v", err)
	}
	if err := checkPixels(8192, 8193); err == nil {
		t.Error("a row more is no error")
	}
}

// A video says its size in its head, too. ffmpeg refuses by itself what has more than 2^28 pixels or so.
func TestHugeVideosAreRefusedBeforeTheyAreDecoded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "huge.gif")
	gif := []byte("GIF89a\x80\x3e\x80\x3e\x80\x00\x00\x00\x00\x00\xff\xff\xff,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;") // 16000x16000, one pixel drawn
	if err := os.WriteFile(path, gif, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, o := range []DecodeOptions{{Size: 8, Channels: 1}, {Channels: 3}} {
		if _, err := tryDecode(path, o); err == nil || err.Error() != path+": 16000x16000 pixels, want 1 to 67108864: make it smaller first" {
			t.Errorf("error %v", err)
		}
	}
}
