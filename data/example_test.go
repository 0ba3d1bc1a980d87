package data_test

import (
	"context"
	"fmt"
	"log"
	"log/slog"

	"mcvd/configs"
	"mcvd/data"
	"mcvd/data/clips"
)

// A data set by its name, a clip of the list that is evaluated, and a batch of training.
func Example() {
	c := configs.Default()
	c.Data.Name, c.Data.Size, c.Train.Batch = "digits", 32, 4
	c.Frames = configs.Frames{Past: 4, Current: 4}
	quiet := slog.New(slog.DiscardHandler)
	ds, err := data.Open(context.Background(), c, clips.Test, 12, quiet)
	if err != nil {
		log.Fatal(err)
	}
	at := data.Fixed(ds, 1, 0, 12)
	clip, err := data.Cut(ds, at, 12)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d frames of %dx%dx%d\n", clip.Frames, clip.Height, clip.Width, clip.Channels)

	batch, err := data.NewBatches(ds, c, quiet).At(0)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("a batch of %d clips of %d frames, %d bytes\n", batch.Batch, batch.Frames, len(batch.Pix))
	// Output:
	// 12 frames of 32x32x1
	// a batch of 4 clips of 8 frames, 32768 bytes
}
