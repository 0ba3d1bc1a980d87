//go:build unix

package store

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
)

// of is a file of 64 videos of 30 frames of 64x64 RGB, moving patterns with some noise.
func of(b *testing.B, chunk int) *File {
	b.Helper()
	path := filepath.Join(b.TempDir(), "a"+Extension)
	if _, err := WriteFile(path, Format{Height: 64, Width: 64, Channels: 3, Chunk: chunk}, func(w *Writer) error {
		frame := make([]uint8, 64*64*3)
		for i := range 64 {
			if _, err := w.Add(Source{Name: fmt.Sprint(i)}, func(add func([]uint8) error) (float64, error) {
				for n := range 30 {
					for p := range frame {
						frame[p] = uint8((p/3%64 + n) * (p / 192) >> 4)
						if p%17 == i%17 {
							frame[p] ^= uint8(p*2654435761>>7) & 7
						}
					}
					if err := add(frame); err != nil {
						return 0, err
					}
				}
				return 10, nil
			}); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		b.Fatal(err)
	}
	f, err := OpenFile(path)
	if err != nil {
		b.Fatal(err)
	}
	return f
}

// each calls read for clip after clip in some goroutines, and reports frames a second.
func each(b *testing.B, readers int, read func(clip int, pix []uint8) error) {
	var next atomic.Int64
	var group sync.WaitGroup
	b.ResetTimer()
	for range readers {
		group.Go(func() {
			pix := make([]uint8, 20*64*64*3)
			for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
				if err := read(int(i), pix); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	b.ReportMetric(float64(b.N)*20/b.Elapsed().Seconds(), "frames/s")
}

// BenchmarkRead reads clips of 20 frames, each an operation, from cached pages.
func BenchmarkRead(b *testing.B) {
	for _, chunk := range []int{0, 16} {
		f := of(b, chunk)
		for _, readers := range []int{1, 2} {
			b.Run(fmt.Sprintf("chunk=%d/readers=%d", chunk, readers), func(b *testing.B) {
				each(b, readers, func(i int, pix []uint8) error { return f.Entries()[i*37%64].Read(i%11, pix) })
			})
		}
	}
}

// BenchmarkMapped is what reading raw frames would be through a mapping, with the same checksums.
func BenchmarkMapped(b *testing.B) {
	f := of(b, 0)
	file, err := os.Open(f.path)
	if err != nil {
		b.Fatal(err)
	}
	defer file.Close()
	mapped, err := syscall.Mmap(int(file.Fd()), 0, int(f.size), syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		b.Fatal(err)
	}
	defer syscall.Munmap(mapped)
	size := f.FrameSize()
	for _, readers := range []int{1, 2} {
		b.Run(fmt.Sprintf("readers=%d", readers), func(b *testing.B) {
			each(b, readers, func(i int, pix []uint8) error {
				first := f.Entries()[i*37%64].first + i%11
				copy(pix, mapped[first*size:])
				for k := range len(pix) / size {
					if crc32.Checksum(pix[k*size:][:size], castagnoli) != binary.LittleEndian.Uint32(mapped[int(f.data)+4*(first+k):]) {
						return ErrDamaged
					}
				}
				return nil
			})
		})
	}
}
