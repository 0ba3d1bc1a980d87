package converted

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"mcvd/configs"
	"mcvd/data/clips"
)

// benchStore names the store, of square RGB or grey frames, that the benchmarks read. The script
// scripts/bench/store.sh makes some.
const benchStore = "MCVD_BENCH_STORE"

// openBench opens the training split of the store that is measured.
func openBench(b *testing.B) *Dataset {
	b.Helper()
	dir := os.Getenv(benchStore)
	if dir == "" {
		b.Skip(benchStore + " names no store")
	}
	x, err := open(dir)
	if err != nil {
		b.Fatal(err)
	}
	c := configs.Default()
	c.Data = configs.Data{Name: "store", Path: dir, Size: x.Height, Channels: x.Channels}
	ds, err := Open(context.Background(), c, clips.Train, 1, quiet)
	if err != nil {
		b.Fatal(err)
	}
	return ds
}

// BenchmarkStartUp opens a store.
func BenchmarkStartUp(b *testing.B) {
	for b.Loop() {
		b.ReportMetric(float64(openBench(b).Len()), "videos")
	}
}

// BenchmarkEpoch reads every video of a store, in a random order: as a new clip, or into memory
// that is used again. An operation is such an epoch. It reports the most memory that the process
// ever had, less the kernel's cache of files, as Linux counts it.
func BenchmarkEpoch(b *testing.B) {
	for _, fresh := range []bool{true, false} {
		for _, readers := range []int{1, 2} {
			b.Run(fmt.Sprintf("fresh=%t/readers=%d", fresh, readers), func(b *testing.B) {
				ds := openBench(b)
				frames := 0
				for i := range ds.Len() {
					frames += ds.Frames(i)
				}
				for b.Loop() {
					epoch(b, ds, readers, fresh)
				}
				b.ReportMetric(float64(frames)*float64(b.N)/b.Elapsed().Seconds(), "frames/s")
				b.ReportMetric(peak(), "peak-MB")
			})
		}
	}
}

func epoch(b *testing.B, ds *Dataset, readers int, fresh bool) {
	order := rand.New(rand.NewPCG(1, 2)).Perm(ds.Len())
	var next atomic.Int64
	var group sync.WaitGroup
	for range readers {
		group.Go(func() {
			var pix []uint8
			for k := next.Add(1) - 1; k < int64(len(order)); k = next.Add(1) - 1 {
				i := order[k]
				var err error
				if fresh {
					_, err = ds.Clip(i, 0, ds.Frames(i))
				} else {
					pix = slices.Grow(pix[:0], ds.Frames(i)*ds.format.FrameSize())[:ds.Frames(i)*ds.format.FrameSize()]
					err = ds.Read(i, 0, pix)
				}
				if err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
}

// peak is the most resident memory of the process in megabytes, 0 where the system doesn't say it.
func peak() (mb float64) {
	text, _ := os.ReadFile("/proc/self/status")
	_, after, _ := strings.Cut(string(text), "VmHWM:")
	fmt.Sscan(after, &mb)
	return mb / 1000
}
