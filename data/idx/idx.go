// Package idx reads images in the format of MNIST's files, plain or packed.
package idx

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

	"mcvd/configs/regular"
	"mcvd/data/clips"
)

// MNIST's files of images.
const (
	Train = "train-images-idx3-ubyte"
	Test  = "t10k-images-idx3-ubyte"
)

// Images are square pictures of Side x Side bytes, 0 for background, 255 for ink, row-major.
type Images struct {
	Side int
	Pix  [][]uint8
	// Labels are the digits that they show; nil if there is no file of labels.
	Labels []uint8
}

// Open reads a file of images in a folder, plain or .gz, under one of its usual names, and the file of
// their labels if it lies there. An error names the file; where there is no file of images, it names
// the script that gets it.
func Open(dir, name string) (Images, error) {
	var images Images
	err := open(dir, name, "-idx3", func(r io.Reader) (err error) {
		images, err = read(r)
		return err
	})
	if errors.Is(err, os.ErrNotExist) {
		return Images{}, fmt.Errorf("%s: no %s or %s.gz in it (`scripts/install-data.sh mnist FOLDER` gets them)", dir, name, name)
	}
	if err == nil {
		images.Labels, err = labelsOf(dir, name, len(images.Pix))
	}
	if err != nil {
		return Images{}, err
	}
	return images, nil
}

// open reads a file in a folder under one of its usual names: plain, .gz, or with a dot in place of
// the hyphen before the kind. Its error is os.ErrNotExist if there is none, and else names the file.
func open(dir, name, kind string, read func(io.Reader) error) error {
	for _, candidate := range []string{name, name + ".gz", strings.Replace(name, kind, "."+kind[1:], 1)} {
		path := filepath.Join(dir, candidate)
		file, _, err := regular.Open(path)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		defer file.Close()
		r, err := unpacked(bufio.NewReader(file), strings.HasSuffix(path, ".gz"))
		if err == nil {
			err = read(r)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		return nil
	}
	return os.ErrNotExist
}

// unpacked is what a file holds.
func unpacked(r io.Reader, compressed bool) (io.Reader, error) {
	if compressed {
		return gzip.NewReader(r)
	}
	return r, nil
}

// The bounds of an idx file, far above MNIST's 60000 images of 28x28.
const (
	maxImages = 10_000_000
	maxSide   = 1024
	maxBytes  = 1 << 30
)

// read reads square images in the idx format (LeCun et al. 1998): a magic number, the number of
// images, their height and width, each as 4 bytes, high byte first, then a byte for each pixel, and
// nothing after that. Memory grows with what is really in the file, whatever its head says.
func read(r io.Reader) (Images, error) {
	var head struct{ Magic, Count, Height, Width uint32 }
	if err := binary.Read(r, binary.BigEndian, &head); err != nil {
		return Images{}, fmt.Errorf("idx head: %w", err)
	}
	switch {
	case head.Magic != 0x00000803:
		return Images{}, fmt.Errorf("idx head: magic number 0x%08x, want 0x00000803 (images of bytes)", head.Magic)
	case head.Height != head.Width || head.Height < 1 || head.Height > maxSide:
		return Images{}, fmt.Errorf("idx head: images of %dx%d, want squares of 1 to %d", head.Height, head.Width, maxSide)
	case head.Count < 1 || head.Count > maxImages:
		return Images{}, fmt.Errorf("idx head: %d images, want 1 to %d", head.Count, maxImages)
	}
	side := int(head.Width)
	size := side * side
	want := int64(head.Count) * int64(size)
	if want > maxBytes {
		return Images{}, fmt.Errorf("idx head: %d images of %dx%d are %d bytes, want up to %d", head.Count, side, side, want, maxBytes)
	}
	pix, err := io.ReadAll(io.LimitReader(r, want+1))
	if err != nil {
		return Images{}, fmt.Errorf("idx: after %d of %d bytes: %w", len(pix), want, err)
	}
	if int64(len(pix)) < want {
		return Images{}, fmt.Errorf("idx: cut off: %d bytes of images, want %d", len(pix), want)
	}
	if int64(len(pix)) > want {
		return Images{}, fmt.Errorf("idx: more than the %d bytes of images that the head announces", want)
	}
	out := Images{Side: side, Pix: make([][]uint8, head.Count)}
	for i := range out.Pix {
		out.Pix[i] = pix[i*size : (i+1)*size : (i+1)*size]
	}
	return out, nil
}

// validShare is the share of MNIST's training file that is for validation: the last 5,000 of 60,000
// images.
const validShare = 1.0 / 12

// Of reads the images of a split from a folder with MNIST's files. Training and validation share a
// file, but no image. The test file is for the test alone.
func Of(dir string, split clips.Split) (Images, error) {
	if split == clips.Test {
		return Open(dir, Test)
	}
	all, err := Open(dir, Train)
	if err != nil {
		return Images{}, err
	}
	n := len(all.Pix)
	if n < 2 {
		return Images{}, fmt.Errorf("%s: one training image, want 2 or more, for training and for validation", dir)
	}
	training := n - max(1, int(float64(n)*validShare))
	if split == clips.Valid {
		return all.part(training, n), nil
	}
	return all.part(0, training), nil
}

// part are the images from one to before another, with their labels.
func (im Images) part(from, to int) Images {
	im.Pix = im.Pix[from:to]
	if im.Labels != nil {
		im.Labels = im.Labels[from:to]
	}
	return im
}

// First are the first n images, or all if there are fewer.
func (im Images) First(n int) Images { return im.part(0, min(n, len(im.Pix))) }
