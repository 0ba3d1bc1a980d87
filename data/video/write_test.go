package video

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mcvd/configs/atomicfile"
	"mcvd/data/clips"
)

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

func bars(frames, size int) clips.Clip {
	c := clips.NewClip(frames, size, size, 3)
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
	grey := clips.NewClip(3, 16, 16, 1) // 256 levels fit a palette exactly
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
		err := error(nil)
		for err == nil { // ends: frames don't go anywhere any more
			err = w.WriteFrame(frame)
		}
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: a frame after a cancel: %v", name, err)
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
		"slow":      {"x.mp4", with(func(o *WriterOptions) { o.FPS = 1e-9 }), "want 0.001 to 1000"},
		"fast GIF":  {"x.gif", with(func(o *WriterOptions) { o.FPS = 101 }), "want 0.001 to 100"},
		"quality":   {"x.mp4", with(func(o *WriterOptions) { o.Quality = "best" }), `quality: unknown "best"`},
	} {
		if _, err := NewWriter(context.Background(), row.path, row.o); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, row.want)
		}
		if err := CheckWriter(row.path, row.o); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: CheckWriter: error %v, want one with %q", name, err, row.want)
		}
	}
	t.Setenv("PATH", t.TempDir())
	if err := CheckWriter("x.mp4", good); !errors.Is(err, ErrTool) {
		t.Errorf("without ffmpeg: error %v, want that it is missing", err)
	}
	if err := CheckWriter(t.TempDir(), good); err != nil {
		t.Errorf("images without ffmpeg: error %v, want none", err)
	}
}

func TestStrayTemporaryFilesHaveThePrefix(t *testing.T) {
	// What a kill leaves of a folder of frames must be known as ours by its name, as other
	// temporary files are.
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
