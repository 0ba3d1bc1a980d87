package data

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"os"
	"testing"

	"mcvd/configs"
	"mcvd/data/clips"
)

// BenchmarkBatches makes the batches of an epoch as training makes them, of clips of 20 frames of
// 64x64 RGB: one after the other, or with the next two made at the same time. MCVD_BENCH_STORE names
// the store that is read; scripts/bench/store.sh makes some.
func BenchmarkBatches(b *testing.B) {
	dir := os.Getenv("MCVD_BENCH_STORE")
	if dir == "" {
		b.Skip("MCVD_BENCH_STORE names no store")
	}
	c := configs.Default()
	c.Data = configs.Data{Name: "store", Path: dir, Size: 64, Channels: 3, Windows: 1}
	c.Frames, c.Train.Batch = configs.Frames{Past: 10, Current: 10}, 8
	ds, err := Open(context.Background(), c, clips.Train, c.Frames.Total(), slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	for _, ahead := range []int{0, 2} {
		b.Run(fmt.Sprintf("ahead=%d", ahead), func(b *testing.B) {
			next, stop := iter.Pull2(NewBatches(ds, c, slog.New(slog.DiscardHandler)).Each(context.Background(), 0, ahead))
			defer stop()
			n := ds.Len() / c.Train.Batch
			for b.Loop() { // an operation is an epoch
				for range n {
					batch, err, _ := next()
					if err != nil {
						b.Fatal(err)
					}
					batch.Free()
				}
			}
			b.ReportMetric(float64(b.N*n*c.Train.Batch*c.Frames.Total())/b.Elapsed().Seconds(), "frames/s")
		})
	}
}
