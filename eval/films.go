package eval

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"mcvd/data/video"
)

// Films are videos to be generated and written to files: several trajectories for each clip of a
// source.
type Films struct {
	Job
	Source              Source
	Clips, Trajectories int
	Dir                 string // a folder that is there
	Name                string // what names of files begin with; "" is the task
	Formats             []string
	// FPS is the frame rate in frames a second; 0 for that of the source, or 10 if it has none.
	FPS     float64
	Quality video.Quality // of MP4s
	// Scale enlarges pixels. 0 enlarges frames to 128 pixels or more, but lossless videos not at
	// all.
	Scale int
}

// folderFormat is the format whose paths have no extension: a folder of PNG frames.
const folderFormat = "png"

// defaultFPS is the frame rate of videos whose rate is not known.
const defaultFPS = 10

// Formats are those that films can have.
func Formats() []string {
	var names []string
	for _, extension := range video.Extensions() {
		names = append(names, cmp.Or(strings.TrimPrefix(extension, "."), folderFormat))
	}
	return names
}

// CheckFPS reports a frame rate that videos in one of the formats can't have.
func CheckFPS(formats []string, fps float64) error {
	for _, format := range formats {
		if err := video.CheckFPS(extension(format), fps); err != nil {
			return fmt.Errorf("format %s: %w", format, err)
		}
	}
	return nil
}

// extension is what a format's paths end in.
func extension(format string) string {
	if format == folderFormat {
		return ""
	}
	return "." + format
}

// Write generates the videos batch by batch. It writes each with its given frames in every format
// (TASK-0000.mp4), and again beside the real frames if they are known (TASK-0000-beside.mp4). It
// also writes a contact sheet of the first videos (TASK.png). wrote is called with each path.
// progress, if not nil, is called after each network evaluation of a batch. What can't be written
// is refused before its batch is generated.
func (f Films) Write(ctx context.Context, g *Generator, wrote func(path string), progress func()) error {
	var rows []video.Row
	var c Case // of the last clip: its trajectories share it
	for first, total := 0, f.Clips*f.Trajectories; first < total; first += g.batch {
		var cases []Case
		for n := first; n < min(first+g.batch, total); n++ {
			var err error
			if c.Trajectory = n % f.Trajectories; c.Trajectory == 0 {
				if c, err = f.Source(n / f.Trajectories); err != nil {
					return err
				}
			}
			cases = append(cases, c)
		}
		more, err := f.batch(ctx, g, cases, max(0, maxFilms-first), wrote, progress)
		if err != nil {
			return err
		}
		rows = append(rows, more...)
	}
	name := cmp.Or(f.Name, f.Task.String())
	sheet := filepath.Join(f.Dir, name+".png")
	err := video.WriteSheet(sheet, name, rows...)
	if err == nil {
		wrote(sheet)
	}
	return err
}

// batch generates and writes the films of a batch. It returns the first shown of them as rows of a
// contact sheet.
func (f Films) batch(ctx context.Context, g *Generator, cases []Case, shown int, wrote func(path string), progress func()) ([]video.Row, error) {
	var films []*film
	defer func() { closeAll(films) }()
	for _, c := range cases {
		one, err := newFilm(f.Dir, f.name(c), c, f.Job, g.model.Height, g.model.Width, g.model.Channels)
		if err != nil {
			return nil, err
		}
		films = append(films, one)
		for _, format := range f.Formats {
			if err := one.check(filepath.Join(f.Dir, one.name), extension(format), f.options(one)); err != nil {
				return nil, err
			}
		}
	}
	err := g.Run(ctx, f.Job, cases, func(i, frame int, made Frame) error { return films[i].put(frame, made) }, progress)
	if err != nil {
		return nil, err
	}
	for _, one := range films {
		for _, format := range f.Formats {
			paths, err := one.write(ctx, filepath.Join(f.Dir, one.name), extension(format), f.options(one))
			for _, path := range paths {
				wrote(path)
			}
			if err != nil {
				return nil, err
			}
		}
	}
	return sheetRows(films[:min(len(films), shown)])
}

// name is a video's file name, without its extension.
func (f Films) name(c Case) string {
	name := fmt.Sprintf("%s-%04d", cmp.Or(f.Name, f.Task.String()), c.Clip)
	if f.Trajectories > 1 {
		name += fmt.Sprintf("-%02d", c.Trajectory)
	}
	return name
}

func (f Films) options(one *film) video.WriterOptions {
	o := video.WriterOptions{FPS: cmp.Or(f.FPS, one.FPS, defaultFPS), Quality: f.Quality, Scale: f.Scale}
	if f.Scale == 0 && f.Quality != video.Lossless {
		short := min(one.height, one.width)
		o.Scale = (128 + short - 1) / short
	}
	return o
}
