package video

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	_ "image/jpeg" // read by image.Decode
	_ "image/png"  // read by image.Decode
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/image/draw"

	"mcvd/configs/regular"
)

// Images lists the PNG and JPEG files of a folder, without hidden ones, in natural order:
// frame2.png before frame10.png. Every file is dir joined with its name.
func Images(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, entry := range entries {
		if IsImage(entry.Name()) && !entry.IsDir() {
			names = append(names, entry.Name())
		}
	}
	slices.SortFunc(names, natural)
	for i, name := range names {
		names[i] = filepath.Join(dir, name)
	}
	return names, nil
}

// IsImage tells by its name whether a file is a visible PNG or JPEG.
func IsImage(name string) bool {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".png", ".jpg", ".jpeg":
		return !strings.HasPrefix(name, ".")
	}
	return false
}

// natural compares names piece by piece: digits as numbers, everything else by bytes. Names that
// are equal in this way, but for leading zeros, are ordered by their bytes, so there are no ties.
func natural(a, b string) int {
	x, y := a, b
	for x != "" && y != "" {
		m, n := digits(x), digits(y)
		if m > 0 && n > 0 {
			p, q := strings.TrimLeft(x[:m], "0"), strings.TrimLeft(y[:n], "0")
			if c := cmp.Or(cmp.Compare(len(p), len(q)), strings.Compare(p, q)); c != 0 {
				return c
			}
			x, y = x[m:], y[n:]
			continue
		}
		if x[0] != y[0] {
			return cmp.Compare(x[0], y[0])
		}
		x, y = x[1:], y[1:]
	}
	return cmp.Or(cmp.Compare(len(x), len(y)), strings.Compare(a, b))
}

// digits is how many digits s begins with.
func digits(s string) int {
	return len(s) - len(strings.TrimLeft(s, "0123456789"))
}

// images is [Images] for a folder that must have some.
func images(dir string) ([]string, error) {
	names, err := Images(dir)
	if err == nil && len(names) == 0 {
		err = fmt.Errorf("%s: no .png, .jpg or .jpeg in it", dir)
	}
	return names, err
}

func probeImages(dir string) (Info, error) {
	names, err := images(dir)
	if err != nil {
		return Info{}, err
	}
	size, err := imageSize(names[0])
	return Info{Width: size.X, Height: size.Y, Frames: len(names)}, err
}

// maxPixels is the most pixels of a frame or an image that are decoded: 8192x8192. A small file can
// ask for far more memory than there is.
const maxPixels = 1 << 26

// checkPixels refuses a size before memory is taken for it.
func checkPixels(width, height int) error {
	if width < 1 || height < 1 || width > maxPixels/height {
		return fmt.Errorf("%dx%d pixels, want 1 to %d: make it smaller first", width, height, maxPixels)
	}
	return nil
}

// imageSize reads the head of an image. It refuses one with too many pixels.
func imageSize(path string) (image.Point, error) {
	file, _, err := regular.Open(path)
	if err != nil {
		return image.Point{}, err
	}
	defer file.Close()
	head, _, err := image.DecodeConfig(file)
	if err != nil {
		return image.Point{}, fmt.Errorf("%s: not a readable image: %w", path, err)
	}
	if err := checkPixels(head.Width, head.Height); err != nil {
		return image.Point{}, fmt.Errorf("%s: %w", path, err)
	}
	return image.Pt(head.Width, head.Height), nil
}

// DecodeImages is [Decode] for files of images, one for each frame. All must have the size of the
// first. Transparent pixels are shown on black. The rotation that a JPEG may ask for is ignored. With
// FPS, each frame is the image that is nearest in time, so some images are left out or repeated.
func DecodeImages(ctx context.Context, names []string, o DecodeOptions, each func([]uint8) error) (Decoded, error) {
	err := o.check()
	if err == nil && len(names) == 0 {
		err = errors.New("no images")
	}
	if err != nil {
		return Decoded{}, err
	}
	d := Decoded{FPS: cmp.Or(o.FPS, o.ImageFPS)}
	switch of := filepath.Dir(names[0]); {
	case o.Start > 0:
		return d, fmt.Errorf("%s: start at %g s: images have no time", of, o.Start)
	case o.FPS > 0 && o.ImageFPS == 0:
		return d, fmt.Errorf("%s: %g frames a second: images don't say how many a second they are", of, o.FPS)
	}
	size, err := imageSize(names[0])
	if err != nil {
		return d, err
	}
	if o.Filter != "" {
		each, o = o.filtered(size, each), o.unscaled()
	}
	out := image.NewRGBA(image.Rectangle{Max: o.frameSize(size)})
	frame := make([]uint8, out.Rect.Dx()*out.Rect.Dy()*o.Channels)
	for _, name := range resample(names, o.ImageFPS, o.FPS) {
		if err := ctx.Err(); err != nil {
			return d, fmt.Errorf("%s: after frame %d: %w", filepath.Dir(name), d.Frames, context.Cause(ctx))
		}
		img, err := readImage(name, size)
		if err != nil {
			return d, err
		}
		render(frame, out, img, o)
		if err := each(frame); err != nil {
			return d, err
		}
		if d.Frames++; d.Frames == o.MaxFrames {
			break
		}
	}
	return d, nil
}

// DecodeImage decodes a PNG or a JPEG into a frame, [height, width, channels], as [Decode] does it in
// a folder of them. Only Size, which must not be 0, Width, Channels and Crop count.
func DecodeImage(b []byte, o DecodeOptions) ([]uint8, error) {
	head, _, err := image.DecodeConfig(bytes.NewReader(b))
	if err == nil {
		err = checkPixels(head.Width, head.Height)
	}
	var img image.Image
	if err == nil {
		img, _, err = image.Decode(bytes.NewReader(b))
	}
	if err != nil {
		return nil, fmt.Errorf("not a readable image: %w", err)
	}
	size := o.frameSize(image.Point{})
	frame := make([]uint8, size.X*size.Y*o.Channels)
	render(frame, image.NewRGBA(image.Rectangle{Max: size}), img, o)
	return frame, nil
}

// render scales an image into a frame by way of out, which has the frame's size.
func render(frame []uint8, out *image.RGBA, img image.Image, o DecodeOptions) {
	from, to := fit(img.Bounds().Size(), out.Rect.Max, o)
	if from.Size() == to.Size() {
		draw.Draw(out, to, img, from.Add(img.Bounds().Min).Min, draw.Src)
		pixels(frame, out, o.Channels)
		return
	}
	draw.CatmullRom.Scale(out, to, img, from.Add(img.Bounds().Min), draw.Src, nil)
	pixels(frame, out, o.Channels)
}

// resample lists the nearest image for every moment of a video of fps frames a second. Half way
// between two images it takes the earlier one. Images are 1/rate seconds apart. If fps is 0, it
// lists each image once.
func resample(names []string, rate, fps float64) []string {
	if fps == 0 {
		return names
	}
	var out []string
	for k := 0; ; k++ {
		i := int(math.Ceil(float64(k)*rate/fps - 0.5 - 1e-9)) // what rounding adds to a half must not matter
		if i >= len(names) {
			return out
		}
		out = append(out, names[i])
	}
}

// fit says which part of an image of the given size goes to which part of a frame.
func fit(size, frame image.Point, o DecodeOptions) (from, to image.Rectangle) {
	from, to = image.Rectangle{Max: size}, image.Rectangle{Max: frame}
	switch {
	case o.Size == 0 || o.Crop == Squeeze:
	case cmp.Or(o.Crop, Center) == Center:
		from.Max = middle(size, frame)
		from = from.Add(size.Sub(from.Max).Div(2))
	default:
		to.Max = inside(size, frame)
		to = to.Add(frame.Sub(to.Max).Div(2))
	}
	return from, to
}

// readImage decodes an image, which must have the size of the others in its folder.
func readImage(path string, size image.Point) (image.Image, error) {
	got, err := imageSize(path) // before decoding: a wrong size may be a huge one
	if err != nil {
		return nil, err
	}
	if got != size {
		return nil, fmt.Errorf("%s: %dx%d pixels, want %dx%d as the first image", path, got.X, got.Y, size.X, size.Y)
	}
	file, _, err := regular.Open(path)
	if err != nil {
		return nil, err
	}
	img, _, err := image.Decode(file)
	if err := errors.Join(err, file.Close()); err != nil {
		return nil, fmt.Errorf("%s: not a readable image: %w", path, err)
	}
	return img, nil
}

// pixels copies an image into a frame of 1 or 3 channels. Grey is the luma of [color.GrayModel].
func pixels(frame []uint8, img *image.RGBA, channels int) {
	for i := range len(img.Pix) / 4 {
		p := img.Pix[4*i : 4*i+4 : 4*i+4]
		if channels == 1 {
			frame[i] = color.GrayModel.Convert(color.RGBA{p[0], p[1], p[2], 255}).(color.Gray).Y
		} else {
			copy(frame[3*i:3*i+3], p)
		}
	}
}
