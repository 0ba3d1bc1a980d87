package npy

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"mcvd/data/clips"
)

// Frames is an array of bytes that are the frames of videos.
type Frames struct {
	Axes  string // a letter for each axis: n videos, t frames, h height, w width, c channels; h, w and c are the last
	Start int64  // where the frames begin

	Videos, Frames, Height, Width, Channels int // 1 where there is no such axis
}

// NewFrames reads the header of an array of bytes, and compares its shape with the axes and with the number of
// bytes.
func NewFrames(from *io.SectionReader, axes string) (*Frames, error) {
	h, err := ReadHeader(from)
	if err != nil {
		return nil, err
	}
	if h.Type != "|u1" {
		return nil, fmt.Errorf("an array of %.20s, want bytes from 0 to 255 (|u1): scale it, round it, and write it as numpy.uint8", h.Type)
	}
	if h.Fortran {
		return nil, errors.New("an array in Fortran's order: write numpy.ascontiguousarray of it")
	}
	if len(h.Shape) != len(axes) {
		return nil, fmt.Errorf("an array of shape %v, want %d axes, %s", h.Shape, len(axes), axes)
	}
	rest := from.Size() - h.Bytes
	elements := int64(1)
	for _, n := range h.Shape {
		if n < 1 || int64(n) > rest/elements {
			return nil, fmt.Errorf("an array of shape %v in %d bytes: empty, or cut off", h.Shape, rest)
		}
		elements *= int64(n)
	}
	if elements != rest {
		return nil, fmt.Errorf("an array of shape %v, of %d bytes, want the %d that the file has", h.Shape, elements, rest)
	}
	a := &Frames{Axes: axes, Start: h.Bytes, Videos: 1, Channels: 1}
	for i, axis := range axes {
		*map[rune]*int{'n': &a.Videos, 't': &a.Frames, 'h': &a.Height, 'w': &a.Width, 'c': &a.Channels}[axis] = h.Shape[i]
	}
	return a, nil
}

// Read reads frames of a video, beginning with number start, from what the header was read from, or
// from a larger file of which that is a part, if Start was moved.
func (a *Frames) Read(from io.ReaderAt, video, start int, to clips.Clip) error {
	if !strings.HasPrefix(a.Axes, "tn") { // the frames of a video lie behind each other
		return a.readAt(from, video*a.Frames+start, to.Pix)
	}
	for i := range to.Frames {
		if err := a.readAt(from, (start+i)*a.Videos+video, to.Slice(i, i+1).Pix); err != nil {
			return err
		}
	}
	return nil
}

// readAt reads from a frame on, counted in the order of the file.
func (a *Frames) readAt(from io.ReaderAt, frame int, to []uint8) error {
	_, err := from.ReadAt(to, a.Start+int64(frame)*int64(a.Height*a.Width*a.Channels))
	return err
}
