package main

import (
	"cmp"
	"fmt"
	"iter"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"mcvd/configs"
	"mcvd/configs/experiment"
	"mcvd/eval"
)

func newWindows() *cobra.Command {
	return group("windows", "Look at the windows in which long videos are generated", newWindowsShow())
}

// maxDrawn is the most frames that a drawing has.
const maxDrawn = 1000

// windowsCommand draws a schedule.
type windowsCommand struct {
	schedule, task, out                    string
	frames, advance, past, current, future int
}

func newWindowsShow() *cobra.Command {
	w := windowsCommand{task: eval.Predict.String(), frames: 60, past: -1, future: -1}
	cmd := &cobra.Command{
		Use:   "show [CONFIG]",
		Short: "Draw which frames each window of a video is given, and which it generates",
		Long: `Draw which frames each window of a video is given, and which it generates. A row is a window, a
column is a frame. No model is needed: the numbers of frames are those of CONFIG, or of --past,
--current and --future. docs/long-videos.md explains the schedules.`,
		Example: "  mcvd windows show --schedule hierarchy2 --frames 100 -o windows.png\n" +
			"  mcvd windows show configs/tiny.yml --schedule mixed --frames 20 --advance 1",
		Args:    arguments(0, 1, "a configuration or none"),
		PreRunE: func(*cobra.Command, []string) error { return w.check() },
		RunE:    func(cmd *cobra.Command, args []string) error { return w.run(cmd, args) },
	}
	f := cmd.Flags()
	f.Var(oneOf(&w.schedule, eval.WindowNames()), "schedule", strings.Join(eval.WindowNames(), ", ")+" (default: bridge for interpolate, else autoregressive)")
	f.Var(oneOf(&w.task, eval.TaskNames()), "task", strings.Join(eval.TaskNames(), ", "))
	f.Var(number{&w.frames, 1, maxDrawn}, "frames", "frames to generate")
	f.Var(count(&w.advance), "advance", "frames that are kept of each block (default: all)")
	f.Var(number{&w.past, 0, 1024}, "past", "frames.past (default: CONFIG's, or 5)")
	f.Var(number{&w.current, 1, 1024}, "current", "frames.current (default: CONFIG's, or 5)")
	f.Var(number{&w.future, 0, 1024}, "future", "frames.future (default: CONFIG's, or 5)")
	for _, name := range []string{"past", "current", "future"} {
		f.Lookup(name).DefValue = "" // the help says what it is
	}
	f.StringVarP(&w.out, "out", "o", "", "a PNG to write, too")
	return cmd
}

// check refuses flags that don't go together.
func (w *windowsCommand) check() error {
	if w.out != "" && !strings.EqualFold(filepath.Ext(w.out), ".png") {
		return fmt.Errorf("--out %s: want a path that ends in .png", w.out)
	}
	task, err := eval.ParseTask(w.task)
	if err == nil {
		err = eval.CheckWindows(task, w.schedule)
	}
	if err != nil {
		return fmt.Errorf("--schedule: %w", err)
	}
	return nil
}

// model is how clips are cut.
func (w *windowsCommand) model(args []string) (configs.Frames, error) {
	f := configs.Default().Frames
	if len(args) > 0 {
		c, err := experiment.Load(args[0])
		if err != nil {
			return f, err
		}
		f = seenBy(c, c.Sampler.Guidance).Frames
	}
	if w.past >= 0 {
		f.Past = w.past
	}
	if w.future >= 0 {
		f.Future = w.future
	}
	f.Current = cmp.Or(w.current, f.Current)
	return f, nil
}

func (w *windowsCommand) run(cmd *cobra.Command, args []string) error {
	f, err := w.model(args)
	if err != nil {
		return err
	}
	task, err := eval.ParseTask(w.task)
	if err != nil {
		return err
	}
	j := eval.Job{Task: task, Frames: w.frames, Advance: eval.Advance(w.advance, w.schedule, f), Windows: w.schedule}
	windows, err := j.List(f)
	if err != nil {
		return err
	}
	if err := prepareFile("--out", w.out); err != nil {
		return err
	}
	grid := eval.Draw(windows, j, f)
	out := cmd.OutOrStdout()
	fmt.Fprintf(out, "%s: %s of a model with %d past, %d current and %d future frames\n", grid.Title, plural(len(grid.Rows), "window"), f.Past, f.Current, f.Future)
	fmt.Fprint(out, eval.DrawingText(grid))
	for _, note := range w.notes(windows, f) {
		fmt.Fprintln(out, note)
	}
	if w.out == "" {
		return nil
	}
	if err := grid.Write(w.out); err != nil {
		return err
	}
	fmt.Fprintln(out, w.out)
	return nil
}

// notes say what a drawing doesn't show: what a model must have learned, and what it decides
// itself.
func (w *windowsCommand) notes(windows iter.Seq[eval.Window], f configs.Frames) (notes []string) {
	if eval.NeedsTimes(w.schedule) {
		notes = append(notes, "the model must be told when frames were taken (model.options.frame_times)")
	}
	if eval.Chooses(w.schedule) {
		notes = append(notes, "given frames are drawn by their distances in time; a model is given those that look least like each other")
	}
	apart := !eval.Consecutive(windows, f)
	if f.Times.Drawn() {
		_, number := eval.UnseenTimes(windows, f)
		apart = number > 0
	}
	if apart {
		notes = append(notes, "frames of a window are farther apart than those of a clip of training")
	}
	return notes
}
