package main

import (
	"context"
	"errors"

	"mcvd/configs"
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

// put stores made frames from index at on.
func (f *film) put(at int, frames []eval.Frame) error {
	for k, frame := range frames {
		clip, err := video.ToClip(frame, 1, f.size, f.size, f.channels)
		if err != nil {
			return err
		}
		if err := f.made.Put(at+k, clip.Pix); err != nil {
			return err
		}
	}
	return nil
}

// each calls visit with every frame of the film in order, and with the real one in its place where that is known.
func (f *film) each(visit func(made, real video.Clip) error) error {
	whole := func(c video.Clip) error {
		for i := range c.Frames {
			frame := c.Slice(i, i+1)
			if err := visit(frame, frame); err != nil {
				return err
			}
		}
		return nil
	}
	if err := whole(f.Past); err != nil {
		return err
	}
	made := video.NewClip(1, f.size, f.size, f.channels)
	for i := range f.n {
		if err := f.made.Get(i, made.Pix); err != nil {
			return err
		}
		var real video.Clip
		if i < f.Real.Frames {
			real = f.Real.Slice(i, i+1)
		}
		if err := visit(made, real); err != nil {
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
		o.Width = 2*f.size + gap
		err = video.CheckWriter(path+besideName+extension, o)
	}
	return err
}

// write writes the film to path + extension, and beside the real one to path + "-beside" + extension if that is known.
func (f *film) write(ctx context.Context, path, extension string, o video.WriterOptions) ([]string, error) {
	o.Width, o.Height, o.Channels = f.size, f.size, f.channels
	paths := []string{path + extension}
	if err := f.encode(ctx, paths[0], o, func(made, _ video.Clip) ([]uint8, error) { return made.Pix, nil }); err != nil {
		return nil, err
	}
	if f.Real.Frames < f.n {
		return paths, nil
	}
	o.Width = 2*f.size + gap
	beside := path + besideName + extension
	err := f.encode(ctx, beside, o, func(made, real video.Clip) ([]uint8, error) {
		both, err := video.SideBySide(gap, real, made)
		return both.Pix, err
	})
	if err != nil {
		return paths, err
	}
	return append(paths, beside), nil
}

func (f *film) encode(ctx context.Context, path string, o video.WriterOptions, frame func(made, real video.Clip) ([]uint8, error)) error {
	w, err := video.NewWriter(ctx, path, o)
	if err != nil {
		return err
	}
	err = f.each(func(made, real video.Clip) error {
		pix, err := frame(made, real)
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

// clip reads what a contact sheet shows of the film: the given frames, and the first of the made ones.
func (f *film) clip() (video.Clip, error) {
	shown := video.NewClip(f.Past.Frames+min(f.n, maxShown)+f.Future.Frames, f.size, f.size, f.channels)
	i, seen := 0, 0
	err := f.each(func(made, _ video.Clip) error {
		seen++
		if k := seen - 1 - f.Past.Frames; k >= maxShown && k < f.n {
			if f.Future.Frames == 0 {
				return errEnough
			}
			return nil
		}
		copy(shown.Slice(i, i+1).Pix, made.Pix)
		i++
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return shown, err
}

var errEnough = errors.New("enough frames")
