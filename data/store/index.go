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

	"mcvd/configs/regular"
)

// A file of the store holds, one after the other:
//
//	frames    uint8 [frames, height, width, channels] of all videos, row-major; or chunks of them, each compressed by zstd
//	sums      CRC-32C of each frame before compression, 4 bytes each
//	chunks    only of compressed files: the offset at which each chunk ends, 8 bytes, and its CRC-32C, 4 bytes
//	about     what the frames are and were made of, as JSON
//	trailer   length of about, CRC-32C of sums + chunks + about + that length (4 bytes each), magic
//
// Numbers stand with their low byte first. A chunk holds frames of one video; the last of a video
// may have fewer. The index, which is all but the frames, comes last because a decoder knows the
// number of frames only at the end. The file is renamed when it is whole, so it can't be half old
// and half new.
const (
	version     = 3 // changes when equal settings begin to give other frames or another layout; files are then written again
	magic       = "mcvd raw"
	trailerSize = 4 + 4 + len(magic)
	maxAbout    = 64 << 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Format is what all videos of a file have in common.
type Format struct {
	Settings string `json:"settings"` // everything that changes the frames but the videos themselves, as one line of text
	Height   int    `json:"height"`
	Width    int    `json:"width"`
	Channels int    `json:"channels"`
	Chunk    int    `json:"chunk"` // how many frames are compressed together by zstd; 0 for frames that are not compressed
}

// FrameSize is the number of bytes of a frame.
func (f Format) FrameSize() int { return f.Height * f.Width * f.Channels }

// Source says what the frames of a video were made from.
type Source struct {
	Name     string    `json:"name"`              // of the video in its data set
	Bytes    int64     `json:"bytes,omitempty"`   // size of the source
	Modified time.Time `json:"modified,omitzero"` // when the source was last changed, to a nanosecond
	// Content is a checksum of the source's bytes, see [Content]; "" if it is unknown. It tells what has
	// changed without anybody noticing, and nothing else depends on it.
	Content string `json:"content,omitempty"`
}

// is says whether a source is another one, as it is seen without reading it.
func (s Source) is(other Source) bool {
	s.Content, other.Content = "", ""
	return s == other
}

// Content is a checksum of files, one after the other: their CRC-32C, eight hexadecimal digits.
func Content(paths ...string) (string, error) {
	sum := crc32.New(castagnoli)
	for _, path := range paths {
		f, _, err := regular.Open(path)
		if err != nil {
			return "", err
		}
		_, err = io.Copy(sum, f)
		if err := errors.Join(err, f.Close()); err != nil {
			return "", fmt.Errorf("%s: %w", path, err)
		}
	}
	return fmt.Sprintf("%08x", sum.Sum32()), nil
}

// stored is a video in an index.
type stored struct {
	Source
	Frames int     `json:"frames"`
	FPS    float64 `json:"fps"` // 0 where it is unknown
}

// about is the JSON part of an index.
type about struct {
	Version int `json:"version"`
	Format
	Videos []stored `json:"videos"`
}

// Written is the format as a file returns it: with replacement characters where its text isn't
// UTF-8.
func (f Format) Written() Format {
	f.Settings = strings.ToValidUTF8(f.Settings, "\uFFFD")
	return f
}

// Written is the source as [File.Source] returns it: with replacement characters where the name
// isn't UTF-8, and with the time in UTC.
func (s Source) Written() Source {
	s.Name, s.Modified = strings.ToValidUTF8(s.Name, "\uFFFD"), s.Modified.UTC().Round(0)
	return s
}

// chunks is how many chunks a video of so many frames has.
func (f Format) chunks(frames int) int { return (frames + f.Chunk - 1) / max(1, f.Chunk) }

// chunkEntry is the size of an entry of the table of chunks.
const chunkEntry = 8 + 4

// tables is the size of both tables, for all frames and chunks of a file.
func tables(frames, chunks int) int64 { return 4*int64(frames) + chunkEntry*int64(chunks) }

// writeIndex writes everything that follows the frames, and returns its checksum.
func writeIndex(w io.Writer, sums, chunks []byte, a about) (uint32, error) {
	text, err := json.Marshal(a)
	if err != nil {
		return 0, err
	}
	if len(text) > maxAbout {
		return 0, fmt.Errorf("index: %d bytes of names, want up to %d", len(text), maxAbout)
	}
	text = binary.LittleEndian.AppendUint32(text, uint32(len(text)))
	sum := crc32.Update(crc32.Update(crc32.Checksum(sums, castagnoli), castagnoli, chunks), castagnoli, text)
	for _, part := range [][]byte{sums, chunks, binary.LittleEndian.AppendUint32(text, sum), []byte(magic)} {
		if _, err := w.Write(part); err != nil {
			return 0, err
		}
	}
	return sum, nil
}

// index is what is known of a file after its index was read.
type index struct {
	about
	frames, chunks int   // of all videos
	data           int64 // the bytes of frames, or of chunks
	sum            uint32
}

// readIndex reads the index of a file of size bytes and verifies it. The tables stay on disk. After
// this the file is known to have the frames and the sums that the index announces, and the tables
// are known to be as they were written.
func readIndex(file io.ReaderAt, size int64) (x index, err error) {
	trailer := make([]byte, trailerSize)
	if size < int64(trailerSize) {
		return index{}, errors.New("index: cut off")
	}
	if _, err := file.ReadAt(trailer, size-int64(trailerSize)); err != nil {
		return index{}, fmt.Errorf("index: %w", err)
	}
	length := int64(binary.LittleEndian.Uint32(trailer))
	if string(trailer[8:]) != magic || length > min(maxAbout, size-int64(trailerSize)) {
		return index{}, errors.New("index: not one of this store")
	}
	text := make([]byte, length)
	if _, err := file.ReadAt(text, size-int64(trailerSize)-length); err != nil {
		return index{}, fmt.Errorf("index: %w", err)
	}
	a, err := parseAbout(text)
	if err != nil {
		return index{}, fmt.Errorf("index: %w", err)
	}
	x = index{about: a, sum: binary.LittleEndian.Uint32(trailer[4:])}
	if err := x.measure(file, size-length-int64(trailerSize)); err != nil {
		return index{}, fmt.Errorf("index: %w", err)
	}
	hash := crc32.New(castagnoli)
	if _, err := io.Copy(hash, io.NewSectionReader(file, x.data, size-x.data-int64(trailerSize)+4)); err != nil {
		return index{}, fmt.Errorf("index: %w", err)
	}
	if hash.Sum32() != x.sum {
		return index{}, errors.New("index: its checksum is wrong")
	}
	return x, nil
}

// measure counts what the videos of an index announce, and compares it with the size of the frames
// and tables of a file.
func (x *index) measure(file io.ReaderAt, size int64) error {
	for _, v := range x.Videos {
		if int64(v.Frames) > size/4-int64(x.frames) { // each has a sum; so nothing below can overflow
			return fmt.Errorf("more frames than fit into %d bytes", size)
		}
		x.frames += v.Frames
		if x.Chunk > 0 {
			x.chunks += x.Format.chunks(v.Frames)
		}
	}
	x.data = size - tables(x.frames, x.chunks)
	fits := x.data > 0
	switch {
	case fits && x.Chunk > 0:
		var end [8]byte
		if _, err := file.ReadAt(end[:], size-chunkEntry); err != nil {
			return err
		}
		fits = binary.LittleEndian.Uint64(end[:]) == uint64(x.data)
	case fits: // this divides, because a product of numbers from the file could overflow
		frame := int64(x.FrameSize())
		fits = x.data%frame == 0 && x.data/frame == int64(x.frames)
	}
	if !fits {
		return fmt.Errorf("%d bytes of frames and sums, want %d frames of %dx%dx%d", size, x.frames, x.Height, x.Width, x.Channels)
	}
	return nil
}

// maxSide bounds the sides of a frame in an index, so that its size can't overflow. maxChunk bounds
// the bytes of the frames that are compressed together, which a reader holds in memory.
const (
	maxSide  = 1 << 16
	maxChunk = 1 << 28
)

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
	if a.Version != version {
		return about{}, fmt.Errorf("version %d, want %d", a.Version, version)
	}
	if min(a.Height, a.Width, a.Channels) < 1 || max(a.Height, a.Width) > maxSide || a.Channels > maxSide || a.Chunk < 0 ||
		a.Chunk > maxChunk/a.FrameSize() {
		return about{}, fmt.Errorf("frames of %dx%dx%d in chunks of %d", a.Height, a.Width, a.Channels, a.Chunk)
	}
	if len(a.Videos) == 0 {
		return about{}, errors.New("no videos")
	}
	for _, v := range a.Videos {
		if v.Frames < 1 || !(v.FPS >= 0) {
			return about{}, fmt.Errorf("%q: %d frames at %g a second", v.Name, v.Frames, v.FPS)
		}
	}
	return a, nil
}
