package rows

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"strings"

	"mcvd/data/npy"
)

// readNPY reads an .npy file of size bytes.
func readNPY(f io.Reader, size int64) ([][]float32, error) {
	in := bufio.NewReaderSize(f, 1<<20)
	h, err := npy.ReadHeader(in)
	if err != nil {
		return nil, err
	}
	number, width, err := npyNumber(h.Type)
	if err != nil {
		return nil, err
	}
	n, d, err := twoAxes(h.Shape)
	if err != nil {
		return nil, err
	}
	rest := size - h.Bytes
	if n > math.MaxInt/d/width || int64(n*d*width) != rest {
		return nil, fmt.Errorf("%d bytes after the header, want those of %d x %d numbers of %d bytes: truncated, or followed by something else", rest, n, d, width)
	}
	rows := make([][]float32, n)
	for i := range rows {
		rows[i] = make([]float32, d)
	}
	place := func(i int) *float32 { return &rows[i/d][i%d] }
	if h.Fortran {
		place = func(i int) *float32 { return &rows[i%n][i/n] }
	}
	buf := make([]byte, width)
	for i := range n * d {
		if _, err := io.ReadFull(in, buf); err != nil {
			return nil, err
		}
		*place(i) = number(buf)
	}
	return rows, nil
}

// npyNumber is how a number of a type is read, and how many bytes it has.
func npyNumber(descr string) (number func([]byte) float32, width int, err error) {
	var order binary.ByteOrder = binary.LittleEndian
	if strings.HasPrefix(descr, ">") {
		order = binary.BigEndian
	}
	switch strings.TrimLeft(descr, "<>") {
	case "f4":
		return func(b []byte) float32 { return math.Float32frombits(order.Uint32(b)) }, 4, nil
	case "f8":
		return func(b []byte) float32 { return float32(math.Float64frombits(order.Uint64(b))) }, 8, nil
	}
	return nil, 0, fmt.Errorf("an array of %s, want float32 or float64", descr)
}
