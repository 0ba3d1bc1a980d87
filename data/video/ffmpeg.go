// Package video moves clips between memory and files: videos by ffmpeg, PNG frames, contact sheets.
package video

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	ffmpeg "github.com/u2takey/ffmpeg-go"
)

// process is one run of ffmpeg or ffprobe. The library ffmpeg-go is used only to build argument
// lists. Its own way of running them loses contexts, pipes and error messages.
type process struct {
	*exec.Cmd
	ctx    context.Context
	stderr tail
}

// ErrTool is in an error that says that ffmpeg or ffprobe is missing or too old. No file is to
// blame for it.
var ErrTool = errors.New("videos need ffmpeg and ffprobe, 5.1 or newer, in PATH " +
	"(Debian, Ubuntu: apt-get install ffmpeg; macOS: brew install ffmpeg; others: https://ffmpeg.org)")

// command prepares a run of tool (ffmpeg or ffprobe), which is killed when ctx ends. A missing tool
// is [ErrTool].
func command(ctx context.Context, tool string, args ...string) (*process, error) {
	path, err := exec.LookPath(tool)
	if err != nil {
		return nil, fmt.Errorf("%s: not found: %w", tool, ErrTool)
	}
	p := &process{Cmd: exec.CommandContext(ctx, path, args...), ctx: ctx}
	p.Stderr = &p.stderr
	p.WaitDelay = time.Second // a grandchild that keeps a pipe open must not keep us
	return p, nil
}

// Wait waits for the end of the process. If the context ended it, the error is the context's;
// otherwise it is what the tool said last.
func (p *process) Wait() error {
	err := p.Cmd.Wait()
	if cause := context.Cause(p.ctx); cause != nil {
		return cause
	}
	said := p.stderr.reason()
	switch {
	case err == nil && p.stderr.truncated():
		return errors.New(said)
	case err == nil:
		return nil
	case strings.Contains(string(p.stderr.text), "Unrecognized option"):
		return fmt.Errorf("%s: %s: %w", filepath.Base(p.Path), said, ErrTool)
	case said == "":
		return fmt.Errorf("%s: %w", filepath.Base(p.Path), err)
	}
	return errors.New(said)
}

// arguments returns ffmpeg's arguments for a graph built with ffmpeg-go, which panics at a bad
// graph. With -xerror any error ends the run; without it a broken file gives a short video and exit
// status 0.
func arguments(build func() *ffmpeg.Stream) (args []string, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("ffmpeg graph: %v", r)
		}
	}()
	return append([]string{"-nostdin", "-hide_banner", "-nostats", "-loglevel", "error", "-xerror"},
		build().GetArgs()...), nil
}

// containers are the formats of files that ffmpeg may read: those that hold their frames
// themselves. Without this list a playlist, whatever its name, makes ffmpeg read files elsewhere,
// and may have no end.
const containers = "avi,flv,asf,gif,matroska,mov,mpeg,mpegts,mpegvideo,m4v,ogg"

// noProgress is the error of a program that was ended because it took too long.
func noProgress(patience time.Duration) error { return fmt.Errorf("no progress for %v", patience) }

// protocols are those by which ffmpeg may read: files, and parts of files.
const protocols = "file,subfile"

// Piece is the bytes of a file from From to before To, such as a file in a tar. The zero value is the
// whole file.
type Piece struct{ From, To int64 }

// url names a file, or a piece of it, so that ffmpeg can't take it for an option (-x.mp4) or a
// protocol (a:b.mp4). A piece is read where it lies: ffmpeg seeks in it, and nothing is copied.
func (p Piece) url(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if p == (Piece{}) {
		return "file:" + abs, err
	}
	return fmt.Sprintf("subfile,,start,%d,end,%d,,:file:%s", p.From, p.To, abs), err
}

// tail keeps the end of what a process writes to stderr.
type tail struct{ text []byte }

const tailSize = 8 << 10

// Write implements io.Writer.
func (t *tail) Write(p []byte) (int, error) {
	t.text = append(t.text, p...)
	if extra := len(t.text) - tailSize; extra > 0 {
		t.text = append(t.text[:0], t.text[extra:]...)
	}
	return len(p), nil
}

// truncated says whether a demuxer met the end of the file too early, which some report without
// failing.
func (t *tail) truncated() bool {
	return strings.Contains(string(t.text), "ended prematurely") || strings.Contains(string(t.text), "partial file")
}

// reason is the last line that says what went wrong. If that line is too general, the line before
// it comes along.
func (t *tail) reason() string {
	speaker := regexp.MustCompile(`^(\[[^\]]* @ 0x[0-9a-f]+\] *)+`)
	var lines []string
	for line := range strings.Lines(string(t.text)) {
		line = strings.TrimSpace(speaker.ReplaceAllString(line, ""))
		if line == "" || line == "Conversion failed!" || strings.HasPrefix(line, "Last message repeated") ||
			strings.HasPrefix(line, "Error marking filters as finished") {
			continue
		}
		// "file:/the/path: reason": the callers put the path in front as the user knows it.
		if strings.HasPrefix(line, "file:") || strings.HasPrefix(line, "subfile,") {
			if _, after, ok := strings.Cut(line, ": "); ok {
				line = after
			}
		}
		if strings.HasPrefix(line, "Format not on whitelist") {
			return "a format that is not read, such as a playlist: want a video that holds its frames itself"
		}
		lines = append(lines, line)
	}
	if len(lines) == 0 {
		return ""
	}
	last := lines[len(lines)-1]
	if general := last == "Invalid data found when processing input" || strings.HasPrefix(last, "corrupt "); general && len(lines) > 1 {
		return lines[len(lines)-2] + " (" + last + ")"
	}
	return last
}
