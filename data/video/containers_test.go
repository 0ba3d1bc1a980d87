package video

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Every container that videos come in is read, with its rate.
func TestContainers(t *testing.T) {
	dir := t.TempDir()
	for name, args := range map[string][]string{
		"a.3gp": {"-c:v", "mpeg4"}, "a.3g2": {"-c:v", "mpeg4"}, "a.asf": {"-c:v", "wmv2"}, "a.avi": nil, "a.flv": {"-c:v", "flv"},
		"a.gif": nil, "a.m2ts": {"-c:v", "mpeg2video"}, "a.m4v": {"-c:v", "mpeg4"}, "a.mkv": {"-c:v", "mpeg4"}, "a.mov": nil,
		"a.mpg": nil, "a.mts": {"-c:v", "mpeg2video", "-f", "mpegts"}, "a.ogv": {"-f", "ogg", "-c:v", "libvpx"}, "a.ts": nil,
		"a.vob": nil, "a.webm": {"-c:v", "libvpx"}, "a.wmv": {"-c:v", "wmv2"},
	} {
		path := testsrc(t, filepath.Join(dir, name), "64x64", 10, append([]string{"-r", "25"}, args...)...)
		var frames int
		d, err := Decode(context.Background(), path, DecodeOptions{Size: 8, Channels: 1}, func([]uint8) error { frames++; return nil })
		if err != nil || frames < 10 || d.Frames != frames || !(d.FPS > 24.9 && d.FPS < 25.1 || name == "a.gif" && d.FPS > 0) {
			t.Errorf("%s: %d frames, told %d at %g a second, %v; want 10 or more at 25", name, frames, d.Frames, d.FPS, err)
		}
	}
}

// A playlist under the name of a video would show files from anywhere, and one without an end would
// be waited for for ever.
func TestPlaylistsAreRefused(t *testing.T) {
	dir := t.TempDir()
	secret := testsrc(t, filepath.Join(t.TempDir(), "secret.ts"), "64x64", 10, "-r", "25")
	for name, text := range map[string]string{
		"x.mkv":    "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n" + secret + "\n#EXT-X-ENDLIST\n",
		"live.mp4": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n" + secret + "\n",
		"cat.avi":  "ffconcat version 1.0\nfile '" + secret + "'\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		want := fmt.Sprintf("%s: not a readable video: a format that is not read", path)
		_, decoding := tryDecode(path, DecodeOptions{Channels: 1})
		_, probing := Probe(context.Background(), path)
		for _, err := range []error{decoding, probing} {
			if err == nil || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("%s: error %v, want %s", name, err, want)
			}
		}
		// The decoder refuses it also where nothing was probed before.
		if n, err := decodeFile(context.Background(), path, Piece{}, DecodeOptions{Channels: 1}, Info{Width: 64, Height: 64}, func([]uint8) error { return nil }); err == nil || n != 0 {
			t.Errorf("%s: %d frames, %v, want an error", name, n, err)
		}
	}
}

// Programs that make no progress are ended; that a consumer takes its time is none of their faults.
func TestNoProgressIsAnError(t *testing.T) {
	dir := t.TempDir()
	for _, tool := range []string{"ffmpeg", "ffprobe"} {
		if err := os.WriteFile(filepath.Join(dir, tool), []byte("#!/bin/sh\nprintf 0123\nexec /bin/sleep 1000\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir)
	const little = 100 * time.Millisecond
	_, reading := readFrames(context.Background(), nil, 4, little, func([]uint8) error { return nil })
	_, probing := ffprobe(context.Background(), "a.mp4", Piece{}, little)
	for _, err := range []error{reading, probing} {
		if err == nil || !strings.Contains(err.Error(), "no progress for 100ms") {
			t.Errorf("error %v, want one that says for how long nothing happened", err)
		}
	}
}
