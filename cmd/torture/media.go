package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// bait is something in a folder of videos that is none.
type bait struct {
	name string // of the file
	make func(path, secret string) error
}

func text(content string) func(path, secret string) error {
	return func(path, secret string) error {
		return write(path, []byte(strings.ReplaceAll(content, "SECRET", secret)))
	}
}

func link(to string) func(path, secret string) error {
	return func(path, _ string) error { return os.Symlink(to, path) }
}

const playlist = "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nfile://SECRET\n"

var baits = []bait{
	{"hls.mp4", text(playlist + "#EXT-X-ENDLIST\n")},
	{"hls.mkv", text(playlist + "#EXT-X-ENDLIST\n")},
	{"endless.mkv", text(playlist)},
	{"endless.mp4", text("#EXTM3U\n#EXT-X-TARGETDURATION:1\n")},
	{"hls-relative.avi", text(strings.ReplaceAll(playlist, "file://SECRET", "../../secret/secret.mp4") + "#EXT-X-ENDLIST\n")},
	{"hls-http.mp4", text("#EXTM3U\n#EXTINF:10,\nhttp://127.0.0.1:9/secret.ts\n#EXT-X-ENDLIST\n")},
	{"concat.mp4", text("ffconcat version 1.0\nfile SECRET\n")},
	{"concat.mkv", text("ffconcat version 1.0\nfile '../../secret/secret.mp4'\n")},
	{"dash.mp4", text(`<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period><AdaptationSet mimeType="video/mp4"><Representation id="0" bandwidth="1"><BaseURL>SECRET</BaseURL></Representation></AdaptationSet></Period></MPD>`)},
	{"session.mp4", text("v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 9 RTP/AVP 96\na=rtpmap:96 H264/90000\n")},
	{"subtitles.mkv", text("1\n00:00:00,000 --> 00:00:09,000\nhello\n")},
	{"ass.mkv", text("[Script Info]\n[Events]\nDialogue: 0,0:00:00.00,0:00:09.00,Default,,0,0,0,,hello\n")},
	{"pattern-%03d.mp4", text("x")},
	{"lavfi.mp4", text("color=c=red")},
	{"filter.avi", text("movie=SECRET")},
	{"meta.mp4", text(";FFMETADATA1\ntitle=x\n")},
	{"empty.mp4", text("")},
	{"one byte.mkv", text("x")},
	{"page.webm", text("<html><body>404</body></html>")},
	{"script.mp4", text("#!/bin/sh\ncat SECRET\n")},
	{"-y.mp4", text("x")},
	{"a:b.mp4", text("x")},
	{"http:__127.0.0.1_x.mp4", text("x")},
	{"\x1b]0;owned\x07.mp4", text("x")},
	{"new\nline.mp4", text("x")},
	{"\xff\xfe.mp4", text("x")},
	{strings.Repeat("n", 250) + ".mp4", text("x")},
	{"pipe.mp4", func(path, _ string) error { return syscall.Mkfifo(path, 0o600) }},
	{"zero.mp4", link("/dev/zero")},
	{"random.mkv", link("/dev/urandom")},
	{"nowhere.mp4", link("nowhere")},
	{"loop", link(".")},
	{"loop.mp4", link("loop.mp4")},
	{"folder.mp4", func(path, _ string) error { return os.Mkdir(path, 0o755) }},
	{"giant/1.png", giant(40000, 40000)},
	{"giant/1.gif", func(path, _ string) error {
		return write(path, append([]byte("GIF89a\xff\xff\xff\xff\x00\x00\x00,\x00\x00\x00\x00\xff\xff\xff\xff\x00\x02"), make([]byte, 64)...))
	}},
	{"giant.gif", func(path, _ string) error {
		return write(path, []byte("GIF89a\xff\xff\xff\xff\x00\x00\x00,\x00\x00\x00\x00\xff\xff\xff\xff\x00\x02\x02\x44\x01\x00;"))
	}},
	{"mixed/1.png", giant(1, 1)},
	{"notes/1.jpg", text("no image")},
	{"svg/1.png", text(`<svg xmlns="http://www.w3.org/2000/svg"><image href="file://SECRET"/></svg>`)},
}

func write(path string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o644)
}

// giant is a PNG whose head announces so many pixels, and that has none.
func giant(width, height uint32) func(path, secret string) error {
	return func(path, _ string) error {
		out := []byte("\x89PNG\r\n\x1a\n")
		chunk := func(kind string, body []byte) {
			out = binary.BigEndian.AppendUint32(out, uint32(len(body)))
			whole := append([]byte(kind), body...)
			out = binary.BigEndian.AppendUint32(append(out, whole...), crc32.ChecksumIEEE(whole))
		}
		head := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, width), height)
		chunk("IHDR", append(head, 8, 2, 0, 0, 0))
		chunk("IDAT", []byte{0x78, 0x9c, 0x63, 0, 0, 0, 1, 0, 1})
		chunk("IEND", nil)
		return write(path, out)
	}
}

// hostileMedia puts each bait, and then damaged videos, beside the good ones, and has the data set read.
func hostileMedia(ctx context.Context, a *arena, rng *rand.Rand, times int, report func(try)) error {
	secret := a.path("secret/secret.mp4")
	if err := os.MkdirAll(filepath.Dir(secret), 0o755); err != nil {
		return err
	}
	if out, err := exec.CommandContext(ctx, "ffmpeg", "-v", "error", "-f", "lavfi", "-i", "color=c=#b7b7b7:s=64x64:r=10:d=2", "-y", secret).CombinedOutput(); err != nil {
		return fmt.Errorf("ffmpeg: %w: %s", err, out)
	}
	frame, err := a.decoded(ctx, secret)
	if err != nil {
		return err
	}
	for n := range times {
		b := broken(rng)
		if n < len(baits) {
			b = baits[n]
		}
		t, err := a.offer(ctx, b, secret, frame)
		if err != nil {
			return err
		}
		report(t)
	}
	return nil
}

// decoded is a frame of the secret as the data set decodes it, which is what would be found in the cache.
func (a *arena) decoded(ctx context.Context, secret string) (string, error) {
	dir, err := a.folder()
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	clips := filepath.Join(dir, "clips")
	if err := os.RemoveAll(clips); err != nil {
		return "", err
	}
	content, err := os.ReadFile(secret)
	if err != nil {
		return "", err
	}
	for _, name := range []string{"a.mp4", "b.mp4", "c.mp4"} {
		if err := write(filepath.Join(clips, name), content); err != nil {
			return "", err
		}
	}
	if err := a.must(ctx, dir, "data", "stats", "-c", "experiment.yml"); err != nil {
		return "", err
	}
	cached, err := tree(filepath.Join(clips, ".mcvd-cache"), func(path string) bool { return path == "lock" })
	for _, content := range cached {
		if frame := content[:min(64, len(content))]; frame == strings.Repeat(frame[:1], 64) {
			return frame, err
		}
	}
	return "", fmt.Errorf("the secret is not found where it is: %v", err)
}

// broken is a video of the data set that is damaged.
func broken(rng *rand.Rand) bait {
	m := mutations[rng.IntN(len(mutations)-1)]
	return bait{"damaged.mp4", func(path, _ string) error {
		video, err := os.ReadFile(filepath.Join(filepath.Dir(path), "00000.mp4"))
		if err != nil {
			return err
		}
		for range 1 + rng.IntN(3) {
			if len(video) > 0 {
				video = m.of(rng, video)
			}
		}
		return write(path, video)
	}}
}

// offer puts a bait into a data set, which is then decoded. The cache must not have a frame of the secret.
func (a *arena) offer(ctx context.Context, b bait, secret, frame string) (try, error) {
	t := try{what: fmt.Sprintf("%q", b.name)}
	dir, err := a.folder()
	if err != nil {
		return t, err
	}
	clips := filepath.Join(dir, "clips")
	if err := os.RemoveAll(filepath.Join(clips, ".mcvd-cache")); err != nil {
		return t, err
	}
	if err := b.make(filepath.Join(clips, b.name), secret); err != nil {
		return t, err
	}
	for _, args := range [][]string{
		{"data", "stats", "-c", "experiment.yml"},
		{"data", "peek", "-c", "experiment.yml", "-o", "out/peek.png"},
	} {
		e := a.run(ctx, dir, args...)
		if t.failure == "" {
			t.failure = e.wrong()
		}
		if t.failure == "" && e.code != 0 {
			t.failure = "the good videos beside it aren't read: " + last(e.said)
		}
	}
	cached, err := tree(filepath.Join(clips, ".mcvd-cache"), nil)
	if err != nil {
		return t, err
	}
	for name, content := range cached {
		if strings.Contains(content, frame) {
			t.failure = "frames of a video outside of the data set are in " + name
		}
	}
	a.drop(dir, t)
	return t, nil
}
