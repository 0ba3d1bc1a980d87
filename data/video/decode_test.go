package video

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"mcvd/data/clips"
)

// ffmpegRun makes test files with the ffmpeg command itself, not with the code that is tested.

// testsrc makes a video of ffmpeg's test picture.

// noise is a clip that no codec finds easy.
func noise(frames, height, width, channels int) clips.Clip {
	c := clips.NewClip(frames, height, width, channels)
	rng := rand.New(rand.NewPCG(1, uint64(channels)))
	for i := range c.Pix {
		c.Pix[i] = uint8(rng.Uint32())
	}
	return c
}

// decodeAll collects a whole video.
func decodeAll(t *testing.T, path string, o DecodeOptions) clips.Clip {
	t.Helper()
	c, err := tryDecode(path, o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func tryDecode(path string, o DecodeOptions) (clips.Clip, error) {
	c := clips.Clip{Height: o.Size, Width: o.Size, Channels: o.Channels}
	d, err := Decode(context.Background(), path, o, func(frame []uint8) error {
		c.Pix = append(c.Pix, frame...)
		return nil
	})
	c.Frames = d.Frames
	return c, err
}

// bars is a clip of flat colours, one a quarter of the width.

// onlyThese checks that nothing else was left in a folder.

func TestProbeAndDecodeHonourRotationAndPixelShape(t *testing.T) {
	dir := t.TempDir()
	flat := testsrc(t, filepath.Join(dir, "flat.mov"), "96x64", 4)
	turned := filepath.Join(dir, "turned.mov")
	turn(t, flat, turned)
	wide := testsrc(t, filepath.Join(dir, "wide.mp4"), "48x64", 4, "-vf", "setsar=2/1")
	for path, want := range map[string]Info{flat: {Width: 96, Height: 64}, turned: {Width: 64, Height: 96}, wide: {Width: 96, Height: 64}} {
		info, err := Probe(context.Background(), path)
		if err != nil || info.Width != want.Width || info.Height != want.Height || info.Frames != 4 || info.FPS != 10 || info.Duration.Milliseconds() != 400 {
			t.Errorf("%s: %+v, %v, want %dx%d, 4 frames, 10 a second, 400ms", filepath.Base(path), info, err, want.Width, want.Height)
		}
		got := decodeAll(t, path, DecodeOptions{Channels: 1})
		if want := 4 * want.Width * want.Height; len(got.Pix) != want {
			t.Errorf("%s: %d bytes decoded, want %d", filepath.Base(path), len(got.Pix), want)
		}
	}
}

// turn copies a MOV and makes it one of a phone that was held upright, by the matrix in its track
// header: how ffmpeg is

// asked for that differs from version to version.

func turn(t *testing.T, from, to string) {
	t.Helper()
	content, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(content, []byte("tkhd")) + 44
	for i, v := range []int32{0, 1 << 16, 0, -1 << 16, 0, 0, 64 << 16, 0, 1 << 30} {
		binary.BigEndian.PutUint32(content[at+4*i:], uint32(v))
	}
	if err := os.WriteFile(to, content, 0o644); err != nil {
		t.Fatal(err)
	}
}

// A video with a white square in the middle third of a black frame, decoded both ways.

func TestCenterAndWhole(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.mkv")
	// 96x48: black | white from x=24 to 72 (the centre square) | black
	ffmpegRun(t, "-f", "lavfi", "-i", "color=black:size=96x48:rate=5", "-frames:v", "3",
		"-vf", "format=gray,drawbox=x=24:y=0:w=48:h=48:color=white:t=fill", "-c:v", "ffv1", path)
	folder := filepath.Join(dir, "images")
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	img := image.NewGray(image.Rect(0, 0, 96, 48))
	for y := range 48 {
		for x := 24; x < 72; x++ {
			img.SetGray(x, y, color.Gray{255})
		}
	}
	saveImage(t, filepath.Join(folder, "1.png"), img)
	for _, from := range []string{path, folder} {
		for _, v := range decodeAll(t, from, DecodeOptions{Size: 16, Channels: 1, Crop: Center}).Pix {
			if v < 254 {
				t.Errorf("%s, center: a pixel of %d in the white square", filepath.Base(from), v)
				break
			}
		}
		whole := decodeAll(t, from, DecodeOptions{Size: 16, Channels: 1, Crop: Whole})
		for i, want := range map[int]uint8{0: 0, 3*16 + 8: 0, 4*16 + 8: 255, 8*16 + 8: 255, 8*16 + 1: 0, 8*16 + 14: 0, 11*16 + 8: 255, 12*16 + 8: 0} {
			if got := whole.Pix[i]; int(got)-int(want) > 2 || int(want)-int(got) > 2 {
				t.Errorf("%s, whole: pixel (%d, %d) is %d, want %d", filepath.Base(from), i%16, i/16, got, want)
			}
		}
	}
}

func TestStartRateAndMaxFrames(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.mp4")
	testsrc(t, filepath.Join(t.TempDir(), "x.mp4"), "16x16", 1)
	c := clips.NewClip(20, 16, 16, 1) // frame i is grey 10 i
	for i := range c.Pix {
		c.Pix[i] = uint8(i / 256 * 10)
	}
	if err := WriteClip(context.Background(), path, c, WriterOptions{FPS: 10, Quality: Lossless}); err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct {
		o    DecodeOptions
		want []uint8
	}{
		"start":       {DecodeOptions{Start: 1.5}, []uint8{150, 160, 170, 180, 190}},
		"max":         {DecodeOptions{MaxFrames: 3}, []uint8{0, 10, 20}},
		"half":        {DecodeOptions{FPS: 5, MaxFrames: 4}, []uint8{0, 20, 40, 60}},
		"double":      {DecodeOptions{FPS: 20, MaxFrames: 4}, []uint8{0, 0, 10, 10}},
		"start, half": {DecodeOptions{Start: 1, FPS: 5}, []uint8{100, 120, 140, 160, 180}},
	} {
		row.o.Channels = 1
		var got []uint8
		if _, err := Decode(context.Background(), path, row.o, func(f []uint8) error { got = append(got, f[0]); return nil }); err != nil {
			t.Fatal(err)
		}
		// Which of two neighbours the fps filter takes is its own affair: at half the rate it may
		// be the later one.
		if len(got) < len(row.want) || !near(got[:len(row.want)], row.want, 10) || len(got) > len(row.want)+1 {
			t.Errorf("%s: %v, want %v", name, got, row.want)
		}
	}
}

func near(a, b []uint8, by int) bool {
	for i := range a {
		if d := int(a[i]) - int(b[i]); d > by || d < -by {
			return false
		}
	}
	return true
}

func TestBrokenVideosAreErrorsNotShortVideos(t *testing.T) {
	dir := t.TempDir()
	for name, row := range map[string]struct {
		args []string
		want string
	}{
		"end.mp4":  {nil, "not a readable video"},
		"fast.mp4": {[]string{"-movflags", "+faststart"}, "broken after frame"},
		"a.mkv":    {[]string{"-c:v", "libx264"}, "File ended prematurely"},
		"a.webm":   {[]string{"-c:v", "libvpx"}, "File ended prematurely"},
		"a.avi":    {nil, "broken after frame"},
		"a.mpg":    {[]string{"-r", "25"}, "broken after frame"},
		"a.gif":    {nil, "cut off: the end mark is missing"},
	} {
		whole := testsrc(t, filepath.Join(dir, "whole-"+name), "96x64", 40, row.args...)
		if c, err := tryDecode(whole, DecodeOptions{Size: 16, Channels: 1}); err != nil || c.Frames < 40 {
			t.Errorf("%s: %d frames and %v before it is broken", name, c.Frames, err)
		}
		content, err := os.ReadFile(whole)
		if err != nil {
			t.Fatal(err)
		}
		for _, percent := range []int{50, 61, 75, 88} {
			path := filepath.Join(dir, name)
			if err := os.WriteFile(path, content[:len(content)*percent/100], 0o644); err != nil {
				t.Fatal(err)
			}
			c, err := tryDecode(path, DecodeOptions{Size: 16, Channels: 1})
			if err == nil || !strings.HasPrefix(err.Error(), path+": ") || !strings.Contains(err.Error(), row.want) {
				t.Errorf("%s cut off at %d%%: %d frames, error %v, want one with %q", name, percent, c.Frames, err, row.want)
			}
		}
	}
}

func TestCutAtAFrameBorder(t *testing.T) {
	path := testsrc(t, filepath.Join(t.TempDir(), "a.mp4"), "96x64", 40, "-movflags", "+faststart", "-bf", "0")
	out, err := exec.Command("ffprobe", "-loglevel", "error", "-show_entries", "packet=pos", "-of", "csv=p=0", path).Output()
	if err != nil {
		t.Fatal(err)
	}
	var at int64
	fmt.Sscan(strings.Split(string(out), "\n")[25], &at)
	if err := os.Truncate(path, at); err != nil {
		t.Fatal(err)
	}
	if c, err := tryDecode(path, DecodeOptions{Size: 16, Channels: 1}); err == nil {
		t.Errorf("%d of 40 frames without an error", c.Frames)
	}
}

func TestNotAVideo(t *testing.T) {
	dir := t.TempDir()
	sound := filepath.Join(dir, "sound.mp4")
	ffmpegRun(t, "-f", "lavfi", "-i", "sine=duration=1", sound)
	text := filepath.Join(dir, "text.mp4")
	os.WriteFile(text, []byte("this is no video\n"), 0o644)
	list := filepath.Join(dir, "list.mp4") // a playlist that would make ffmpeg fetch something
	os.WriteFile(list, []byte("#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/x.ts\n#EXT-X-ENDLIST\n"), 0o644)
	empty := filepath.Join(dir, "empty.mp4")
	os.WriteFile(empty, nil, 0o644)
	for path, want := range map[string]string{sound: "no video in it", text: "not a readable video", list: "not a readable video",
		empty: "not a readable video", filepath.Join(dir, "missing.mp4"): "no such file", dir: "no .png, .jpg or .jpeg in it",
		os.DevNull: "not a regular file"} {
		if _, err := tryDecode(path, DecodeOptions{Channels: 1}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("decode %s: error %v, want one with %q", filepath.Base(path), err, want)
		}
		if _, err := Probe(context.Background(), path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("probe %s: error %v, want one with %q", filepath.Base(path), err, want)
		}
	}
}

func TestASizeThatChangesMidway(t *testing.T) {
	dir := t.TempDir()
	a := testsrc(t, filepath.Join(dir, "a.mpg"), "64x64", 10, "-r", "25")
	b := testsrc(t, filepath.Join(dir, "b.mpg"), "96x64", 10, "-r", "25")
	first, _ := os.ReadFile(a)
	second, _ := os.ReadFile(b)
	both := filepath.Join(dir, "both.mpg")
	os.WriteFile(both, append(first, second...), 0o644)
	c, err := tryDecode(both, DecodeOptions{Size: 16, Channels: 3})
	if err == nil && (c.Frames < 15 || len(c.Pix) != c.Frames*16*16*3) {
		t.Errorf("%d frames in %d bytes without an error", c.Frames, len(c.Pix))
	}
}

func TestCancelAndConsumersErrorEndDecoding(t *testing.T) {
	path := testsrc(t, filepath.Join(t.TempDir(), "a.mp4"), "64x64", 300)
	ctx, cancel := context.WithCancel(context.Background())
	d, err := Decode(ctx, path, DecodeOptions{Channels: 3}, func([]uint8) error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) || d.Frames == 300 {
		t.Errorf("canceled: %d frames, %v", d.Frames, err)
	}
	full := errors.New("full")
	d, err = Decode(context.Background(), path, DecodeOptions{Channels: 3}, func([]uint8) error { return full })
	if err != full || d.Frames != 0 {
		t.Errorf("consumer's error: %d frames, %v, want 0, %v", d.Frames, err, full)
	}
}

// A process that neither ends nor closes its pipes, and has a child that holds them, stands in for
// a hanging ffmpeg.
