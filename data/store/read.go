package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"sync"

	"github.com/klauspost/compress/zstd"

	"mcvd/configs/regular"
)

// Frames are copied from the file by ReadAt. A file that is mapped into memory and then cut off
// ends the process at the next page that is gone; here that is an error. A mapping would be 1.4 to
// 1.6 times as fast where all pages are cached (BenchmarkMapped), and its pages would count as the
// process's memory.

// ErrDamaged is in the error if frames are missing, or are not those that were stored.
var ErrDamaged = errors.New("not as they were stored")

// File is a file of videos whose index was read and verified. It keeps no file open: each reading
// opens it, which takes microseconds, so any number of files can be in use.
type File struct {
	path string
	size int64
	index
	entries []Entry
}

// OpenFile reads the index of a file.
func OpenFile(path string) (*File, error) {
	file, size, err := open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	f := &File{path: path, size: size}
	if f.index, err = readIndex(file, size); err != nil {
		return nil, fmt.Errorf("%s: %w: %w", path, err, ErrDamaged)
	}
	f.list()
	return f, nil
}

// list finds where each video begins.
func (f *File) list() {
	frame, chunk := 0, 0
	for _, v := range f.Videos {
		f.entries = append(f.entries, Entry{v.Frames, v.FPS, f, frame, chunk})
		frame += v.Frames
		if f.Chunk > 0 {
			chunk += f.Format.chunks(v.Frames)
		}
	}
}

// Entries are the videos of the file.
func (f *File) Entries() []Entry { return f.entries }

// Source says what video i was made from.
func (f *File) Source(i int) Source { return f.Videos[i].Source }

// Path is where the file lies.
func (f *File) Path() string { return f.path }

// Size is the number of bytes of the file.
func (f *File) Size() int64 { return f.size }

// Sum is the checksum of the index. As the index has the sums of all frames, files with different
// frames have different sums, but for one pair in four billion.
func (f *File) Sum() uint32 { return f.sum }

// Entry is a video whose frames a store holds.
type Entry struct {
	Frames int
	FPS    float64 // frames a second, 0 where that is unknown
	file   *File
	first  int // frame of the file with which the video begins
	chunk  int // chunk of the file with which the video begins
}

// File is where the video's frames lie.
func (e Entry) File() *File { return e.file }

// Read fills pix with whole frames, beginning with the frame numbered start, and compares their
// checksums. If frames were changed, cut off or deleted, or if another file stands in the place of
// the one that was opened, the error is [ErrDamaged].
func (e Entry) Read(start int, pix []uint8) (err error) {
	file, _, err := open(e.file.path)
	if err != nil {
		return damage(err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if err := e.file.isSame(file); err != nil {
		return err
	}
	return e.read(file, start, pix)
}

// isSame reports a file that took the place of f. Its frames may be whole, but are of other videos.
func (f *File) isSame(file io.ReaderAt) error {
	var end [trailerSize]byte
	if _, err := file.ReadAt(end[:], f.size-int64(trailerSize)); err != nil {
		return damage(err)
	}
	if string(end[8:]) != magic || binary.LittleEndian.Uint32(end[4:]) != f.sum {
		return fmt.Errorf("%s: another index than when it was opened: %w", f.path, ErrDamaged)
	}
	return nil
}

func (e Entry) read(file io.ReaderAt, start int, pix []uint8) error {
	f, size := e.file, e.file.FrameSize()
	frames := len(pix) / size
	if start < 0 || len(pix)%size != 0 || frames > e.Frames || start > e.Frames-frames {
		return fmt.Errorf("%d bytes from frame %d on, want some of %d frames of %d", len(pix), start, e.Frames, size)
	}
	sums := make([]byte, 4*frames)
	if _, err := file.ReadAt(sums, f.data+4*int64(e.first+start)); err != nil {
		return damage(err)
	}
	read := e.readRaw
	if f.Chunk > 0 {
		read = e.readChunks
	}
	if err := read(file, start, pix); err != nil {
		return err
	}
	for i := range frames {
		if crc32.Checksum(pix[i*size:][:size], castagnoli) != binary.LittleEndian.Uint32(sums[4*i:]) {
			return fmt.Errorf("frame %d has another checksum: %w", start+i, ErrDamaged)
		}
	}
	return nil
}

func (e Entry) readRaw(file io.ReaderAt, start int, pix []uint8) error {
	_, err := file.ReadAt(pix, int64(e.first+start)*int64(e.file.FrameSize()))
	return damage(err)
}

// readChunks decompresses the chunks that hold the frames.
func (e Entry) readChunks(file io.ReaderAt, start int, pix []uint8) error {
	f, size := e.file, e.file.FrameSize()
	b := buffers.Get().(*buffer)
	defer buffers.Put(b)
	for frame := start; len(pix) > 0; {
		k := frame / f.Chunk
		if err := e.readChunk(file, k, b); err != nil {
			return fmt.Errorf("frames from %d on: %w", k*f.Chunk, err)
		}
		n := copy(pix, b.frames[(frame-k*f.Chunk)*size:])
		pix, frame = pix[n:], frame+n/size
	}
	return nil
}

// buffer is what is needed to decompress a chunk.
type buffer struct{ compressed, frames []byte }

// buffers are used again. A chunk's size is part of the file's format, so it doesn't vary much.
var buffers = sync.Pool{New: func() any { return new(buffer) }}

// decoder reads no more than what the caller makes room for. It may be used by many at a time.
var decoder = sync.OnceValues(func() (*zstd.Decoder, error) {
	return zstd.NewReader(nil, zstd.WithDecodeAllCapLimit(true))
})

// readChunk decompresses chunk k of the video into b.frames.
func (e Entry) readChunk(file io.ReaderAt, k int, b *buffer) error {
	f := e.file
	raw := min(f.Chunk, e.Frames-k*f.Chunk) * f.FrameSize()
	from, to, sum, err := f.chunkAt(file, e.chunk+k)
	if err != nil {
		return err
	}
	if from > to || to-from > int64(raw)+int64(raw)/64+1024 { // more than zstd ever needs
		return fmt.Errorf("a chunk from %d to %d: %w", from, to, ErrDamaged)
	}
	b.compressed = grown(b.compressed, int(to-from))
	b.frames = grown(b.frames, raw)
	if _, err := file.ReadAt(b.compressed, from); err != nil {
		return damage(err)
	}
	if crc32.Checksum(b.compressed, castagnoli) != sum {
		return fmt.Errorf("a chunk has another checksum: %w", ErrDamaged)
	}
	d, err := decoder()
	if err != nil {
		return err
	}
	frames, err := d.DecodeAll(b.compressed, b.frames[:0:raw])
	if err != nil {
		return fmt.Errorf("%w: %w", err, ErrDamaged)
	}
	if len(frames) != raw {
		return fmt.Errorf("a chunk of %d bytes, want %d: %w", len(frames), raw, ErrDamaged)
	}
	b.frames = frames
	return nil
}

// chunkAt is where chunk number k of the file lies, and its checksum.
func (f *File) chunkAt(file io.ReaderAt, k int) (from, to int64, sum uint32, err error) {
	entries := make([]byte, 2*chunkEntry) // of the chunk before, and of this one
	at, into := f.data+tables(f.frames, k), entries[chunkEntry:]
	if k > 0 {
		at, into = at-chunkEntry, entries
	}
	if _, err := file.ReadAt(into, at); err != nil {
		return 0, 0, 0, damage(err)
	}
	a, b := binary.LittleEndian.Uint64(entries), binary.LittleEndian.Uint64(entries[chunkEntry:])
	if max(a, b) > uint64(f.data) {
		return 0, 0, 0, fmt.Errorf("a chunk from %d to %d of %d: %w", a, b, f.data, ErrDamaged)
	}
	return int64(a), int64(b), binary.LittleEndian.Uint32(entries[chunkEntry+8:]), nil
}

// grown is a slice of n bytes, in the memory of b if that is enough.
func grown(b []byte, n int) []byte {
	if cap(b) < n {
		return make([]byte, n)
	}
	return b[:n]
}

// open opens a regular file. Anything else in its place is damage, because opening a pipe would
// wait for a writer.
func open(path string) (*os.File, int64, error) {
	file, size, err := regular.Open(path)
	if err != nil {
		if info, stat := os.Stat(path); stat == nil && !info.Mode().IsRegular() {
			err = fmt.Errorf("%w: %w", err, ErrDamaged)
		}
		return nil, 0, err
	}
	return file, size, nil
}

// damage adds ErrDamaged to the errors of files that are gone or cut off.
func damage(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: %w", err, ErrDamaged)
	}
	return err
}

// Verify reads all frames of an entry, a few at a time.
func (e Entry) Verify() error {
	for _, err := range e.Broken() {
		return err
	}
	return nil
}

// Broken reads all frames of an entry, a few at a time, and yields each that can't be read with the
// reason.
func (e Entry) Broken() func(yield func(frame int, err error) bool) {
	return func(yield func(int, error) bool) {
		file, _, err := open(e.file.path)
		if err == nil {
			defer file.Close()
			err = e.file.isSame(file)
		}
		if err != nil {
			yield(0, damage(err))
			return
		}
		size := e.file.FrameSize()
		few := max(1, 1<<20/size)
		pix := make([]uint8, few*size)
		for start := 0; start < e.Frames; start += few {
			n := min(few, e.Frames-start)
			if e.read(file, start, pix[:n*size]) == nil {
				continue
			}
			for i := range n {
				if err := e.read(file, start+i, pix[:size]); err != nil && !yield(start+i, err) {
					return
				}
			}
		}
	}
}
