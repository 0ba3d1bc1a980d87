package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"mcvd/configs/atomicfile"
	"mcvd/data"
	"mcvd/data/video"
	"mcvd/eval"
	"mcvd/models/guidance"
)

// generateCommand generates videos. predict, interpolate, generate and retrodict differ only in
// their task.
type generateCommand struct {
	*app
	task eval.Task

	runFlags
	frames, clips, trajectories, advance, batch int
	windows                                     string
	videos                                      []string
	given                                       []givenFrame
	start                                       float64
	out, quality                                string
	formats                                     []string
	fps                                         float64
	scale                                       int
}

func newPredict(a *app) *cobra.Command {
	return newGenerateCommand(a, eval.Predict, "Predict what comes after the given frames",
		"  mcvd predict runs/tiny --frames 8 -o out/\n  mcvd predict runs/tiny --video clip.mp4 --start 1.5 --frames 6 -o out/\n"+
			"  mcvd predict runs/tiny --given 0=first.png --given 4=last.png -o out/\n"+
			"  mcvd predict runs/tiny --set data.name=folder --set data.path=clips -o out/")
}

func newInterpolate(a *app) *cobra.Command {
	return newGenerateCommand(a, eval.Interpolate, "Fill the gap between given frames",
		"  mcvd interpolate runs/tiny -o out/")
}

func newGenerate(a *app) *cobra.Command {
	return newGenerateCommand(a, eval.Generate, "Generate videos from noise alone", "  mcvd generate runs/tiny --frames 8 --clips 2 --format gif -o out/")
}

func newRetrodict(a *app) *cobra.Command {
	return newGenerateCommand(a, eval.Retrodict, "Tell what came before the given frames", "  mcvd retrodict runs/tiny --frames 4 -o out/")
}

func newGenerateCommand(a *app, task eval.Task, short, example string) *cobra.Command {
	c := &generateCommand{app: a, task: task}
	cmd := &cobra.Command{
		Use:     task.String() + " RUN",
		Short:   short,
		Long:    short + generateHelp(task),
		Example: example,
		Args:    arguments(1, 1, "a run folder"),
		PreRunE: func(cmd *cobra.Command, args []string) error { return c.check(cmd) },
		RunE:    func(cmd *cobra.Command, args []string) error { return c.run(cmd, args[0]) },
	}
	clipsHelp, rate := "test clips whose frames are given", "that of the given frames"
	if task == eval.Generate {
		clipsHelp, rate = "videos; --trajectories multiplies them", "that of the training videos"
	}
	f := cmd.Flags()
	c.addTo(cmd)
	c.clips, c.trajectories, c.formats, c.quality = 4, 1, []string{"mp4"}, string(video.Share)
	f.Var(count(&c.frames), "frames", "frames to generate (default: one block, frames.current)")
	f.Var(count(&c.clips), "clips", clipsHelp)
	f.Var(count(&c.trajectories), "trajectories", "videos of each clip, with different noise")
	f.Var(count(&c.advance), "advance", "frames that are kept of each block; fewer is slower (default: all)")
	windowsFlag(cmd, &c.windows)
	f.Var(count(&c.batch), "batch", "videos generated at a time, which changes them by rounding at most (default: all, at most 8)")
	f.StringVarP(&c.out, "out", "o", "", "folder for the videos (default: RUN/"+task.String()+")")
	f.Var(&someOf{values: &c.formats, names: eval.Formats()}, "format", strings.Join(eval.Formats(), ", ")+"; may be repeated; png is a folder of frames")
	f.Var(oneOf(&c.quality, []string{string(video.Share), string(video.Lossless)}), "quality", "of an MP4: share (plays everywhere) or lossless (RGB, bit for bit)")
	f.Var(frameRate{&c.fps}, "fps", "frame rate of the videos, frames a second (default: "+rate+", or 10)")
	f.Var(count(&c.scale), "scale", "enlarge pixels so many times (default: so that frames have 128 pixels or more; 1 if lossless)")
	if task == eval.Predict {
		f.Var(givenFrames{&c.given}, "given", "a frame of the video, TIME=FILE, an image whose time counts from 0; all others are generated around those given, up to --frames (default: up to the last given one); may be repeated")
	}
	if task != eval.Generate {
		c.dataFlag(cmd)
		f.StringArrayVar(&c.videos, "video", nil, "take the given frames from this video instead of the test clips; may be repeated")
		f.Float64Var(&c.start, "start", 0, "second of --video at which the given frames begin")
	}
	return cmd
}

// generateHelp says how a task's videos are generated and what is written.
func generateHelp(task eval.Task) string {
	text := generateIntro + givenFilms
	if task == eval.Generate {
		text = generateIntro + ungivenFilms
	}
	return strings.NewReplacer("TASK", task.String(), "MAX", strconv.Itoa(eval.MaxCompared)).Replace(text)
}

const generateIntro = `.

A video is generated in windows of one block of frames each. A window sees frames that the windows
before it generated, so a video can have any length. Its frames wait in a temporary file until it is
complete. A video depends on the seed and on the numbers of its clip and its trajectory, not on
--batch.

These files are written, and their paths printed:

`

const givenFilms = `  TASK-0000.mp4
      a video: the given and the generated frames, in order
  TASK-0000-beside.mp4
      the real frames on the left, the video on the right; the line between them is blue at given
      frames and orange at generated ones. It is written where the real frames are known, and for at
      most MAX generated frames
  TASK.png
      a contact sheet of the first videos; of long ones, the first and the last frames`

const ungivenFilms = `  TASK-0000.mp4
      a video
  TASK.png
      a contact sheet of the first videos; of long ones, the first and the last frames

No frames are given, so there are no real ones to compare with. The model must have learned to do
without them: training must hide the past and the future (frames.mask).`

func (c *generateCommand) run(cmd *cobra.Command, dir string) error {
	c.out = cmp.Or(c.out, filepath.Join(dir, c.task.String()))
	if err := notAmongRuns("--out", c.out, c.out); err != nil {
		return err
	}
	l, err := c.open(dir, c.app)
	if err != nil {
		return err
	}
	defer l.close()
	seen := l.seen()
	j := eval.Job{Task: c.task, Frames: cmp.Or(c.frames, seen.Frames.Current), Advance: eval.Advance(c.advance, c.windows, seen.Frames), Windows: c.windows}
	given := c.aroundGiven(&j, l.model.ToldTimes())
	if err := c.checkJob(j, l); err != nil {
		return err
	}
	g, err := l.generator(c.atATime())
	if err != nil {
		return err
	}
	defer g.Close()
	done, err := c.prepare()
	if err != nil {
		return err
	}
	f := eval.Films{Job: j, Name: c.task.String(), Clips: c.clips, Trajectories: c.trajectories, Dir: c.out, Formats: c.formats, FPS: c.fps,
		Quality: video.Quality(c.quality), Scale: c.scale}
	if guide := guidance.Describe(l.sampler.Guidance); guide != "" {
		c.log.Info("sampling with " + guide)
	}
	if len(given) > 0 {
		f.Source = eval.GivenFrames(cmd.Context(), seen, given)
	}
	written, err := c.write(cmd, g, l, f)
	done(written)
	return err
}

// atATime is how many videos are generated at a time.
func (c *generateCommand) atATime() int { return min(cmp.Or(c.batch, 8), c.clips*c.trajectories) }

// prepare makes the folder for the videos. done removes it again if it is new and nothing was
// written.
func (c *generateCommand) prepare() (done func(written int), err error) {
	_, statErr := os.Stat(c.out)
	if err := atomicfile.Prepare(filepath.Join(c.out, c.task.String()+".png")); err != nil {
		return nil, fmt.Errorf("--out: %w", err)
	}
	return func(written int) {
		if written == 0 && statErr != nil {
			os.Remove(c.out)
		}
	}, nil
}

// write generates the videos, of the source that is set or else of what the flags say, and prints
// their paths. It returns their number.
func (c *generateCommand) write(cmd *cobra.Command, g *eval.Generator, l *loaded, f eval.Films) (written int, err error) {
	switch {
	case f.Source != nil:
	case len(c.videos) > 0:
		f.Source = eval.OwnVideos(cmd.Context(), l.seen(), f.Job, c.videos, c.start)
	default:
		if f.Source, err = eval.TestClips(cmd.Context(), l.seen(), l.seed, f.Job, c.log); err != nil {
			return 0, err
		}
	}
	evaluations, err := g.Evaluations(f.Job, f.Clips*f.Trajectories)
	if err != nil {
		return 0, err
	}
	bar := newProgress(c.stderr, c.task.String()+": network evaluation", evaluations)
	defer bar.clear()
	err = f.Write(cmd.Context(), g, func(path string) {
		fmt.Fprintln(cmd.OutOrStdout(), path)
		written++
	}, func() { bar.step("") })
	return written, err
}

// check refuses flags that don't go together.
func (c *generateCommand) check(cmd *cobra.Command) error {
	if err := checkWindows(c.task, c.windows); err != nil {
		return err
	}
	if err := c.checkGiven(cmd); err != nil {
		return err
	}
	if !(c.start >= 0 && c.start <= 1e9) || c.start > 0 && len(c.videos) == 0 {
		return fmt.Errorf("--start %g: want 0 to 1e9, and --video", c.start)
	}
	if len(c.videos) > 0 && cmd.Flags().Changed("clips") {
		return errors.New("--clips has no effect with --video: there is a clip for each")
	}
	if len(c.videos) > 0 {
		c.clips = len(c.videos)
	}
	if err := c.checkDevices(c.atATime()); err != nil {
		return err
	}
	if err := c.checkData(); err != nil {
		return err
	}
	if len(c.videos) > 0 {
		if err := data.CheckOwnOverrides(c.data); err != nil {
			return fmt.Errorf("--video, --set %w", err)
		}
	}
	if c.fps > 0 {
		if err := eval.CheckFPS(c.formats, c.fps); err != nil {
			return fmt.Errorf("--fps: %w", err)
		}
	}
	return nil
}

// checkJob refuses a job that the run's model can't do, and warns of what its training never showed.
func (a *app) checkJob(j eval.Job, l *loaded) error {
	c, wide := l.config, l.seen().Frames
	windows, err := j.List(wide)
	if err != nil {
		return err
	}
	if err := j.CheckTold(l.model.ToldTimes(), l.model.LevelPerFrame()); err != nil {
		return err
	}
	windows = eval.Narrow(windows, wide, c.Frames)
	task, learned := j.Task, j.Task.Learned(c.Frames)
	if len(j.Given) > 0 {
		task, learned = eval.Interpolate, true // its windows may see both sides, and are looked at one by one
	}
	if !learned {
		a.log.Warn("this model has not learned the task: its training never hid the frames that the task hides", "task", j.Task,
			"frames.mask.past", c.Frames.Mask.Past, "frames.mask.future", c.Frames.Mask.Future)
	}
	if hidden, number := eval.Unseen(windows, c.Frames); learned && number > 0 {
		a.log.Warn("training never hid exactly the frames that a window hides", "window", number, "hidden slots", hidden,
			"frames.mask.kind", c.Frames.Mask.Kind)
	}
	if !l.model.ToldTimes() && !eval.Consecutive(windows, c.Frames) {
		a.log.Warn("these windows give the model frames that are farther apart than in its training, and nothing tells it so", "windows", j.Windows)
	}
	if times, number := eval.UnseenTimes(windows, c.Frames); l.model.ToldTimes() && number > 0 {
		a.log.Warn("training never showed frames at the times of a window", "window", number, "times", times,
			"frames.times.kind", c.Frames.Times.Kind, "frames.times.span", c.Frames.Times.Span)
	}
	a.warnGuidance(task, l)
	return nil
}

// warnGuidance warns of a guidance that changes nothing, because the task hides what it is about or
// because sampling visits none of its noise levels, and of one that hides frames as training never
// did.
func (a *app) warnGuidance(task eval.Task, l *loaded) {
	name, m := l.sampler.Guidance.Name, l.config.Frames.Mask
	guide, err := guidance.New(l.sampler.Guidance, l.config.Frames)
	switch {
	case err != nil || l.sampler.Guidance.Off(): // an error is the generator's to report
	case !guide.Acts(task.Past, task.Future):
		a.log.Warn("guidance has no effect here: the task shows none of the frames that it is about", "guidance", name, "task", task)
	case !guide.Reaches(l.levels()):
		a.log.Warn("guidance has no effect here: sampling visits no noise level between its sigma_min and sigma_max; mcvd sample-plan shows which it visits",
			"guidance", name, "sampler.steps", l.sampler.Steps)
	case !guide.Learned(task.Past, task.Future):
		a.log.Warn("this model has not learned what the guidance asks of it: its training never hid frames so", "guidance", name,
			"frames.mask.past", m.Past, "frames.mask.future", m.Future, "frames.mask.together", m.Together, "frames.mask.kind", m.Kind)
	}
}
