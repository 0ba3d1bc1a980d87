package video

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"mcvd/configs"
	"mcvd/data/clips"
)

// Quality says how an MP4 is compressed.
type Quality string

const (
	// Share is small and plays everywhere: H.264, yuv420p. An odd width or height gets one black
	// row or column.
	Share Quality = "share"
	// Lossless keeps every bit: H.264 of RGB, which ffmpeg, mpv and VLC play, but not every
	// browser.
	Lossless Quality = "lossless"
)

// WriterOptions describe the frames of a video that is written.
type WriterOptions struct {
	// Width and Height of the frames that are handed in, in pixels.
	Width, Height int
	// Channels is 1 for grey or 3 for RGB.
	Channels int
	// FPS is the frame rate; a folder of images has none and ignores it.
	FPS float64
	// Quality of an MP4; "" is [Share]. A GIF has 256 colours for each frame. Images are always
	// lossless.
	Quality Quality
	// Scale makes every pixel a square with sides of this many pixels; 0 is 1.
	Scale int
}

type sink func(ctx context.Context, path string, o WriterOptions, frames io.Reader) error

// sinks write frames to a path, by the extension of its name. They read RGB frames of o's size
// until io.EOF. The frames are already enlarged, and are RGB even if o.Channels is 1. At any other
// error, sinks leave nothing behind and return it.
var sinks = map[string]sink{
	".mp4": writeMP4,
	".gif": writeGIF,
	"":     writeImages,
}

// Writer writes a video frame by frame. Its methods must not be called by several goroutines at
// once.
type Writer struct {
	path   string
	o      WriterOptions // of the frames handed in
	buffer []uint8
	pipe   *io.PipeWriter
	done   chan struct{}
	err    error // of the sink, once done is closed
	frames int
	closed bool
}

var errAborted = errors.New("aborted")

// NewWriter begins a video at path: .mp4, .gif, or, without an extension, a folder of
// frame-00000.png and so on.
//
// Nothing is at path before [Writer.Close] succeeds; a video that was there stays until then. Equal
// frames give equal bytes. NewWriter fails at another extension, at options out of range, and at a
// folder that holds anything but frames. WriteFrame or Close report a missing ffmpeg, a full disk
// and the end of ctx.
func NewWriter(ctx context.Context, path string, o WriterOptions) (*Writer, error) {
	write, o, err := prepare(path, o)
	if err != nil {
		return nil, err
	}
	big := o
	big.Width, big.Height = o.Width*o.Scale, o.Height*o.Scale
	r, pipe := io.Pipe()
	w := &Writer{path: path, o: o, pipe: pipe, done: make(chan struct{}), buffer: make([]uint8, big.Width*big.Height*3)}
	stop := context.AfterFunc(ctx, func() { pipe.CloseWithError(context.Cause(ctx)) })
	go func() {
		defer close(w.done)
		defer stop()
		w.err = write(ctx, path, big, r)
		if w.err != nil {
			r.CloseWithError(w.err)
		}
	}()
	return w, nil
}

// CheckWriter reports, before there is any frame, what [NewWriter] would fail at, and a missing
// ffmpeg.
func CheckWriter(path string, o WriterOptions) error {
	if _, _, err := prepare(path, o); err != nil {
		return err
	}
	if filepath.Ext(path) == "" {
		return nil
	}
	_, err := command(context.Background(), "ffmpeg")
	return err
}

// prepare returns the sink for path, and the options with their defaults filled in.
func prepare(path string, o WriterOptions) (sink, WriterOptions, error) {
	extension := strings.ToLower(filepath.Ext(path))
	write, ok := sinks[extension]
	if !ok {
		return nil, o, fmt.Errorf("%s: can't write %q: want .mp4, .gif or, for a folder of PNG images, no extension", path, extension)
	}
	o.Scale = max(o.Scale, 1)
	if o.Quality == "" {
		o.Quality = Share
	}
	switch {
	case o.Width < 1 || o.Height < 1 || o.Width > maxSide/o.Scale || o.Height > maxSide/o.Scale:
		return nil, o, fmt.Errorf("%s: frames of %dx%d, enlarged %d times: want 1 to %d pixels", path, o.Width, o.Height, o.Scale, maxSide)
	case o.Channels != 1 && o.Channels != 3:
		return nil, o, fmt.Errorf("%s: %d channels, want 1 (grey) or 3 (RGB)", path, o.Channels)
	case o.Quality != Share && o.Quality != Lossless:
		return nil, o, fmt.Errorf("%s: quality: unknown %q, want share or lossless", path, o.Quality)
	}
	if err := CheckFPS(extension, o.FPS); err != nil {
		return nil, o, fmt.Errorf("%s: %w", path, err)
	}
	if extension == "" {
		if err := replaceable(path); err != nil {
			return nil, o, err
		}
	}
	return write, o, nil
}

// CheckFPS reports a frame rate that files with the extension can't have.
func CheckFPS(extension string, fps float64) error {
	fastest := 1000.0
	if extension == ".gif" {
		fastest = 100 // times are hundredths of a second
	}
	if extension != "" && !(fps >= 0.001 && fps <= fastest) {
		return fmt.Errorf("%g frames a second, want 0.001 to %g", fps, fastest)
	}
	return nil
}

// maxSide is the largest width or height of H.264.
const maxSide = 16384

// WriteFrame adds a frame: row-major [height, width, channels]. It doesn't keep pix.
func (w *Writer) WriteFrame(pix []uint8) error {
	switch {
	case w.closed:
		return fmt.Errorf("%s: frame %d: already closed", w.path, w.frames)
	case len(pix) != w.o.Width*w.o.Height*w.o.Channels:
		return fmt.Errorf("%s: frame %d: %d bytes, want %dx%dx%d", w.path, w.frames, len(pix), w.o.Height, w.o.Width, w.o.Channels)
	}
	enlarge(w.buffer, pix, w.o.Width, w.o.Channels, w.o.Scale)
	if _, err := w.pipe.Write(w.buffer); err != nil {
		if errors.Is(err, io.ErrClosedPipe) { // ctx has ended: the sink knows why
			<-w.done
			err = w.err
		}
		return fmt.Errorf("%s: frame %d: %w", w.path, w.frames, err)
	}
	w.frames++
	return nil
}

// Close ends the video and gives it its name. If that fails, or any frame failed before, nothing is
// left behind. It may be called again, and after [Writer.Abort], and then reports the same.
func (w *Writer) Close() error {
	if !w.closed && w.frames == 0 {
		w.pipe.CloseWithError(errors.New("no frames"))
	}
	w.closed = true
	w.pipe.Close()
	<-w.done
	if w.err != nil {
		return fmt.Errorf("%s: %w", w.path, w.err)
	}
	return nil
}

// Abort ends the writing and leaves nothing behind. After Close it does nothing, so that it may be
// deferred.
func (w *Writer) Abort() {
	w.closed = true
	w.pipe.CloseWithError(errAborted)
	<-w.done
}

// WriteClip writes a whole clip, see [NewWriter]; o's size and channels are the clip's.
func WriteClip(ctx context.Context, path string, c clips.Clip, o WriterOptions) error {
	o.Width, o.Height, o.Channels = c.Width, c.Height, c.Channels
	w, err := NewWriter(ctx, path, o)
	if err != nil {
		return err
	}
	defer w.Abort()
	for i := range c.Frames {
		if err := w.WriteFrame(c.Slice(i, i+1).Pix); err != nil {
			return err
		}
	}
	return w.Close()
}

// Extensions lists the extensions that [NewWriter] can write; "" is a folder of images.
func Extensions() []string { return configs.Names(sinks) }

// enlarge returns pix, of 1 or 3 channels, as RGB, with every pixel scale times as wide and high.
func enlarge(rgb, pix []uint8, width, channels, scale int) {
	row := 3 * width * scale
	for y := range len(pix) / (width * channels) {
		line := rgb[y*scale*row:][:row]
		for x := range width {
			p := pix[(y*width+x)*channels:]
			r, g, b := p[0], p[channels/2], p[channels-1]
			for i := range scale {
				copy(line[3*(x*scale+i):], []uint8{r, g, b})
			}
		}
		for i := 1; i < scale; i++ {
			copy(rgb[(y*scale+i)*row:], line)
		}
	}
}
