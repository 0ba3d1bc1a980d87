package video

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"strconv"
	"time"

	ffmpeg "github.com/u2takey/ffmpeg-go"

	"mcvd/data/resize"
)

// Crop says how a frame of any shape becomes one of the size asked for.
type Crop string

const (
	// Center cuts out the largest part in the middle that has the proportions of the size asked for.
	Center Crop = "center"
	// Whole keeps the whole frame and its proportions and adds black bars.
	Whole Crop = "whole"
	// Squeeze keeps the whole frame, and stretches or squeezes it to the size asked for.
	Squeeze Crop = "squeeze"
)

// DecodeOptions say which frames are decoded, and into what.
type DecodeOptions struct {
	// Start skips this many seconds. Images have no time, so for a folder of them it must be 0.
	Start float64
	// FPS resamples to this many frames a second; 0 keeps every frame. A folder of images needs
	// ImageFPS for it.
	FPS float64
	// ImageFPS is the frame rate at which a folder of images was taken, in frames a second; 0 is
	// unknown. Videos know theirs.
	ImageFPS float64
	// Size is the height and width of the result; 0 keeps the displayed size, see [Info].
	Size int
	// Width is the width where it is not Size; 0 is Size.
	Width int
	// Filter scales frames as another program does; see package resize. "" averages areas in a video,
	// and takes a cubic filter for images. With [Whole] there is no other.
	Filter resize.Filter
	// Channels is 1 for grey or 3 for RGB.
	Channels int
	// Crop says how frames get their size; "" is [Center]. It has no meaning if Size is 0.
	Crop Crop
	// MaxFrames ends decoding after this many frames; 0 decodes all.
	MaxFrames int
}

// patience is how long a program that reads a file may go without progress. It is far longer than
// any intact file takes, also from a slow disk. Some files keep ffmpeg busy for ever.
const patience = 5 * time.Minute

// Decoded says what [Decode] handed out.
type Decoded struct {
	// Frames is their number.
	Frames int
	// FPS is their frame rate in frames a second, 0 if it is unknown, as in a folder of images.
	FPS float64
}

func (o DecodeOptions) check() error {
	switch {
	case o.Channels != 1 && o.Channels != 3:
		return fmt.Errorf("decode: channels: %d, want 1 (grey) or 3 (RGB)", o.Channels)
	case o.Size < 0 || o.MaxFrames < 0 || !(o.Start >= 0) || !(o.FPS >= 0) || !(o.ImageFPS >= 0):
		return fmt.Errorf("decode: %+v: want nothing negative", o)
	case o.Crop != "" && o.Crop != Center && o.Crop != Whole && o.Crop != Squeeze:
		return fmt.Errorf("decode: crop: unknown %q, want center, whole or squeeze", o.Crop)
	case o.Size == 0 && (o.Crop != "" || o.Width != 0 || o.Filter != ""):
		return fmt.Errorf("decode: crop %q, width %d and filter %q have no effect because size is 0", o.Crop, o.Width, o.Filter)
	case o.Width < 0:
		return fmt.Errorf("decode: width: %d, want 0 or more", o.Width)
	case o.Filter != "" && o.Crop == Whole:
		return fmt.Errorf("decode: filter: %q, want none where crop is whole", o.Filter)
	case o.Filter != "":
		return o.Filter.Check()
	}
	return nil
}

// frameSize is the height and width of frames that are displayed in a size.
func (o DecodeOptions) frameSize(displayed image.Point) image.Point {
	if o.Size == 0 {
		return displayed
	}
	return image.Pt(cmp.Or(o.Width, o.Size), o.Size)
}

// keeps says whether frames that are displayed in a size keep it, but for what is cut off.
func (o DecodeOptions) keeps(displayed image.Point) bool {
	to := o.frameSize(displayed)
	switch {
	case o.Size == 0 || o.Crop == Squeeze:
		return to == displayed
	case o.Crop == Whole:
		return inside(displayed, to) == displayed
	}
	return middle(displayed, to) == to
}

// middle is the size of the largest part of a picture that has the proportions of another size.
func middle(size, like image.Point) image.Point {
	return image.Pt(max(1, min(size.X, size.Y*like.X/like.Y)), max(1, min(size.Y, size.X*like.Y/like.X)))
}

// inside is the largest size in which all of a picture fits into a box.
func inside(size, box image.Point) image.Point {
	if size.X*box.Y >= size.Y*box.X {
		return image.Pt(box.X, max(1, (size.Y*box.X+size.X/2)/size.X))
	}
	return image.Pt(max(1, (size.X*box.Y+size.Y/2)/size.Y), box.Y)
}

// filtered scales frames of a size by o.Filter before it hands them to each.
func (o DecodeOptions) filtered(displayed image.Point, each func([]uint8) error) func([]uint8) error {
	from, to := displayed, o.frameSize(displayed)
	cut := cmp.Or(o.Crop, Center) == Center
	if cut {
		from = middle(from, to)
	}
	resizer := resize.New(o.Filter, from.Y, from.X, to.Y, to.X)
	out := resize.NewFrame(to.Y, to.X, o.Channels)
	return func(frame []uint8) error {
		in := resize.Frame{Pix: frame, Height: displayed.Y, Width: displayed.X, Channels: o.Channels}
		if cut {
			in = in.Middle(from.Y, from.X)
		}
		resizer.Into(in, out)
		return each(out.Pix)
	}
}

// unscaled are the options for frames as they are displayed.
func (o DecodeOptions) unscaled() DecodeOptions {
	o.Size, o.Width, o.Crop, o.Filter = 0, 0, "", ""
	return o
}

// Decode reads a video file, or a folder of PNG or JPEG images in natural order (frame2 before
// frame10). It calls each with one frame after the other, row-major [height, width, channels] and
// valid only during the call. Memory does not grow with the length. Frames are scaled by averaging
// areas, unless o.Filter says otherwise. They are turned and stretched as a player shows them. If a video changes its size midway,
// all frames are scaled to one size.
//
// A file that is broken or cut off is an error that says after which frame, even if all frames
// before it were handed out. A file from which ffmpeg gets no frame for minutes is an error, too.
// Only containers that hold their frames themselves are read, no playlists. An error of each ends
// the decoding and is returned as it is. Decoded also counts the frames that were handed out before
// an error.
func Decode(ctx context.Context, path string, o DecodeOptions, each func(frame []uint8) error) (Decoded, error) {
	if err := o.check(); err != nil {
		return Decoded{}, err
	}
	stat, err := statVideo(path)
	if err != nil {
		return Decoded{}, err
	}
	if stat.IsDir() {
		names, err := images(path)
		if err != nil {
			return Decoded{}, err
		}
		return DecodeImages(ctx, names, o, each)
	}
	return DecodePiece(ctx, path, Piece{}, o, each)
}

// DecodePiece is [Decode] for a video that is a piece of a file.
func DecodePiece(ctx context.Context, path string, at Piece, o DecodeOptions, each func([]uint8) error) (Decoded, error) {
	if err := o.check(); err != nil {
		return Decoded{}, err
	}
	info, err := probe(ctx, path, at)
	if err != nil {
		return Decoded{}, err
	}
	frames, err := decodeFile(ctx, path, at, o, info, each)
	return Decoded{frames, cmp.Or(o.FPS, info.FPS)}, err
}

// decodeFile is [DecodePiece] for a video of which info is known.
func decodeFile(ctx context.Context, path string, at Piece, o DecodeOptions, info Info, each func([]uint8) error) (frames int, err error) {
	displayed := image.Pt(info.Width, info.Height)
	if size := displayed; o.Filter != "" {
		each, o = o.filtered(size, each), o.unscaled()
	} else {
		size = o.frameSize(size)
		info.Width, info.Height = size.X, size.Y
	}
	url, err := at.url(path)
	if err != nil {
		return 0, err
	}
	args, err := arguments(func() *ffmpeg.Stream { return decodeGraph(url, o, info, o.keeps(displayed)) })
	if err != nil {
		return 0, fmt.Errorf("%s: %w", path, err)
	}
	var stop error // what each returned
	frames, err = readFrames(ctx, args, info.Width*info.Height*o.Channels, patience, func(frame []uint8) error {
		stop = each(frame)
		return stop
	})
	whole := o.MaxFrames == 0 || frames < o.MaxFrames
	if err == nil && whole {
		err = checkGIFEnd(path, at)
	}
	switch {
	case stop != nil:
		return frames, stop
	case ctx.Err() != nil:
		return frames, fmt.Errorf("%s: after frame %d: %w", path, frames, context.Cause(ctx))
	case err != nil:
		return frames, fmt.Errorf("%s: broken after frame %d: %w", path, frames, err)
	case frames == 0 && o.Start == 0:
		return 0, fmt.Errorf("%s: no frames in it", path)
	}
	return frames, nil
}

// decodeGraph writes raw frames of info's size to stdout, which kept says that they have already, but for
// what is cut off.
//
// Colours of half the size, as most films have them, are scaled even then. The filter area of ffmpeg 5
// puts them half a pixel too low in frames that keep their size, so bicubic scales these.
func decodeGraph(url string, o DecodeOptions, info Info, kept bool) *ffmpeg.Stream {
	in := ffmpeg.KwArgs{"protocol_whitelist": protocols, "format_whitelist": containers,
		"max_pixels": maxPixels} // frames may become larger midway
	if o.Start > 0 {
		in["ss"] = decimal(o.Start)
	}
	s := ffmpeg.Input(url, in).Get("V:0")
	if o.FPS > 0 {
		s = s.Filter("fps", ffmpeg.Args{decimal(o.FPS)})
	}
	kernel := "area"
	if kept {
		kernel = "bicubic"
	}
	quality := ffmpeg.KwArgs{"flags": kernel + "+accurate_rnd+full_chroma_int+full_chroma_inp+bitexact"}
	scale := func(more ffmpeg.KwArgs, w, h string) {
		s = s.Filter("scale", ffmpeg.Args{w, h}, ffmpeg.MergeKwArgs([]ffmpeg.KwArgs{quality, more}))
	}
	width, height := strconv.Itoa(info.Width), strconv.Itoa(info.Height)
	scale(nil, "max(1,round(iw*sar))", "ih") // square pixels; nothing happens to those that are
	switch {
	case o.Size == 0 || o.Crop == Squeeze:
		scale(nil, width, height)
	case cmp.Or(o.Crop, Center) == Center:
		// As in middle, of frames that may change their size midway; ffmpeg rounds to even numbers where colours
		// have half the size.
		s = s.Filter("crop", ffmpeg.Args{
			fmt.Sprintf("max(1,min(iw,floor(ih*%s/%s)))", width, height), fmt.Sprintf("max(1,min(ih,floor(iw*%s/%s)))", height, width)})
		scale(nil, width, height)
	default:
		scale(ffmpeg.KwArgs{"force_original_aspect_ratio": "decrease"}, width, height)
		// Bars are added in RGB, because black in grey frames would be 16, the black of television.
		s = s.Filter("format", ffmpeg.Args{"rgb24"}).
			Filter("pad", ffmpeg.Args{width, height, "(ow-iw)/2", "(oh-ih)/2", "black"})
		scale(nil, "iw", "ih") // to grey, if so
	}
	out := ffmpeg.KwArgs{"f": "rawvideo", "pix_fmt": map[int]string{1: "gray", 3: "rgb24"}[o.Channels], "fps_mode": "passthrough"}
	if o.MaxFrames > 0 {
		out["frames:v"] = o.MaxFrames
	}
	return s.Output("pipe:", out)
}

// readFrames runs ffmpeg and hands out its output in pieces of size bytes. It returns the error of
// each or of ffmpeg. It also fails if the last piece is too short, which ffmpeg doesn't report, and
// if a piece takes longer than patience.
func readFrames(ctx context.Context, args []string, size int, patience time.Duration, each func([]uint8) error) (frames int, err error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	stalled := time.AfterFunc(patience, func() { stop(noProgress(patience)) })
	defer stalled.Stop()
	p, err := command(ctx, "ffmpeg", args...)
	if err != nil {
		return 0, err
	}
	out, err := p.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := p.Start(); err != nil {
		return 0, fmt.Errorf("ffmpeg: %w", err)
	}
	// Killing ffmpeg ends the read below, unless a grandchild holds the pipe.
	defer context.AfterFunc(ctx, func() { out.Close() })()
	frame := make([]uint8, size)
	for {
		n, err := io.ReadFull(out, frame)
		switch {
		case err == nil:
			stalled.Stop() // each may take as long as it likes
			if err := each(frame); err != nil {
				stop(nil)
				p.Wait()
				return frames, err
			}
			frames++
			stalled.Reset(patience)
		case errors.Is(err, io.ErrUnexpectedEOF):
			return frames, cmp.Or(p.Wait(), fmt.Errorf("the next frame has %d of %d bytes", n, size))
		case errors.Is(err, io.EOF):
			return frames, p.Wait()
		default: // the pipe was closed because ctx ended
			return frames, cmp.Or(p.Wait(), err)
		}
	}
}

// decimal writes a number as ffmpeg reads it in options and filters: digits, never an exponent.
func decimal(x float64) string { return strconv.FormatFloat(x, 'f', -1, 64) }
