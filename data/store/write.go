package store

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"

	"github.com/klauspost/compress/zstd"

	"mcvd/configs/atomicfile"
)

// Written says what a file holds that was written.
type Written struct {
	Videos, Frames int
	Bytes          int64  // of the file
	Sum            uint32 // CRC-32C of its index, as [File.Sum]
}

// WriteFile makes a file of videos. fill adds them, one after the other. If it fails, or anything
// else does, the path stays as it was. Equal videos give equal bytes.
func WriteFile(path string, f Format, fill func(w *Writer) error) (Written, error) {
	var done Written
	err := atomicfile.Write(path, func(tmp *os.File) (err error) {
		w := &Writer{about: about{Version: version, Format: f.Written()}, out: bufio.NewWriterSize(tmp, 1<<20)}
		if f.Chunk > 0 {
			if w.zstd, err = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false)); err != nil {
				return err
			}
			defer w.zstd.Close()
		}
		err = fill(w)
		if err == nil && len(w.about.Videos) == 0 {
			err = errors.New("no videos")
		}
		if err != nil {
			return err
		}
		done = Written{Videos: len(w.about.Videos), Frames: len(w.sums) / 4}
		if done.Sum, err = writeIndex(w.out, w.sums, w.chunks, w.about); err != nil {
			return err
		}
		if err := w.out.Flush(); err != nil {
			return err
		}
		info, err := tmp.Stat()
		if err == nil {
			done.Bytes = info.Size()
		}
		return err
	})
	return done, err
}

// Writer adds videos to a file. It holds one chunk of frames, and 4 bytes for each frame.
type Writer struct {
	about      about
	out        *bufio.Writer
	sums       []byte
	chunks     []byte        // the table of chunks
	zstd       *zstd.Encoder // nil if frames are not compressed
	pending    []byte        // frames of the chunk that is being collected
	compressed []byte
	end        uint64 // of the last chunk
}

// Add adds a video. decode calls add with one frame after the other, each row-major [height, width,
// channels] and valid only during the call. It returns the frame rate, 0 if it is unknown. After an
// error the whole file fails.
func (w *Writer) Add(s Source, decode func(add func(frame []uint8) error) (fps float64, err error)) (frames int, err error) {
	size := w.about.FrameSize()
	fps, err := decode(func(frame []uint8) error {
		if len(frame) != size {
			return fmt.Errorf("frame %d has %d bytes, want %dx%dx%d", frames, len(frame), w.about.Height, w.about.Width, w.about.Channels)
		}
		frames++
		w.sums = binary.LittleEndian.AppendUint32(w.sums, crc32.Checksum(frame, castagnoli))
		if w.zstd == nil {
			_, err := w.out.Write(frame)
			return err
		}
		if w.pending = append(w.pending, frame...); len(w.pending) == w.about.Chunk*size {
			return w.compress()
		}
		return nil
	})
	if err == nil && frames == 0 {
		err = errors.New("no frames")
	}
	if err == nil && len(w.pending) > 0 {
		err = w.compress()
	}
	if err != nil {
		return 0, err
	}
	w.about.Videos = append(w.about.Videos, stored{s.Written(), frames, fps})
	return frames, nil
}

// compress writes the chunk that was collected.
func (w *Writer) compress() error {
	w.compressed = w.zstd.EncodeAll(w.pending, w.compressed[:0])
	w.pending = w.pending[:0]
	w.end += uint64(len(w.compressed))
	w.chunks = binary.LittleEndian.AppendUint64(w.chunks, w.end)
	w.chunks = binary.LittleEndian.AppendUint32(w.chunks, crc32.Checksum(w.compressed, castagnoli))
	_, err := w.out.Write(w.compressed)
	return err
}
