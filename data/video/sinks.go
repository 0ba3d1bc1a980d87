package video

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"regexp"

	ffmpeg "github.com/u2takey/ffmpeg-go"

	"mcvd/configs/atomicfile"
)

func writeMP4(ctx context.Context, path string, o WriterOptions, frames io.Reader) error {
	return encode(ctx, path, o, frames, func(in *ffmpeg.Stream, url string) *ffmpeg.Stream {
		out := reproducible("mp4")
		out["c:v"] = "libx264rgb"
		out["crf"] = 0
		out["movflags"] = "+faststart"
		// x264's output depends on the number of threads, and, unless told otherwise, on the
		// processor.
		out["threads"] = 4
		out["x264-params"] = "cpu-independent=1"
		if o.Quality == Lossless {
			return in.Output(url, out)
		}
		// yuv420p halves the colour planes, so both sides must be even. The file names the colour
		// matrix, because players otherwise guess BT.601 or BT.709 by the size, and colours shift.
		in = in.Filter("pad", ffmpeg.Args{"ceil(iw/2)*2", "ceil(ih/2)*2"}).
			Filter("scale", nil, ffmpeg.KwArgs{"out_color_matrix": "bt709", "out_range": "tv",
				"flags": "area+accurate_rnd+full_chroma_int+full_chroma_inp+bitexact"})
		out["c:v"] = "libx264"
		out["crf"] = 18
		out["pix_fmt"] = "yuv420p"
		out["color_range"] = "tv"
		for _, of := range []string{"colorspace", "color_primaries", "color_trc"} {
			out[of] = "bt709"
		}
		return in.Output(url, out)
	})
}

// writeGIF gives every frame a palette of its own, because one for the whole video would need all
// frames in memory first. Grey frames fit a palette exactly. Colours are dithered in a pattern that
// stays in place; error diffusion would flicker.
func writeGIF(ctx context.Context, path string, o WriterOptions, frames io.Reader) error {
	use := ffmpeg.KwArgs{"new": 1, "dither": "bayer", "bayer_scale": 4}
	if o.Channels == 1 {
		use = ffmpeg.KwArgs{"new": 1, "dither": "none"}
	}
	return encode(ctx, path, o, frames, func(in *ffmpeg.Stream, url string) *ffmpeg.Stream {
		two := in.Split()
		palette := two.Get("0").Filter("palettegen", nil, ffmpeg.KwArgs{"stats_mode": "single", "reserve_transparent": 0})
		out := reproducible("gif")
		out["loop"] = 0
		return ffmpeg.Filter([]*ffmpeg.Stream{two.Get("1"), palette}, "paletteuse", nil, use).Output(url, out)
	})
}

// reproducible are output options that leave out dates and versions.
func reproducible(format string) ffmpeg.KwArgs {
	return ffmpeg.KwArgs{"f": format, "map_metadata": -1, "fflags": "+bitexact", "flags:v": "+bitexact"}
}

// encode runs ffmpeg from raw RGB frames to a temporary file that becomes path.
func encode(ctx context.Context, path string, o WriterOptions, frames io.Reader,
	graph func(in *ffmpeg.Stream, url string) *ffmpeg.Stream) error {
	return atomicfile.Write(path, func(tmp *os.File) error {
		url, err := Piece{}.url(tmp.Name())
		if err != nil {
			return err
		}
		args, err := arguments(func() *ffmpeg.Stream {
			in := ffmpeg.Input("pipe:", ffmpeg.KwArgs{"f": "rawvideo", "pix_fmt": "rgb24",
				"s": fmt.Sprintf("%dx%d", o.Width, o.Height), "r": decimal(o.FPS)})
			return graph(in, url).OverWriteOutput()
		})
		if err != nil {
			return err
		}
		return feed(ctx, args, frames)
	})
}

// feed runs ffmpeg with frames as its input.
func feed(ctx context.Context, args []string, frames io.Reader) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	p, err := command(ctx, "ffmpeg", args...)
	if err != nil {
		return err
	}
	in, err := p.StdinPipe()
	if err != nil {
		return err
	}
	if err := p.Start(); err != nil {
		return fmt.Errorf("ffmpeg: %w", err)
	}
	defer context.AfterFunc(ctx, func() { in.Close() })()
	source := &remember{Reader: frames}
	_, err = io.Copy(in, source)
	if source.err != nil { // aborted: ffmpeg would take the end of its input for the end of the video
		cancel()
		p.Wait()
		return source.err
	}
	in.Close()
	return cmp.Or(p.Wait(), err) // ffmpeg's reason first: err then is a broken pipe
}

// remember keeps the error of a reader, which io.Copy mixes with the writer's.
type remember struct {
	io.Reader
	err error
}

func (r *remember) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if err != nil && err != io.EOF {
		r.err = err
	}
	return n, err
}

// frameName matches what writeImages writes.
var frameName = regexp.MustCompile(`^frame-\d{5,}\.png$`)

// replaceable says why the folder of images at path may not be replaced: it holds something else.
func replaceable(path string) error {
	entries, err := os.ReadDir(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if !frameName.MatchString(entry.Name()) {
			return fmt.Errorf("%s: can't become a folder of frames: %s is in it; name another folder", path, entry.Name())
		}
	}
	return nil
}

// writeImages fills a temporary folder beside path and renames it. If there is a folder of frames
// at path, it is replaced.
func writeImages(ctx context.Context, path string, o WriterOptions, frames io.Reader) error {
	path = filepath.Clean(path)
	tmp, done, err := atomicfile.TempDir(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer done()
	img := image.NewRGBA(image.Rect(0, 0, o.Width, o.Height))
	rgb := make([]uint8, o.Width*o.Height*3)
	for i := 0; ; i++ {
		if _, err := io.ReadFull(frames, rgb); err == io.EOF {
			break
		} else if err != nil {
			return err
		}
		opaque(img, rgb)
		if err := writePNG(filepath.Join(tmp, fmt.Sprintf("frame-%05d.png", i)), img); err != nil {
			return err
		}
	}
	if err := errors.Join(ctx.Err(), os.Chmod(tmp, 0o755), replaceable(path)); err != nil {
		return err
	}
	old := tmp + "-old"
	if err := os.Rename(path, old); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := os.Rename(tmp, path); err != nil {
		os.Rename(old, path)
		return err
	}
	return os.RemoveAll(old)
}

func writePNG(path string, img image.Image) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(file)
	return errors.Join(png.Encode(out, img), out.Flush(), file.Close())
}
