package weights

import (
	"errors"
	"io"

	"mcvd/configs/regular"
)

// Is says whether a file begins like a safetensors file: 8 bytes of a length, then JSON.
func Is(path string) (bool, error) {
	file, _, err := regular.Open(path)
	if err != nil {
		return false, err
	}
	defer file.Close()
	var start [lengthSize + 1]byte
	_, err = io.ReadFull(file, start[:])
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return false, nil
	}
	return start[lengthSize] == '{', err
}
