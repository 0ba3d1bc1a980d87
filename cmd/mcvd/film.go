package main

import (
	"context"

	"mcvd/configs"
	"mcvd/data/clips"
	"mcvd/data/video"
	"mcvd/eval"
)

// film is a video in the making: the given frames in memory, the made ones in a spool.
type film struct {
	name           string
	eval.Case          // Real has no frames if there is nothing to compare with
	n              int // frames made
	size, channels int
	made           *video.Spool
}

func newFilm(dir, name string, c eval.Case, n int, config *configs.Config) (*film, error) {
	size, channels := config.Data.Size, config.Data.Channels
	spool, err := video.NewSpool(dir, size*size*channels)
	if err != nil {
		return nil, err
	}
	return &film{name, c, n, size, channels, spool}, nil
}

func closeAll(films []*film) {
	for _, f := range films {
		f.made.Close()
	}
}

// put stores made frame i.
func (f *film) put(i int, frame eval.Frame) error {
	clip, err := clips.ToClip(frame, 1, f.size, f.size, f.channels)
	if err != nil {
		return err
	}
	return f.made.Put(i, clip.Pix)
}

// frame is one frame of a film, and the real one in its place: the same where it was given, without pixels where it is not known.
type frame struct {
	clips.Clip
	real clips.Clip
	mark video.Mark // Given or Generated
}

// each calls visit with every frame of the film in order.
func (f *film) each(visit func(frame) error) error {
	whole := func(c clips.Clip) error {
		for i := range c.Frames {
			given := c.Slice(i, i+1)
			if err := visit(frame{given, given, video.Given}); err != nil {
				return err
			}
		}
		return nil
	}
	if err := whole(f.Past); err != nil {
		return err
	}
	made := clips.NewClip(1, f.size, f.size, f.channels)
	for i := range f.n {
		if err := f.made.Get(i, made.Pix); err != nil {
			return err
		}
		var real clips.Clip
		if i < f.Real.Frames {
			real = f.Real.Slice(i, i+1)
		}
		if err := visit(frame{made, real, video.Generated}); err != nil {
			return err
		}
	}
	return whole(f.Future)
}

const (
	besideName = "-beside"
	gap        = 2 // pixels between the real frames and the made ones
)

// check reports what write would fail at, whatever the frames.
func (f *film) check(path, extension string, o video.WriterOptions) error {
	o.Width, o.Height, o.Channels = f.size, f.size, f.channels
	err := video.CheckWriter(path+extension, o)
	if err == nil && f.Real.Frames >= f.n {
		o.Width, o.Channels = 2*f.size+gap, 3
		err = video.CheckWriter(path+besideName+extension, o)
	}
	return err
}

// write writes the film to path + extension, and beside the real one to path + "-beside" + extension if that is known; the line
// between the two has the colour of given or of generated frames.
func (f *film) write(ctx context.Context, path, extension string, o video.WriterOptions) ([]string, error) {
	o.Width, o.Height, o.Channels = f.size, f.size, f.channels
	paths := []string{path + extension}
	if err := f.encode(ctx, paths[0], o, func(fr frame) ([]uint8, error) { return fr.Pix, nil }); err != nil {
		return nil, err
	}
	if f.Real.Frames < f.n {
		return paths, nil
	}
	o.Width, o.Channels = 2*f.size+gap, 3
	beside := path + besideName + extension
	err := f.encode(ctx, beside, o, func(fr frame) ([]uint8, error) {
		both, err := video.SideBySide(gap, fr.mark, fr.real, fr.Clip)
		return both.Pix, err
	})
	if err != nil {
		return paths, err
	}
	return append(paths, beside), nil
}

func (f *film) encode(ctx context.Context, path string, o video.WriterOptions, pixels func(frame) ([]uint8, error)) error {
	w, err := video.NewWriter(ctx, path, o)
	if err != nil {
		return err
	}
	err = f.each(func(fr frame) error {
		pix, err := pixels(fr)
		if err != nil {
			return err
		}
		return w.WriteFrame(pix)
	})
	if err != nil {
		w.Abort()
		return err
	}
	return w.Close()
}

// shown are the made frames that a contact sheet shows: all, or the first and the last.
func (f *film) shown() []int {
	var indices []int
	for i := range f.n {
		if f.n <= maxShown || i < maxShown/2 || i >= f.n-maxShown/2 {
			indices = append(indices, i)
		}
	}
	return indices
}

// excerpt is the frames that a contact sheet shows, with real frames in the place of the made ones if real is set, and the
// numbers of all of them in the film.
func (f *film) excerpt(real bool) (c clips.Clip, numbers []int, err error) {
	shown := f.shown()
	middle := clips.NewClip(len(shown), f.size, f.size, f.channels)
	for i := range f.Past.Frames {
		numbers = append(numbers, i)
	}
	for k, i := range shown {
		to := middle.Slice(k, k+1).Pix
		if real {
			copy(to, f.Real.Slice(i, i+1).Pix)
		} else if err := f.made.Get(i, to); err != nil {
			return c, nil, err
		}
		numbers = append(numbers, f.Past.Frames+i)
	}
	for i := range f.Future.Frames {
		numbers = append(numbers, f.Past.Frames+f.n+i)
	}
	return join(f.Past, middle, f.Future), numbers, nil
}
