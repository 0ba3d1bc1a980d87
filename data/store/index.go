package store

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strings"
	"time"
)

// A file of the store holds, one after the other:
//
//	frames    uint8 [frames, height, width, channels], row-major
//	sums      CRC-32C of each frame, 4 bytes each, low byte first
//	about     what the frames are and were made of, as JSON
//	trailer   length of about, CRC-32C of sums + about + that length (4 bytes each, low byte first), magic
//
// The index comes last because a decoder knows the number of frames only at the end. The file is
// renamed when it is whole, so it can't be half old and half new.
const (
	version     = 2 // changes when equal settings begin to give other frames or another layout; files are then written again
	magic       = "mcvd raw"
	trailerSize = 4 + 4 + len(magic)
	maxAbout    = 64 << 10
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Video says what frames were made from. The frames of a store are used as long as all of it stays
// the same.
type Video struct {
	Name     string    // of the video in its data set
	Bytes    int64     // size of the source
	Modified time.Time // when the source was last changed, to a nanosecond
	Settings string    // everything else that changes the frames, as one line of text; frames for other settings are stored side by side
	Height   int
	Width    int
	Channels int
}

// FrameSize is the number of bytes of a frame.
func (v Video) FrameSize() int { return v.Height * v.Width * v.Channels }

// about is the JSON part of an index.
type about struct {
	Version  int       `json:"version"`
	Name     string    `json:"name"` // with replacement characters where it isn't UTF-8
	Settings string    `json:"settings"`
	Bytes    int64     `json:"bytes"`
	Modified time.Time `json:"modified"`
	Height   int       `json:"height"`
	Width    int       `json:"width"`
	Channels int       `json:"channels"`
	FPS      float64   `json:"fps"` // 0 where it is unknown
	Frames   int       `json:"frames"`
}

func (v Video) about(frames int, fps float64) about {
	return about{version, strings.ToValidUTF8(v.Name, "\uFFFD"), strings.ToValidUTF8(v.Settings, "\uFFFD"), v.Bytes,
		v.Modified.UTC().Round(0), v.Height, v.Width, v.Channels, fps, frames}
}

// writeIndex writes everything that follows the frames.
func writeIndex(w io.Writer, sums []byte, a about) error {
	text, err := json.Marshal(a)
	if err != nil {
		return err
	}
	if len(text) > maxAbout {
		return fmt.Errorf("index: %d bytes of names, want up to %d", len(text), maxAbout)
	}
	index := binary.LittleEndian.AppendUint32(append(sums, text...), uint32(len(text)))
	index = binary.LittleEndian.AppendUint32(index, crc32.Checksum(index, castagnoli))
	_, err = w.Write(append(index, magic...))
	return err
}

// readIndex reads the index of a file of size bytes and verifies it. The sums stay on disk. After
// this the file is known to have the frames and the sums that the index announces, and the sums are
// known to be as they were written.
func readIndex(file io.ReaderAt, size int64) (about, error) {
	trailer := make([]byte, trailerSize)
	if size < int64(trailerSize) {
		return about{}, errors.New("index: cut off")
	}
	if _, err := file.ReadAt(trailer, size-int64(trailerSize)); err != nil {
		return about{}, fmt.Errorf("index: %w", err)
	}
	length := int64(binary.LittleEndian.Uint32(trailer))
	if string(trailer[8:]) != magic || length > min(maxAbout, size-int64(trailerSize)) {
		return about{}, errors.New("index: not one of this store")
	}
	text := make([]byte, length)
	if _, err := file.ReadAt(text, size-int64(trailerSize)-length); err != nil {
		return about{}, fmt.Errorf("index: %w", err)
	}
	a, err := parseAbout(text)
	if err != nil {
		return about{}, fmt.Errorf("index: %w", err)
	}
	// This divides, because a product of numbers from the file could overflow.
	frame := int64(a.Height) * int64(a.Width) * int64(a.Channels)
	if data := size - length - int64(trailerSize); data%(frame+4) != 0 || data/(frame+4) != int64(a.Frames) {
		return about{}, fmt.Errorf("index: %d bytes of frames and sums, want %d frames of %dx%dx%d", data, a.Frames,
			a.Height, a.Width, a.Channels)
	}
	hash := crc32.New(castagnoli)
	start := frame * int64(a.Frames)
	if _, err := io.Copy(hash, io.NewSectionReader(file, start, size-start-int64(trailerSize)+4)); err != nil {
		return about{}, fmt.Errorf("index: %w", err)
	}
	if hash.Sum32() != binary.LittleEndian.Uint32(trailer[4:]) {
		return about{}, errors.New("index: its checksum is wrong")
	}
	return a, nil
}

// maxSide bounds the sides of a frame in an index, so that its size can't overflow.
const maxSide = 1 << 16

// parseAbout is strict: if a field is missing, misspelled or unknown, the video is decoded again.
func parseAbout(text []byte) (a about, err error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&a); err != nil {
		return about{}, err
	}
	if _, err := d.Token(); err != io.EOF {
		return about{}, errors.New("more than one value")
	}
	if a.Frames < 1 || min(a.Height, a.Width, a.Channels) < 1 || max(a.Height, a.Width, a.Channels) > maxSide || !(a.FPS >= 0) {
		return about{}, fmt.Errorf("%d frames of %dx%dx%d at %g a second", a.Frames, a.Height, a.Width, a.Channels, a.FPS)
	}
	return a, nil
}
