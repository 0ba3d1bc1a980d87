package torch

import (
	"bufio"
	"errors"
	"fmt"
	"io"
)

const (
	maxPickle = 64 << 20 // bytes of all pickles
	maxSteps  = 1 << 20  // instructions of all pickles, and values that they copy
	maxName   = 1024     // bytes of the name of a class or function
)

// input reads pickles, and counts how much they may still use.
type input struct {
	r          *bufio.Reader
	read, left int64 // bytes
	steps      int
	scripted   bool // whether the pickle is TorchScript's, which may name modules of its own
}

// newInput reads size bytes at most.
func newInput(r io.Reader, size int64) *input {
	return &input{r: bufio.NewReader(r), left: size, steps: maxSteps}
}

// take reads n bytes into new memory. A length that the rest can't have is refused before anything
// is allocated.
func (in *input) take(n uint64) ([]byte, error) {
	if n > uint64(in.left) {
		return nil, fmt.Errorf("%d bytes announced, %d left", n, in.left)
	}
	in.left -= int64(n)
	b := make([]byte, n)
	got, err := io.ReadFull(in.r, b)
	in.read += int64(got)
	return b, err
}

// byte reads one byte.
func (in *input) byte() (byte, error) {
	if in.left == 0 {
		return 0, errors.New("ends without a STOP")
	}
	in.left--
	in.read++
	return in.r.ReadByte()
}

// number reads an unsigned little-endian integer of width bytes.
func (in *input) number(width int) (n uint64, err error) {
	for i := range width {
		b, err := in.byte()
		if err != nil {
			return 0, err
		}
		n |= uint64(b) << (8 * i)
	}
	return n, nil
}

// counted reads a length of width bytes, then as many bytes.
func (in *input) counted(width int) ([]byte, error) {
	n, err := in.number(width)
	if err != nil {
		return nil, err
	}
	return in.take(n)
}

// line reads up to a newline, which it drops.
func (in *input) line() (string, error) {
	var b []byte
	for {
		c, err := in.byte()
		switch {
		case err != nil:
			return "", err
		case c == '\n':
			return string(b), nil
		case len(b) == maxName:
			return "", fmt.Errorf("a name of more than %d bytes", maxName)
		}
		b = append(b, c)
	}
}

// spend counts n instructions or copied values.
func (in *input) spend(n int) error {
	if in.steps -= n; in.steps < 0 {
		return fmt.Errorf("more than %d instructions", maxSteps)
	}
	return nil
}
