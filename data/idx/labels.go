package idx

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
)

// Classes are the names of what labels may show: 0 to 9, or to the largest label of files that show
// more than digits. They are nil if there are no labels.
func Classes(labels []uint8) (names []string) {
	if labels == nil {
		return nil
	}
	for digit := range max(10, int(slices.Max(labels))+1) {
		names = append(names, strconv.Itoa(digit))
	}
	return names
}

// Distinct are the names of digits, each once, in ascending order.
func Distinct(digits []uint8) (names []string) {
	for _, digit := range slices.Compact(slices.Sorted(slices.Values(digits))) {
		names = append(names, strconv.Itoa(int(digit)))
	}
	return names
}

// labelsOf reads the labels of a file of images, which lie beside it under MNIST's name for them: a
// number for each of the images. They are nil if there is no such file.
func labelsOf(dir, images string, count int) (labels []uint8, err error) {
	name := strings.NewReplacer("images", "labels", "idx3", "idx1").Replace(images)
	err = open(dir, name, "-idx1", func(r io.Reader) (err error) {
		labels, err = readLabels(r, count)
		return err
	})
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return labels, err
}

// readLabels reads the idx format of labels: a magic number, how many there are, each as 4 bytes, high
// byte first, then a byte for each, and nothing after that.
func readLabels(r io.Reader, count int) ([]uint8, error) {
	var head struct{ Magic, Count uint32 }
	if err := binary.Read(r, binary.BigEndian, &head); err != nil {
		return nil, fmt.Errorf("idx head: %w", err)
	}
	switch {
	case head.Magic != 0x00000801:
		return nil, fmt.Errorf("idx head: magic number 0x%08x, want 0x00000801 (labels of a byte)", head.Magic)
	case int64(head.Count) != int64(count):
		return nil, fmt.Errorf("idx head: %d labels, want %d, one for each image", head.Count, count)
	}
	labels, err := io.ReadAll(io.LimitReader(r, int64(count)+1))
	if err != nil {
		return nil, fmt.Errorf("idx: after %d of %d labels: %w", len(labels), count, err)
	}
	if len(labels) != count {
		return nil, fmt.Errorf("idx: not the %d bytes of labels that the head announces", count)
	}
	return labels, nil
}
