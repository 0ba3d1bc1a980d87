package smmnist

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"mcvd/configs"
	"mcvd/data/clips"
	"mcvd/data/idx"
	"mcvd/models/paritytest"
)

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:])
}

// The recorded draws make the recorded clips, and are asked for with the recorded bounds.
func TestParityMotion(t *testing.T) {
	paritytest.Each(t, "dataset/extra/smmnist_draws.json", func(t *testing.T, path string) {
		var recorded []struct {
			Draws  [][3]int
			Frames int
			SHA256 string
		}
		read(t, path, &recorded)
		var manifest map[string]struct {
			Resized string `json:"resized32_sha256"`
		}
		read(t, filepath.Join(filepath.Dir(path), "manifest.json"), &manifest)
		all, err := idx.Open(filepath.Join(filepath.Dir(path), "..", "mnist"), idx.Train)
		if err != nil {
			t.Fatal(err)
		}
		images := enlarged(all)
		if got := sum(bytes.Join(images, nil)); got != manifest[filepath.Base(path)].Resized {
			t.Errorf("enlarged digits: %s, want %s", got, manifest[filepath.Base(path)].Resized)
		}
		for i, c := range recorded {
			clip := clips.NewClip(c.Frames, frameSize, frameSize, 1)
			at := 0
			for range 2 {
				move(clip, images, func(low, high int) int {
					if at == len(c.Draws) || c.Draws[at][0] != low || c.Draws[at][1] != high {
						t.Fatalf("clip %d: draw %d from %d to %d, recorded are %v", i, at, low, high, c.Draws)
					}
					at++
					return c.Draws[at-1][2]
				})
			}
			if got := sum(clip.Pix); got != c.SHA256 || at != len(c.Draws) {
				t.Errorf("clip %d: %s after %d draws, want %s after %d", i, got, at, c.SHA256, len(c.Draws))
			}
		}
	})
}

func read(t *testing.T, path string, to any) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(b, to)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, dir string, split clips.Split, frames int) *Dataset {
	t.Helper()
	c := configs.Default()
	c.Data.Name, c.Data.Path = "smmnist", dir
	d, err := Open(context.Background(), c, split, frames, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestVideosDependOnSplitAndNumberOnly(t *testing.T) {
	paritytest.Each(t, "dataset/mnist", func(t *testing.T, dir string) {
		seen := map[string]bool{}
		for _, split := range clips.Splits() {
			long, short := open(t, dir, split, 40), open(t, dir, split, 10)
			for video := range 5 {
				whole, err := long.Clip(video, 0, 40)
				if err != nil {
					t.Fatal(err)
				}
				part, err := short.Clip(video, 3, 7)
				if err != nil || !slices.Equal(part.Pix, whole.Slice(3, 10).Pix) {
					t.Errorf("%s differs with the length or the start, %v", long.Name(video), err)
				}
				if seen[sum(whole.Pix)] {
					t.Errorf("%s came before", long.Name(video))
				}
				seen[sum(whole.Pix)] = true
			}
			if _, err := short.Clip(0, 4, 7); err == nil {
				t.Error("frames after the end: no error")
			}
		}
		if n := open(t, dir, clips.Test, 1).Len(); n != 256 {
			t.Errorf("the test has %d videos, want 256", n)
		}
	})
}

func TestMistakesAreNamed(t *testing.T) {
	for want, change := range map[string]func(*configs.Config){
		"data.size: 32, want 64":             func(c *configs.Config) { c.Data.Size = 32 },
		"data.channels: 3, want 1":           func(c *configs.Config) { c.Data.Channels = 3 },
		"nowhere: no t10k-images-idx3-ubyte": func(c *configs.Config) {},
	} {
		c := configs.Default()
		c.Data.Name, c.Data.Path = "smmnist", "nowhere"
		change(c)
		if _, err := Open(context.Background(), c, clips.Test, 5, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

// Every image is of one grey that is its number, so the brightest pixel of a video of one digit tells
// which image moves there.
func TestLabelsAreTheDigitsInTheFrame(t *testing.T) {
	d := &Dataset{split: clips.Valid, digits: 1, frames: 2}
	for i := range 20 {
		d.images = append(d.images, bytes.Repeat([]byte{byte(i + 1)}, digitSize*digitSize))
	}
	if d.Classes() != nil || d.Labels(0) != nil {
		t.Errorf("labels %q of %q without a file of labels", d.Labels(0), d.Classes())
	}
	for i := range d.images {
		d.shows = append(d.shows, byte(7*i%10))
	}
	two := *d
	two.digits = 2
	for video := range 50 {
		clip, err := d.Clip(video, 0, 2)
		if err != nil {
			t.Fatal(err)
		}
		want := []string{strconv.Itoa(7 * int(slices.Max(clip.Pix)-1) % 10)}
		if !slices.Equal(d.Labels(video), want) {
			t.Errorf("video %d: labels %q, want %q", video, d.Labels(video), want)
		}
		if both := two.Labels(video); len(both) > 2 || !slices.Contains(both, want[0]) {
			t.Errorf("video %d: labels %q of two digits, the first is %s", video, both, want[0])
		}
	}
}
