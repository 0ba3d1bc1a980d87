// Package rows reads vectors of numbers that other programs wrote to files, a vector a row:
// features of videos by networks that are not in this project.
package rows

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"mcvd/configs/regular"
	"mcvd/data/npy"
	"mcvd/models/weights"
)

// Read reads an array [n, d] of floating-point numbers from a file: .npy, as numpy.save writes it,
// or safetensors, by what the file begins with. tensor names the tensor of a safetensors file; it
// may be empty if there is one only, and must be for .npy. Numbers are rounded to float32, the
// precision of networks' features; one that is not finite in it is an error.
func Read(path, tensor string) ([][]float32, error) {
	f, size, err := regular.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	start := make([]byte, len(npy.Magic))
	if n, err := io.ReadFull(f, start); err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, fmt.Errorf("%s: %w", path, err)
	} else {
		start = start[:n]
	}
	var rows [][]float32
	switch {
	case string(start) == npy.Magic && tensor != "":
		return nil, fmt.Errorf("%s: tensor %q: an .npy file holds one array, which has no name", path, tensor)
	case string(start) == npy.Magic:
		rows, err = readNPY(io.NewSectionReader(f, 0, size), size)
	case bytes.HasPrefix(start, []byte("PK")):
		return nil, fmt.Errorf("%s: a zip archive, such as .npz; want one array as .npy (numpy.save), or safetensors", path)
	default:
		return readSafetensors(path, tensor)
	}
	if err == nil {
		err = checkFinite(rows)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return rows, nil
}

// readSafetensors reads a tensor of a safetensors file. Its errors name the file.
func readSafetensors(path, tensor string) ([][]float32, error) {
	is, err := weights.Is(path)
	if err != nil {
		return nil, err
	}
	if !is {
		return nil, fmt.Errorf("%s: neither .npy nor safetensors", path)
	}
	f, err := weights.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	t, err := choose(f, tensor)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	n, d, err := twoAxes(t.Shape)
	if err != nil {
		return nil, fmt.Errorf("%s: tensor %q: %w", path, t.Name, err)
	}
	values, err := f.Float32s(t.Name)
	if err != nil {
		return nil, err
	}
	rows := make([][]float32, n)
	for i := range rows {
		rows[i] = values[i*d : (i+1)*d]
	}
	if err := checkFinite(rows); err != nil {
		return nil, fmt.Errorf("%s: tensor %q: %w", path, t.Name, err)
	}
	return rows, nil
}

// choose finds the tensor of that name, or the only one there is.
func choose(f *weights.File, name string) (weights.Tensor, error) {
	tensors := f.Tensors()
	if name == "" && len(tensors) == 1 {
		return tensors[0], nil
	}
	if t, ok := f.Lookup(name); ok && name != "" {
		return t, nil
	}
	const shown = 5
	var names []string
	for _, t := range tensors {
		if len(names) == shown {
			names = append(names, fmt.Sprintf("and %d more", len(tensors)-shown))
			break
		}
		names = append(names, t.Name)
	}
	if name == "" {
		return weights.Tensor{}, fmt.Errorf("%d tensors (%s), want the name of one", len(tensors), strings.Join(names, ", "))
	}
	return weights.Tensor{}, fmt.Errorf("no tensor %q in it, but %s", name, strings.Join(names, ", "))
}

// twoAxes is the number of rows and of numbers in each.
func twoAxes(shape []int) (n, d int, err error) {
	if len(shape) != 2 || shape[0] < 1 || shape[1] < 1 {
		return 0, 0, fmt.Errorf("an array of shape %v, want [vectors, numbers]", shape)
	}
	return shape[0], shape[1], nil
}

func checkFinite(rows [][]float32) error {
	for i, row := range rows {
		for j, v := range row {
			if v-v != 0 {
				return fmt.Errorf("row %d, number %d, counted from 0: %g, want a finite float32", i, j, v)
			}
		}
	}
	return nil
}
