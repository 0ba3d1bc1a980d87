package eval

import (
	"context"
	"slices"

	"mcvd/data/clips"
	"mcvd/data/video"
)

// film is a case's video while it is generated: the given and the real frames in memory, the
// generated ones in a spool.
type film struct {
	Case
	name                    string
	n                       int   // frames between past and future
	given                   []int // those of them that are not generated
	height, width, channels int
	made                    *video.Spool
}

func newFilm(dir, name string, c Case, j Job, height, width, channels int) (*film, error) {
	spool, err := video.NewSpool(dir, height*width*channels)
	if err != nil {
		return nil, err
	}
	return &film{c, name, j.Frames, j.Given, height, width, channels, spool}, nil
}

func closeAll(films []*film) {
	for _, f := range films {
		f.made.Close()
	}
}

// put stores generated frame i.
func (f *film) put(i int, frame Frame) error {
	clip, err := clips.ToClip(frame, 1, f.height, f.width, f.channels)
	if err != nil {
		return err
	}
	return f.made.Put(i, clip.Pix)
}

// each calls visit with every frame of the film in order, and with the real frame in its place. For
// a given frame both are the same; if the real one is not known, it has no pixels. mark is
// [video.Given] or [video.Generated].
func (f *film) each(visit func(frame, real clips.Clip, mark video.Mark) error) error {
	whole := func(c clips.Clip) error {
		for i := range c.Frames {
			given := c.Slice(i, i+1)
			if err := visit(given, given, video.Given); err != nil {
				return err
			}
		}
		return nil
	}
	if err := whole(f.Past); err != nil {
		return err
	}
	made := clips.NewClip(1, f.height, f.width, f.channels)
	for i := range f.n {
		if err := f.made.Get(i, made.Pix); err != nil {
			return err
		}
		var real clips.Clip
		if i < f.Real.Frames {
			real = f.Real.Slice(i, i+1)
		}
		if err := visit(made, real, f.mark(i)); err != nil {
			return err
		}
	}
	return whole(f.Future)
}

// mark is that of frame i between past and future.
func (f *film) mark(i int) video.Mark {
	if slices.Contains(f.given, i) {
		return video.Given
	}
	return video.Generated
}

// compared says whether the real frames are known.
func (f *film) compared() bool { return f.Real.Frames >= f.n }

const (
	besideName = "-beside"
	besideGap  = 2 // pixels between the real frames and the generated ones
)

// check reports whatever would make write fail, whatever the frames are.
func (f *film) check(path, extension string, o video.WriterOptions) error {
	o.Height, o.Width, o.Channels = f.height, f.width, f.channels
	err := video.CheckWriter(path+extension, o)
	if err == nil && f.compared() {
		o.Width, o.Channels = 2*f.width+besideGap, 3
		err = video.CheckWriter(path+besideName+extension, o)
	}
	return err
}

// write writes the film to path + extension. If the real frames are known, it also writes both
// beside each other to path + "-beside" + extension. The line between the two has the colour of
// given or of generated frames.
func (f *film) write(ctx context.Context, path, extension string, o video.WriterOptions) ([]string, error) {
	o.Height, o.Width, o.Channels = f.height, f.width, f.channels
	paths := []string{path + extension}
	if err := f.encode(ctx, paths[0], o, func(frame, _ clips.Clip, _ video.Mark) (clips.Clip, error) { return frame, nil }); err != nil {
		return nil, err
	}
	if !f.compared() {
		return paths, nil
	}
	o.Width, o.Channels = 2*f.width+besideGap, 3
	beside := path + besideName + extension
	err := f.encode(ctx, beside, o, func(frame, real clips.Clip, mark video.Mark) (clips.Clip, error) {
		return video.SideBySide(besideGap, mark, real, frame)
	})
	if err != nil {
		return paths, err
	}
	return append(paths, beside), nil
}

func (f *film) encode(ctx context.Context, path string, o video.WriterOptions, picture func(frame, real clips.Clip, mark video.Mark) (clips.Clip, error)) error {
	w, err := video.NewWriter(ctx, path, o)
	if err != nil {
		return err
	}
	err = f.each(func(frame, real clips.Clip, mark video.Mark) error {
		shown, err := picture(frame, real, mark)
		if err != nil {
			return err
		}
		return w.WriteFrame(shown.Pix)
	})
	if err != nil {
		w.Abort()
		return err
	}
	return w.Close()
}

// shown lists the generated frames that a contact sheet shows: all, or the first and the last.
func (f *film) shown() []int {
	var indices []int
	for i := range f.n {
		if f.n <= maxShown || i < maxShown/2 || i >= f.n-maxShown/2 {
			indices = append(indices, i)
		}
	}
	return indices
}

// excerpt is the frames that a contact sheet shows, and the numbers of all of them in the film. If
// real is set, real frames stand in the place of the generated ones.
func (f *film) excerpt(real bool) (c clips.Clip, numbers []int, err error) {
	shown := f.shown()
	middle := clips.NewClip(len(shown), f.height, f.width, f.channels)
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
