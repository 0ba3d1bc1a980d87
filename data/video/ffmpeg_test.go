package video

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func ffmpegRun(t *testing.T, args ...string) {
	t.Helper()
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Fatal("ffmpeg is not installed: scripts/install-ffmpeg.sh installs it")
	}
	args = append([]string{"-nostdin", "-loglevel", "error", "-y"}, args...)
	if out, err := exec.Command("ffmpeg", args...).CombinedOutput(); err != nil {
		t.Fatalf("ffmpeg %q: %v\n%s", args, err, out)
	}
}

func testsrc(t *testing.T, path, size string, frames int, more ...string) string {
	t.Helper()
	args := []string{"-f", "lavfi", "-i", fmt.Sprintf("testsrc=size=%s:rate=10", size), "-frames:v", fmt.Sprint(frames)}
	ffmpegRun(t, slices.Concat(args, more, []string{"file:" + path})...)
	return path
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
	n, err := readFrames(ctx, nil, 4, patience, func([]uint8) error { stop(); return nil })
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
	n, err := readFrames(context.Background(), nil, 4, patience, func([]uint8) error { return nil })
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
	_, err := readFrames(context.Background(), nil, 4, patience, func([]uint8) error { return nil })
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

// A video that is a piece of a file has the frames of the video alone, whatever lies around it.
func TestPiecesOfFiles(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a.mp4", "a.gif", "a.mkv", "a.avi"} {
		path := testsrc(t, filepath.Join(dir, name), "32x32", 12)
		whole, err := tryDecode(path, DecodeOptions{Channels: 3})
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		around := filepath.Join(dir, "a, b: "+name+".bin")
		if err := os.WriteFile(around, slices.Concat([]byte("before"), b, b, []byte("after")), 0o644); err != nil {
			t.Fatal(err)
		}
		size := int64(len(b))
		piece := func(at Piece) (pix []uint8, d Decoded, err error) {
			d, err = DecodePiece(context.Background(), around, at, DecodeOptions{Channels: 3}, func(frame []uint8) error {
				pix = append(pix, frame...)
				return nil
			})
			return pix, d, err
		}
		for _, at := range []Piece{{6, 6 + size}, {6 + size, 6 + 2*size}} {
			if pix, d, err := piece(at); err != nil || d.Frames != 12 || !slices.Equal(pix, whole.Pix) {
				t.Errorf("%s, %v: %d frames, %v, or other ones", name, at, d.Frames, err)
			}
		}
		if pix, _, err := piece(Piece{6, 6 + size*3/4}); err == nil {
			t.Errorf("%s, cut off: %d bytes of frames and no error", name, len(pix))
		} else if strings.Contains(err.Error(), "subfile") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}
