package metric

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"testing"

	"mcvd/data/clips"
)

// The bytes are those of Pillow 9.5's Image.resize((128, 128), BILINEAR), by their SHA-256. Pillow 13
// takes columns first where frames become smaller.
func TestResizedIsPillows(t *testing.T) {
	for _, tt := range []struct {
		height, width, channels int
		want                    string
	}{
		{16, 16, 3, "724a648f910bcadd"}, {64, 64, 3, "a2dab8bd4c5df075"}, {128, 128, 3, "bcb2df3821f9c427"}, {128, 40, 3, "d0c08a99afdac5f3"},
		{200, 150, 3, "cc6a1f7b81fe61cb"}, {300, 131, 1, "c26aab5541f64927"}, {1, 1, 1, "4fe7b59af6de3b66"},
		{100, 200, 3, "3dfff5e9b8340ecd"}, {200, 100, 3, "455dff1064d7ed22"}, {20, 30, 1, "83a6e7f23d0bdd99"},
	} {
		c := clips.NewClip(1, tt.height, tt.width, tt.channels)
		for i := range c.Pix {
			k := uint64(i)
			c.Pix[i] = uint8((k*k*7919 + k*31) % 251)
		}
		got := resized(c, 128)
		if sum := fmt.Sprintf("%x", sha256.Sum256(got.Pix))[:16]; sum != tt.want || got.Height != 128 || got.Width != 128 {
			t.Errorf("%dx%dx%d: %s, want %s", tt.height, tt.width, tt.channels, sum, tt.want)
		}
		two := clips.Clip{Pix: slices.Concat(c.Pix, c.Pix), Frames: 2, Height: tt.height, Width: tt.width, Channels: tt.channels}
		if both := resized(two, 128); !slices.Equal(both.Pix, slices.Concat(got.Pix, got.Pix)) {
			t.Errorf("%dx%dx%d: two frames aren't each resized by itself", tt.height, tt.width, tt.channels)
		}
	}
}
