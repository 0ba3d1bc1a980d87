package decoded

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"mcvd/data/clips"
	"mcvd/data/video"
)

func TestWhereScenesBegin(t *testing.T) {
	for _, test := range []struct {
		changes []float32
		want    []int
	}{
		{[]float32{0}, nil},
		{[]float32{0, 9}, nil},
		{[]float32{0, 10}, []int{1}},
		{[]float32{0, 1, 2, 30, 2, 1}, []int{3}},
		{[]float32{0, 40, 2, 2}, []int{1}},
		{[]float32{0, 2, 2, 40}, []int{3}},
		{[]float32{0, 30, 31, 29, 30}, nil}, // much moves all the time
		{[]float32{0, 2, 50, 2, 2, 45, 3}, []int{2, 5}},
		{[]float32{0, 2, 11, 2}, nil},
	} {
		if got := cutsOf(test.changes, 10); !slices.Equal(got, test.want) {
			t.Errorf("changes %v: scenes begin at %v, want %v", test.changes, got, test.want)
		}
	}
}

// scenes writes a lossless video of scenes with so many frames each: a bright spot wanders over
// backgrounds of different greys.
func scenes(t *testing.T, path string, lengths ...int) Source {
	t.Helper()
	total := 0
	for _, n := range lengths {
		total += n
	}
	c := clips.NewClip(total, 32, 32, 1)
	frame := 0
	for scene, n := range lengths {
		for range n {
			pix := c.Pix[frame*32*32:][:32*32]
			for i := range pix {
				pix[i] = uint8(60 * scene)
				if d := math.Hypot(float64(i%32-frame%32), float64(i/32-16)); d < 4 {
					pix[i] = 250
				}
			}
			frame++
		}
	}
	if err := video.WriteClip(context.Background(), path, c, video.WriterOptions{FPS: 10, Quality: video.Lossless}); err != nil {
		t.Fatal(err)
	}
	s, err := Film(filepath.Base(path), path)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func openScenes(root string, threshold float64, frames int, sources ...Source) (*Dataset, string, error) {
	var log bytes.Buffer
	d, err := Open(context.Background(), Set{Root: root, Split: clips.Train, Sources: sources, Scenes: threshold,
		Decode: video.DecodeOptions{Size: 16, Channels: 1}}, frames, slog.New(slog.NewTextHandler(&log, nil)))
	return d, log.String(), err
}

func TestVideosAreDividedIntoScenes(t *testing.T) {
	root := t.TempDir()
	whole := scenes(t, filepath.Join(root, "one.mp4"), 10)
	several := scenes(t, filepath.Join(root, "several.mp4"), 12, 3, 9)
	parts := scenes(t, filepath.Join(root, "parts.mp4"), 6, 6)
	parts.Parts = []Part{{"a part", 0, 12}}
	list := func(d *Dataset) (names []string) {
		for i := range d.Len() {
			names = append(names, fmt.Sprintf("%s %d", d.Name(i), d.Frames(i)))
		}
		return names
	}
	d, log, err := openScenes(root, 10, 4, whole, several, parts)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"one.mp4 10", "several.mp4#0-11 12", "several.mp4#15-23 9", "a part 12"}
	if got := list(d); !slices.Equal(got, want) {
		t.Fatalf("videos %v, want %v", got, want)
	}
	if !strings.Contains(log, "videos=3 scenes=4 too_short=1") {
		t.Errorf("log %s, want 4 scenes and one that is too short", log)
	}
	c, err := d.Clip(2, 0, 9)
	if err != nil {
		t.Fatal(err)
	}
	for f := range c.Frames {
		if corner := c.Slice(f, f+1).Pix[0]; corner != 120 {
			t.Errorf("frame %d of the last scene: grey %d, want 120", f, corner)
		}
	}
	if _, err := d.Clip(1, 9, 4); err == nil {
		t.Error("a clip across a cut: no error")
	}
	if d, _, err := openScenes(root, 0, 4, whole, several, parts); err != nil || d.Len() != 3 {
		t.Errorf("not divided: %v, error %v", d, err)
	}
	if d, _, err := openScenes(root, 30, 4, whole, several, parts); err != nil || d.Len() != 3 {
		t.Errorf("cuts below the threshold: %v, error %v", list(d), err)
	}
	if _, _, err := openScenes(root, 10, 13, several); err == nil || !strings.Contains(err.Error(), "scenes: 3 have fewer than 13 frames (data.options.scenes: 10)") {
		t.Errorf("no scene is long enough: error %v", err)
	}

	// What is kept beside the frames is used, and found again if it is damaged.
	files, _ := filepath.Glob(filepath.Join(root, ".mcvd-cache", "*.changes"))
	if len(files) != 2 {
		t.Fatalf("%d files of changes, want 2", len(files))
	}
	for _, path := range files {
		good, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(good); i += 15 {
			bad := slices.Clone(good)
			bad[i] ^= 0x40
			if err := os.WriteFile(path, bad[:len(bad)-i%2], 0o644); err != nil {
				t.Fatal(err)
			}
			if d, _, err := openScenes(root, 10, 4, whole, several, parts); err != nil || !slices.Equal(list(d), want) {
				t.Fatalf("changes with a wrong bit in byte %d: error %v", i, err)
			}
			if again, err := os.ReadFile(path); err != nil || !bytes.Equal(again, good) {
				t.Fatalf("changes with a wrong bit in byte %d were not written anew: %v", i, err)
			}
		}
	}
}

// Cuts are those that ffmpeg's scdet finds in the film itself.
func TestCutsAreThoseOfFFmpeg(t *testing.T) {
	path := filepath.Join(t.TempDir(), "film.mp4")
	if out, err := exec.Command("ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=s=160x120:r=25:d=2", "-f", "lavfi", "-i", "mandelbrot=s=160x120:r=25:start_scale=0.3",
		"-f", "lavfi", "-i", "life=s=160x120:r=25:mold=10:seed=1:life_color=#40ff40", "-filter_complex",
		"[1]trim=end=3[b];[2]trim=start=1:end=2,setpts=PTS-STARTPTS[c];[0][b][c]concat=n=3,format=yuv420p", path).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	out, err := exec.Command("ffmpeg", "-i", path, "-vf", "scdet=threshold=10", "-f", "null", "-").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var want []string
	for _, m := range regexp.MustCompile(`lavfi.scd.time: ([0-9.]+)`).FindAllSubmatch(out, -1) {
		want = append(want, string(m[1]))
	}
	s, err := Film("film.mp4", path)
	if err != nil {
		t.Fatal(err)
	}
	d, _, err := openScenes(filepath.Dir(path), 10, 1, s)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for i := range d.Len() {
		if from := d.videos[i].from; from > 0 {
			got = append(got, fmt.Sprint(float64(from)/25))
		}
	}
	if len(want) != 2 || !slices.Equal(got, want) {
		t.Errorf("cuts at %v seconds, ffmpeg finds %v", got, want)
	}
}

// FuzzChanges: what is not as it was written is not used.
func FuzzChanges(f *testing.F) {
	path := filepath.Join(f.TempDir(), "kept")
	if err := writeChanges(path, 7, []float32{0, 1, 2}); err != nil {
		f.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good, uint32(7), 3)
	f.Add(good[:8], uint32(7), 0)
	f.Add([]byte{}, uint32(0), 2)
	f.Fuzz(func(t *testing.T, text []byte, of uint32, frames int) {
		path := filepath.Join(t.TempDir(), "kept")
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
		changes, ok := readChanges(path, of, frames)
		if !ok {
			return
		}
		if len(changes) != frames {
			t.Fatalf("%d changes of %d frames", len(changes), frames)
		}
		if err := writeChanges(path, of, changes); err != nil {
			t.Fatal(err)
		}
		if again, err := os.ReadFile(path); err != nil || !bytes.Equal(again, text) {
			t.Fatalf("read from %x, written as %x", text, again)
		}
	})
}
