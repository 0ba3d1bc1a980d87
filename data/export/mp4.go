package export

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"mcvd/data/clips"
	"mcvd/data/video"
)

// writeMP4 writes a lossless MP4 for each video.
func writeMP4(ctx context.Context, dir string, _ clips.Split, videos Videos) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	i := 0
	for v, err := range videos {
		if err != nil {
			return err
		}
		o := video.WriterOptions{Width: v.Width, Height: v.Height, Channels: v.Channels, Quality: video.Lossless, FPS: v.FPS}
		if err := video.WriteClip(ctx, filepath.Join(dir, fmt.Sprintf("%05d.mp4", i)), v.Clip, o); err != nil {
			return err
		}
		i++
	}
	return nil
}
