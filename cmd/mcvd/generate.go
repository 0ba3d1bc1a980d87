package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"mcvd/configs"
	"mcvd/data/video"
	"mcvd/eval"
)

// generateCommand makes videos: predict, interpolate, generate and retrodict differ in their task only.
type generateCommand struct {
	*app
	task eval.Task

	runFlags
	frames, clips, trajectories, advance, batch int
	windows                                     string
	video                                       string
	start                                       float64
	out, quality                                string
	formats                                     []string
	fps                                         float64
	scale                                       int
}

func newPredict(a *app) *cobra.Command {
	return newGenerateCommand(a, eval.Predict, "Predict what comes after the given frames",
		"  mcvd predict runs/tiny --frames 8 -o out/\n  mcvd predict runs/tiny --video clip.mp4 --start 1.5 --frames 6 -o out/")
}

func newInterpolate(a *app) *cobra.Command {
	return newGenerateCommand(a, eval.Interpolate, "Fill the gap between given frames",
		"  mcvd interpolate runs/tiny -o out/")
}

func newGenerate(a *app) *cobra.Command {
	return newGenerateCommand(a, eval.Generate, "Make videos out of nothing", "  mcvd generate runs/tiny --frames 8 --clips 2 --format gif -o out/")
}

func newRetrodict(a *app) *cobra.Command {
	return newGenerateCommand(a, eval.Retrodict, "Tell what came before the given frames", "  mcvd retrodict runs/tiny --frames 4 -o out/")
}

func newGenerateCommand(a *app, task eval.Task, short, example string) *cobra.Command {
	c := &generateCommand{app: a, task: task}
	cmd := &cobra.Command{
		Use:     task.String() + " RUN",
		Short:   short,
		Long:    short + strings.ReplaceAll(generateHelp, "TASK", task.String()),
		Example: example,
		Args:    arguments(1, 1, "a run folder"),
		RunE:    func(cmd *cobra.Command, args []string) error { return c.run(cmd, args[0]) },
	}
	f := cmd.Flags()
	c.addTo(cmd)
	f.IntVar(&c.frames, "frames", 0, "frames to make (default: the model's block)")
	f.IntVar(&c.clips, "clips", 4, "videos, one from each of so many test clips")
	f.IntVar(&c.trajectories, "trajectories", 1, "different videos for each clip")
	f.IntVar(&c.advance, "advance", 0, "frames kept of each window (default: the whole block)")
	windowsFlag(cmd, &c.windows)
	f.IntVar(&c.batch, "batch", 0, "videos made together (default: all, at most 8); does not change them")
	f.StringVarP(&c.out, "out", "o", "", "folder for the videos (default: RUN/"+task.String()+")")
	f.StringSliceVar(&c.formats, "format", []string{"mp4"}, strings.Join(formats(), ", ")+"; may be repeated; png is a folder of frames")
	f.StringVar(&c.quality, "quality", "share", "of an MP4: share (plays everywhere) or lossless (RGB, bit for bit)")
	f.Float64Var(&c.fps, "fps", 10, "frames a second of the videos")
	f.IntVar(&c.scale, "scale", 0, "enlarge pixels so many times (default: up to 128 pixels; 1 for lossless)")
	if task != eval.Generate {
		f.StringVar(&c.video, "video", "", "take the given frames from this video instead of the test clips")
		f.Float64Var(&c.start, "start", 0, "second of --video at which the given frames begin")
	}
	return cmd
}

const generateHelp = `.

A window of the model's block slides over its own output, so videos can have any length; their frames go to a
temporary file as they are made. Every video depends on (seed, clip, trajectory) only, not on the batch size.

Writes, for each video, the given and the made frames in order (TASK-0000.mp4); beside the real frames, where there are any and up
to 256 frames were asked for (TASK-0000-beside.mp4: real left, made right, between them a
line that is blue while the frames are given and orange while they are made); and a contact sheet of the first videos (TASK.png), with
the first and the last frames of long ones. Prints the paths.`

// maxCompared is up to how many made frames the real ones are loaded to compare with.
const maxCompared = 256

func (c *generateCommand) run(cmd *cobra.Command, dir string) error {
	if err := c.check(cmd); err != nil {
		return err
	}
	l, err := c.open(dir, c.app)
	if err != nil {
		return err
	}
	defer l.close()
	if c.frames == 0 {
		c.frames = l.config.Frames.Current
	}
	if c.advance == 0 {
		c.advance = l.config.Frames.Current
	}
	if _, err := c.job().List(l.config.Frames); err != nil {
		return err
	}
	c.warnUnlearned(c.task, l.config)
	if c.video != "" {
		c.clips = 1
	}
	c.batch = min(cmp.Or(c.batch, 8), c.clips*c.trajectories)
	g, err := eval.NewGenerator(l.backend, l.store, l.model, l.sampler, l.seed, c.batch, l.devices)
	if err != nil {
		return err
	}
	defer g.Close()
	source, err := c.source(cmd.Context(), l)
	if err != nil {
		return err
	}
	c.out = cmp.Or(c.out, filepath.Join(dir, c.task.String()))
	_, statErr := os.Stat(c.out)
	if err := os.MkdirAll(c.out, 0o755); err != nil {
		return err
	}
	written, err := c.makeAll(cmd, g, l, source)
	if written == 0 && statErr != nil {
		os.Remove(c.out) // leave no new folder without anything in it
	}
	return err
}

// job is what is made of each clip.
func (c *generateCommand) job() eval.Job {
	return eval.Job{Task: c.task, Frames: c.frames, Advance: c.advance, Windows: c.windows}
}

// check refuses flags that can't be right before anything is opened.
func (c *generateCommand) check(cmd *cobra.Command) error {
	if err := checkCounts(cmd, "clips", "trajectories", "frames", "advance", "batch", "scale"); err != nil {
		return err
	}
	if err := checkWindows(c.windows); err != nil {
		return err
	}
	if !(c.fps > 0 && c.fps <= 1000) {
		return usagef("--fps %g: want more than 0, at most 1000", c.fps)
	}
	if !(c.start >= 0 && c.start <= 1e9) || c.start > 0 && c.video == "" {
		return usagef("--start %g: want 0 to 1e9, and --video", c.start)
	}
	if q := video.Quality(c.quality); q != video.Share && q != video.Lossless {
		return usagef("--quality %q: want share or lossless", c.quality)
	}
	for _, f := range c.formats {
		if !slices.Contains(formats(), f) {
			return usagef("--format %q: want %s", f, strings.Join(formats(), ", "))
		}
	}
	return nil
}

// folderFormat is the format of a path without an extension: a folder of PNG frames.
const folderFormat = "png"

// formats are the values of --format.
func formats() []string {
	var names []string
	for _, extension := range video.Extensions() {
		names = append(names, cmp.Or(strings.TrimPrefix(extension, "."), folderFormat))
	}
	return names
}

// extension is what a format's paths end in.
func extension(format string) string {
	if format == folderFormat {
		return ""
	}
	return "." + format
}

// warnUnlearned says if a task hides frames that training never hid.
func (a *app) warnUnlearned(task eval.Task, c *configs.Config) {
	f := c.Frames
	if !task.Past && f.Past > 0 && f.Mask.Past == 0 || !task.Future && f.Future > 0 && f.Mask.Future == 0 {
		a.log.Warn("this model has not learned the task: its training never hid the frames that the task hides", "task", task,
			"frames.mask.past", f.Mask.Past, "frames.mask.future", f.Mask.Future)
	}
}

// tasksOf lists the tasks that a model has the frames for.
func tasksOf(c *configs.Config) []eval.Task {
	var tasks []eval.Task
	for _, t := range []eval.Task{eval.Predict, eval.Interpolate, eval.Generate} {
		f := c.Frames
		if (!t.Past || f.Past > 0) && (!t.Future || f.Future > 0) && (t != eval.Generate || len(tasks) == 0) {
			tasks = append(tasks, t)
		}
	}
	return tasks
}

// makeAll makes the videos batch by batch, writes them, prints their paths, and then the contact sheet. It returns how many files
// it wrote.
func (c *generateCommand) makeAll(cmd *cobra.Command, g *eval.Generator, l *loaded, source func(clip int) (eval.Case, error)) (written int, err error) {
	total := c.clips * c.trajectories
	batches := (total + c.batch - 1) / c.batch
	nfe, err := g.NFE(c.job())
	if err != nil {
		return 0, err
	}
	bar := newProgress(c.stderr, c.task.String(), batches*nfe)
	defer bar.clear()
	var rows []video.Row
	for first := 0; first < total; first += c.batch {
		films, err := c.make(cmd.Context(), g, l, source, first, min(first+c.batch, total), bar)
		if err == nil {
			var paths []string
			paths, err = c.write(cmd.Context(), films)
			for _, p := range paths {
				fmt.Fprintln(cmd.OutOrStdout(), p)
			}
			written += len(paths)
		}
		if err == nil && first < maxFilms {
			var more []video.Row
			more, err = sheetRows(films[:min(len(films), maxFilms-first)])
			rows = append(rows, more...)
		}
		closeAll(films)
		if err != nil {
			return written, err
		}
	}
	sheet := filepath.Join(c.out, c.task.String()+".png")
	if err := video.WriteSheet(sheet, c.task.String(), rows...); err != nil {
		return written, err
	}
	fmt.Fprintln(cmd.OutOrStdout(), sheet)
	return written + 1, nil
}

// make makes the videos from number first to end: all trajectories of a clip, then those of the next.
func (c *generateCommand) make(ctx context.Context, g *eval.Generator, l *loaded, source func(clip int) (eval.Case, error),
	first, end int, bar *progress) (films []*film, err error) {
	var cases []eval.Case
	for n := first; n < end; n++ {
		clip, trajectory := n/c.trajectories, n%c.trajectories
		cs, err := source(clip)
		if err != nil {
			return films, err
		}
		cs.Clip, cs.Trajectory = clip, trajectory
		f, err := newFilm(c.out, c.name(clip, trajectory), cs, c.frames, l.config)
		if err != nil {
			return films, err
		}
		films = append(films, f)
		if err := c.checkOutputs(f); err != nil {
			return films, err
		}
		cases = append(cases, cs)
	}
	return films, g.Run(ctx, c.job(), cases, func(i, frame int, made eval.Frame) error {
		return films[i].put(frame, made)
	}, func() { bar.step("") })
}

// checkOutputs reports before anything is made what would keep a film from being written.
func (c *generateCommand) checkOutputs(f *film) error {
	for _, format := range c.formats {
		if err := f.check(filepath.Join(c.out, f.name), extension(format), c.writerOptions(f)); err != nil {
			return err
		}
	}
	return nil
}

func (c *generateCommand) writerOptions(f *film) video.WriterOptions {
	return video.WriterOptions{FPS: c.fps, Quality: video.Quality(c.quality), Scale: c.scaleOf(f)}
}

// name is the file name of a video, without its extension.
func (c *generateCommand) name(clip, trajectory int) string {
	name := fmt.Sprintf("%v-%04d", c.task, clip)
	if c.trajectories > 1 {
		name += fmt.Sprintf("-%02d", trajectory)
	}
	return name
}

// write writes the videos and returns their paths.
func (c *generateCommand) write(ctx context.Context, films []*film) (paths []string, err error) {
	for _, f := range films {
		for _, format := range c.formats {
			written, err := f.write(ctx, filepath.Join(c.out, f.name), extension(format), c.writerOptions(f))
			paths = append(paths, written...)
			if err != nil {
				return paths, err
			}
		}
	}
	return paths, nil
}

// scaleOf is how much a film is enlarged: what people look at, to 128 pixels at least; lossless videos not at all.
func (c *generateCommand) scaleOf(f *film) int {
	if c.scale > 0 {
		return c.scale
	}
	if video.Quality(c.quality) == video.Lossless {
		return 1
	}
	return (128 + f.size - 1) / f.size
}
