package video

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mcvd/configs/atomicfile"
)

// ffmpegRun makes test files with the ffmpeg command itself, not with the code that is tested.
func ffmpegRun(t *testing.T, args ...string) {
	t.Helper()
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Skip("ffmpeg is not installed")
	}
	args = append([]string{"-nostdin", "-loglevel", "error", "-y"}, args...)
	if out, err := exec.Command("ffmpeg", args...).CombinedOutput(); err != nil {
		t.Fatalf("ffmpeg %q: %v\n%s", args, err, out)
	}
}

// testsrc makes a video of ffmpeg's test picture.
func testsrc(t *testing.T, path, size string, frames int, more ...string) string {
	t.Helper()
	args := []string{"-f", "lavfi", "-i", fmt.Sprintf("testsrc=size=%s:rate=10", size), "-frames:v", fmt.Sprint(frames)}
	ffmpegRun(t, slices.Concat(args, more, []string{"file:" + path})...)
	return path
}

// noise is a clip that no codec finds easy.
func noise(frames, height, width, channels int) Clip {
	c := NewClip(frames, height, width, channels)
	rng := rand.New(rand.NewPCG(1, uint64(channels)))
	for i := range c.Pix {
		c.Pix[i] = uint8(rng.Uint32())
	}
	return c
}

// decodeAll collects a whole video.
func decodeAll(t *testing.T, path string, o DecodeOptions) Clip {
	t.Helper()
	c, err := tryDecode(path, o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func tryDecode(path string, o DecodeOptions) (Clip, error) {
	c := Clip{Height: o.Size, Width: o.Size, Channels: o.Channels}
	var err error
	c.Frames, err = Decode(context.Background(), path, o, func(frame []uint8) error {
		c.Pix = append(c.Pix, frame...)
		return nil
	})
	return c, err
}

func TestLosslessMP4IsBitExact(t *testing.T) {
	testsrc(t, filepath.Join(t.TempDir(), "x.mp4"), "16x16", 1)
	for _, channels := range []int{1, 3} {
		path := filepath.Join(t.TempDir(), "a.mp4")
		want := noise(7, 33, 47, channels)
		if err := WriteClip(context.Background(), path, want, WriterOptions{FPS: 25, Quality: Lossless}); err != nil {
			t.Fatal(err)
		}
		got := decodeAll(t, path, DecodeOptions{Channels: channels})
		if got.Frames != 7 || !bytes.Equal(got.Pix, want.Pix) {
			t.Errorf("%d channels: %d frames differ from the 7 written", channels, got.Frames)
		}
		again := filepath.Join(t.TempDir(), "b.mp4")
		if err := WriteClip(context.Background(), again, want, WriterOptions{FPS: 25, Quality: Lossless}); err != nil {
			t.Fatal(err)
		}
		if sum(t, path) != sum(t, again) {
			t.Errorf("%d channels: equal frames gave different files", channels)
		}
	}
}

func sum(t *testing.T, path string) [32]byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return sha256.Sum256(content)
}

// bars is a clip of flat colours, one a quarter of the width.
func bars(frames, size int) Clip {
	c := NewClip(frames, size, size, 3)
	colors := [][3]uint8{{220, 30, 30}, {30, 200, 40}, {20, 40, 210}, {240, 240, 240}}
	for i := range len(c.Pix) / 3 {
		copy(c.Pix[3*i:], colors[i%size*4/size][:])
	}
	return c
}

func TestSharedMP4PlaysEverywhereAndKeepsColors(t *testing.T) {
	testsrc(t, filepath.Join(t.TempDir(), "x.mp4"), "16x16", 1)
	path := filepath.Join(t.TempDir(), "a.mp4")
	c := bars(6, 33)
	if err := WriteClip(context.Background(), path, c, WriterOptions{FPS: 12.5, Scale: 3}); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("ffprobe", "-loglevel", "error", "-show_entries",
		"stream=codec_name,pix_fmt,width,height,nb_frames,color_space,avg_frame_rate", "-of", "json", path).Output()
	if err != nil {
		t.Fatal(err)
	}
	var answer struct{ Streams []map[string]any }
	if err := json.Unmarshal(out, &answer); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"codec_name": "h264", "pix_fmt": "yuv420p", "width": 100.0, "height": 100.0, "nb_frames": "6",
		"color_space": "bt709", "avg_frame_rate": "25/2"}
	for key, value := range want {
		if got := answer.Streams[0][key]; got != value {
			t.Errorf("%s: %v, want %v", key, got, value)
		}
	}
	content, _ := os.ReadFile(path)
	if moov, mdat := bytes.Index(content, []byte("moov")), bytes.Index(content, []byte("mdat")); moov > mdat {
		t.Error("the index lies behind the frames, want it in front (faststart)")
	}
	got := decodeAll(t, path, DecodeOptions{Channels: 3, Size: 33, Crop: Center})
	for _, x := range []int{4, 12, 20, 29} {
		for ch := range 3 {
			at := (16*33+x)*3 + ch
			if d := int(got.Pix[at]) - int(c.Pix[at]); d < -6 || d > 6 {
				t.Errorf("x=%d channel %d: %d, want about %d", x, ch, got.Pix[at], c.Pix[at])
			}
		}
	}
}

func TestGIFAndPNGFolder(t *testing.T) {
	testsrc(t, filepath.Join(t.TempDir(), "x.mp4"), "16x16", 1)
	dir := t.TempDir()
	grey := NewClip(3, 16, 16, 1) // 256 levels fit a palette exactly
	for i := range grey.Pix {
		grey.Pix[i] = uint8(i + i/256*40)
	}
	for _, name := range []string{"a.gif", "frames"} {
		path := filepath.Join(dir, name)
		if err := WriteClip(context.Background(), path, grey, WriterOptions{FPS: 10}); err != nil {
			t.Fatal(err)
		}
		got := decodeAll(t, path, DecodeOptions{Channels: 1})
		if got.Frames != 3 || !bytes.Equal(got.Pix, grey.Pix) {
			t.Errorf("%s: %d frames differ from the 3 written", name, got.Frames)
		}
	}
	info, err := Probe(context.Background(), filepath.Join(dir, "a.gif"))
	if err != nil || info.Width != 16 || info.Height != 16 || info.Frames != 3 || info.FPS != 10 {
		t.Errorf("a.gif: %+v, %v", info, err)
	}
	// A folder of frames makes way for a new one, any other folder doesn't.
	if err := WriteClip(context.Background(), filepath.Join(dir, "frames"), grey.Slice(0, 1), WriterOptions{}); err != nil {
		t.Fatal(err)
	}
	if names, _ := Images(filepath.Join(dir, "frames")); len(names) != 1 || filepath.Base(names[0]) != "frame-00000.png" {
		t.Errorf("after writing 1 frame over 3: %v", names)
	}
	if err := WriteClip(context.Background(), dir, grey, WriterOptions{}); err == nil || !strings.Contains(err.Error(), "a.gif is in it") {
		t.Errorf("writing frames over a folder of other files: %v", err)
	}
	onlyThese(t, dir, "a.gif", "frames")
}

// onlyThese checks that nothing else was left in a folder.
func onlyThese(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, entry := range entries {
		got = append(got, entry.Name())
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s holds %q, want %q", dir, got, want)
	}
}

func TestWriterLeavesNothingBehind(t *testing.T) {
	testsrc(t, filepath.Join(t.TempDir(), "x.mp4"), "16x16", 1)
	frame := make([]uint8, 16*16)
	o := WriterOptions{Width: 16, Height: 16, Channels: 1, FPS: 5}
	for _, name := range []string{"a.mp4", "a.gif", "a"} {
		dir := t.TempDir()
		path := filepath.Join(dir, name)
		begin := func(ctx context.Context) *Writer {
			w, err := NewWriter(ctx, path, o)
			if err != nil {
				t.Fatal(err)
			}
			return w
		}
		w := begin(context.Background())
		if err := w.WriteFrame(frame); err != nil {
			t.Fatal(err)
		}
		w.Abort()
		if err := w.Close(); !errors.Is(err, errAborted) {
			t.Errorf("%s: Close after Abort: %v", name, err)
		}
		if err := w.WriteFrame(frame); err == nil {
			t.Errorf("%s: a frame after Abort gave no error", name)
		}
		ctx, cancel := context.WithCancel(context.Background())
		w = begin(ctx)
		if err := w.WriteFrame(frame); err != nil {
			t.Fatal(err)
		}
		cancel()
		for err := error(nil); err == nil; { // ends: frames don't go anywhere any more
			err = w.WriteFrame(frame)
		}
		if err := w.Close(); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: Close after a cancel: %v", name, err)
		}
		if err := begin(context.Background()).Close(); err == nil || !strings.Contains(err.Error(), "no frames") {
			t.Errorf("%s: no frames: %v", name, err)
		}
		w = begin(context.Background())
		if err := w.WriteFrame(frame[1:]); err == nil || !strings.Contains(err.Error(), "255 bytes, want 16x16x1") {
			t.Errorf("%s: a short frame: %v", name, err)
		}
		w.Abort()
		onlyThese(t, dir)
	}
}

func TestWriterSaysWhatIsWrong(t *testing.T) {
	good := WriterOptions{Width: 4, Height: 4, Channels: 3, FPS: 10}
	with := func(change func(*WriterOptions)) WriterOptions { o := good; change(&o); return o }
	for name, row := range map[string]struct {
		path string
		o    WriterOptions
		want string
	}{
		"extension": {"x.avi", good, `x.avi: can't write ".avi": want .mp4, .gif or`},
		"size":      {"x.mp4", with(func(o *WriterOptions) { o.Width = 0 }), "frames of 0x4"},
		"huge":      {"x.mp4", with(func(o *WriterOptions) { o.Scale = 5000 }), "enlarged 5000 times"},
		"channels":  {"x.mp4", with(func(o *WriterOptions) { o.Channels = 2 }), "2 channels, want 1 (grey) or 3 (RGB)"},
		"no rate":   {"x.gif", with(func(o *WriterOptions) { o.FPS = 0 }), "0 frames a second"},
		"quality":   {"x.mp4", with(func(o *WriterOptions) { o.Quality = "best" }), `quality: unknown "best"`},
	} {
		if _, err := NewWriter(context.Background(), row.path, row.o); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, row.want)
		}
	}
}

func TestStrangeNames(t *testing.T) {
	testsrc(t, filepath.Join(t.TempDir(), "x.mp4"), "16x16", 1)
	t.Chdir(t.TempDir())
	c := noise(2, 16, 16, 3)
	for _, path := range []string{"-i.mp4", "a:b.mp4", "http:x.mp4", "a b's \"c\".mp4", "line\nbreak.mp4", "видео 🎥.mp4", "50%d.mp4", "[0].gif"} {
		if err := WriteClip(context.Background(), path, c, WriterOptions{FPS: 5, Quality: Lossless}); err != nil {
			t.Errorf("write %q: %v", path, err)
			continue
		}
		if info, err := Probe(context.Background(), path); err != nil || info.Frames != 2 {
			t.Errorf("probe %q: %+v, %v", path, info, err)
		}
		if got, err := tryDecode(path, DecodeOptions{Channels: 3}); err != nil || got.Frames != 2 {
			t.Errorf("decode %q: %d frames, %v", path, got.Frames, err)
		}
	}
}

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

// turn copies a MOV and makes it one of a phone that was held upright, by the matrix in its track header: how ffmpeg is
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

func saveImage(t *testing.T, path string, img image.Image) {
	t.Helper()
	var out bytes.Buffer
	err := png.Encode(&out, img)
	if filepath.Ext(path) != ".png" {
		out.Reset()
		err = jpeg.Encode(&out, img, nil)
	}
	if err := errors.Join(err, os.WriteFile(path, out.Bytes(), 0o644)); err != nil {
		t.Fatal(err)
	}
}

func TestStartRateAndMaxFrames(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.mp4")
	testsrc(t, filepath.Join(t.TempDir(), "x.mp4"), "16x16", 1)
	c := NewClip(20, 16, 16, 1) // frame i is grey 10 i
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
		// Which of two neighbours the fps filter takes is its own affair: at half the rate it may be the later one.
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
		empty: "not a readable video", filepath.Join(dir, "missing.mp4"): "no such file", dir: "no .png, .jpg or .jpeg in it"} {
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
	n, err := Decode(ctx, path, DecodeOptions{Channels: 3}, func([]uint8) error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) || n == 300 {
		t.Errorf("canceled: %d frames, %v", n, err)
	}
	full := errors.New("full")
	if n, err := Decode(context.Background(), path, DecodeOptions{Channels: 3}, func([]uint8) error { return full }); err != full || n != 0 {
		t.Errorf("consumer's error: %d frames, %v, want 0, %v", n, err, full)
	}
}

// A process that neither ends nor closes its pipes, and has a child that holds them, stands in for a hanging ffmpeg.
func TestCancelNeverHangs(t *testing.T) {
	dir := t.TempDir()
	script := "#!/bin/sh\nprintf 0123\n/bin/sleep 20 &\n/bin/sleep 20\n"
	if err := os.WriteFile(filepath.Join(dir, "ffmpeg"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	begin := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	w, err := NewWriter(ctx, filepath.Join(t.TempDir(), "a.mp4"), WriterOptions{Width: 512, Height: 512, Channels: 3, FPS: 5})
	if err != nil {
		t.Fatal(err)
	}
	frame := make([]uint8, 512*512*3) // more than a pipe holds: the write waits
	for err == nil {
		err = w.WriteFrame(frame)
	}
	if err := w.Close(); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("writing: %v", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	n, err := readFrames(ctx, nil, 4, func([]uint8) error { stop(); return nil })
	if n != 1 || !errors.Is(err, context.Canceled) {
		t.Errorf("reading: %d frames, %v", n, err)
	}
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("both took %v after a cancel", took)
	}
}

func TestMissingFFmpegSaysHowToInstallIt(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	path := filepath.Join(t.TempDir(), "a.mp4")
	os.WriteFile(path, []byte("x"), 0o644)
	_, err := Probe(context.Background(), path)
	if err == nil || !strings.Contains(err.Error(), "apt-get install ffmpeg") || !errors.Is(err, ErrTool) {
		t.Errorf("probe: %v", err)
	}
	if err := WriteClip(context.Background(), path, noise(1, 4, 4, 1), WriterOptions{FPS: 1}); err == nil || !strings.Contains(err.Error(), "apt-get install ffmpeg") {
		t.Errorf("write: %v", err)
	}
}

func TestAPartialLastFrameIsAnError(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "ffmpeg"), []byte("#!/bin/sh\nprintf 0123456789\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	n, err := readFrames(context.Background(), nil, 4, func([]uint8) error { return nil })
	if n != 2 || err == nil || err.Error() != "the next frame has 2 of 4 bytes" {
		t.Errorf("%d frames, %v", n, err)
	}
}

func TestAnOldFFmpegIsNoBrokenVideo(t *testing.T) {
	dir := t.TempDir()
	script := "#!/bin/sh\necho \"Unrecognized option 'fps_mode'.\" >&2\nexit 1\n"
	if err := os.WriteFile(filepath.Join(dir, "ffmpeg"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	_, err := readFrames(context.Background(), nil, 4, func([]uint8) error { return nil })
	if !errors.Is(err, ErrTool) || !strings.Contains(err.Error(), "'fps_mode'") {
		t.Errorf("%v", err)
	}
}

func TestReason(t *testing.T) {
	for in, want := range map[string]string{
		"": "",
		"[h264 @ 0x55] error while decoding MB 1 2\nConversion failed!\n":                                  "error while decoding MB 1 2",
		"[mov,mp4 @ 0x1f] moov atom not found\nfile:/a: b.mp4: Invalid data found when processing input\n": "b.mp4: Invalid data found when processing input",
		"[a @ 0x1] [b @ 0x2] x\nfile:/v.mp4: corrupt input packet in stream 0":                             "x (corrupt input packet in stream 0)",
	} {
		var text tail
		text.Write([]byte(in))
		if got := text.reason(); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	var long tail
	for range 10000 {
		long.Write([]byte("line of noise\n"))
	}
	if len(long.text) > tailSize {
		t.Errorf("%d bytes kept, want up to %d", len(long.text), tailSize)
	}
}

func TestImagesInNaturalOrder(t *testing.T) {
	dir := t.TempDir()
	for i, name := range []string{"frame1.png", "frame2.jpg", "frame10.png", "frame010.png", ".hidden.png", "notes.txt"} {
		img := image.NewGray(image.Rect(0, 0, 20, 10))
		for j := range img.Pix {
			img.Pix[j] = uint8(50 * i)
		}
		saveImage(t, filepath.Join(dir, name), img)
	}
	names, err := Images(dir)
	if err != nil {
		t.Fatal(err)
	}
	for i := range names {
		names[i] = filepath.Base(names[i])
	}
	if want := []string{"frame1.png", "frame2.jpg", "frame010.png", "frame10.png"}; !slices.Equal(names, want) {
		t.Errorf("%q, want %q", names, want)
	}
	got := decodeAll(t, dir, DecodeOptions{Size: 4, Channels: 1, Crop: Center})
	if got.Frames != 4 || !near([]uint8{got.Pix[0], got.Pix[16], got.Pix[32], got.Pix[48]}, []uint8{0, 50, 150, 100}, 1) {
		t.Errorf("%d frames: %v", got.Frames, got.Pix)
	}
	if info, err := Probe(context.Background(), dir); err != nil || info != (Info{Width: 20, Height: 10, Frames: 4}) {
		t.Errorf("%+v, %v", info, err)
	}
	saveImage(t, filepath.Join(dir, "frame3.png"), image.NewGray(image.Rect(0, 0, 21, 10)))
	if _, err := tryDecode(dir, DecodeOptions{Size: 4, Channels: 1}); err == nil || !strings.Contains(err.Error(), "frame3.png: 21x10 pixels, want 20x10") {
		t.Errorf("an image of another size: %v", err)
	}
	os.WriteFile(filepath.Join(dir, "frame3.png"), []byte("no image"), 0o644)
	if _, err := tryDecode(dir, DecodeOptions{Size: 4, Channels: 1}); err == nil || !strings.Contains(err.Error(), "frame3.png: not a readable image") {
		t.Errorf("a broken image: %v", err)
	}
}

func TestStrayTemporaryFilesHaveThePrefix(t *testing.T) {
	// What a kill leaves of a folder of frames must be known as ours by its name, as other temporary files are.
	dir := t.TempDir()
	w, err := NewWriter(context.Background(), filepath.Join(dir, "frames"), WriterOptions{Width: 1, Height: 1, Channels: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	if err := w.WriteFrame([]uint8{1}); err != nil {
		t.Fatal(err)
	}
	entries, _ := os.ReadDir(dir)
	if len(entries) != 1 || !strings.HasPrefix(entries[0].Name(), atomicfile.Prefix) {
		t.Errorf("%v, want one name that begins with %s", entries, atomicfile.Prefix)
	}
}
