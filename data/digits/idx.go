package digits

import (
	"bufio"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"mcvd/data/clips"
)

// validShare is the share of MNIST's training file that is for validation: the last 5,000 of 60,000
// images.
const validShare = 1.0 / 12

// mnistGlyphs reads the images of a split from a folder with MNIST's files. Training and validation
// share a file, but no image. The test file is for the test alone.
func mnistGlyphs(dir string, split clips.Split) ([]glyph, error) {
	if split == clips.Test {
		return readMNIST(dir, "t10k-images-idx3-ubyte")
	}
	glyphs, err := readMNIST(dir, "train-images-idx3-ubyte")
	if err != nil {
		return nil, err
	}
	if len(glyphs) < 2 {
		return nil, fmt.Errorf("data.options.mnist: %s: one training image, want 2 or more, for training and for validation", dir)
	}
	training := len(glyphs) - max(1, int(float64(len(glyphs))*validShare))
	if split == clips.Valid {
		return glyphs[training:], nil
	}
	return glyphs[:training], nil
}

// readMNIST reads a file of images, plain or packed, under one of its usual names.
func readMNIST(dir, name string) ([]glyph, error) {
	for _, candidate := range []string{name, name + ".gz", strings.Replace(name, "-idx3", ".idx3", 1)} {
		path := filepath.Join(dir, candidate)
		file, err := os.Open(path)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		defer file.Close()
		glyphs, err := readImages(file, strings.HasSuffix(path, ".gz"))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		return glyphs, nil
	}
	return nil, fmt.Errorf("data.options.mnist: %s: no %s or %s.gz in it", dir, name, name)
}

func readImages(r io.Reader, compressed bool) ([]glyph, error) {
	r = bufio.NewReader(r)
	if compressed {
		unzipped, err := gzip.NewReader(r)
		if err != nil {
			return nil, err
		}
		r = unzipped
	}
	return readIdx(r)
}

// The bounds of an idx file, far above MNIST's 60000 images of 28x28.
const (
	maxImages = 10_000_000
	maxSide   = 1024
	maxBytes  = 1 << 30
)

// readIdx reads square images in the idx format (LeCun et al. 1998): a magic number, the number of
// images, their height and width, each as 4 bytes, high byte first, then a byte for each pixel, and
// nothing after that. Memory grows with what is really in the file, whatever its head says.
func readIdx(r io.Reader) ([]glyph, error) {
	var head struct{ Magic, Count, Height, Width uint32 }
	if err := binary.Read(r, binary.BigEndian, &head); err != nil {
		return nil, fmt.Errorf("idx head: %w", err)
	}
	switch {
	case head.Magic != 0x00000803:
		return nil, fmt.Errorf("idx head: magic number 0x%08x, want 0x00000803 (images of bytes)", head.Magic)
	case head.Height != head.Width || head.Height < 1 || head.Height > maxSide:
		return nil, fmt.Errorf("idx head: images of %dx%d, want squares of 1 to %d", head.Height, head.Width, maxSide)
	case head.Count < 1 || head.Count > maxImages:
		return nil, fmt.Errorf("idx head: %d images, want 1 to %d", head.Count, maxImages)
	}
	side := int(head.Width)
	size := side * side
	want := int64(head.Count) * int64(size)
	if want > maxBytes {
		return nil, fmt.Errorf("idx head: %d images of %dx%d are %d bytes, want up to %d", head.Count, side, side, want, maxBytes)
	}
	pix, err := io.ReadAll(io.LimitReader(r, want+1))
	if err != nil {
		return nil, fmt.Errorf("idx: after %d of %d bytes: %w", len(pix), want, err)
	}
	if int64(len(pix)) < want {
		return nil, fmt.Errorf("idx: cut off: %d bytes of images, want %d", len(pix), want)
	}
	if int64(len(pix)) > want {
		return nil, fmt.Errorf("idx: more than the %d bytes of images that the head announces", want)
	}
	glyphs := make([]glyph, head.Count)
	for i := range glyphs {
		glyphs[i] = glyph{side, pix[i*size : (i+1)*size : (i+1)*size]}
	}
	return glyphs, nil
}
