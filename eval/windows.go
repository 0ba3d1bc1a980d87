package eval

import (
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"

	"mcvd/configs"
	"mcvd/data"
	"mcvd/models/mask"
)

// Window is one run of the sampler: the frames that are given to it and those that it generates, by
// their numbers in the video.
//
// Frame 0 is the first generated frame, and frame n-1 the last. The frames given before them end at
// frame -1, and those given after them begin at frame n. For a task without given frames, these are
// blank: zeros in [-1, 1].
type Window struct {
	// Given has one number for each conditioning slot of the network: those of the past, then those
	// of the future. A slot with [None] is hidden.
	Given []int
	// Make has one number for each frame of the block. A frame with [None] is generated and
	// dropped.
	Make []int
	// Rolls is by how many frames the block has moved on at the next window, which takes over those
	// that are still noisy. With 0, the next window begins with new noise.
	Rolls int
	// Times, if not nil, has the number of each frame of the block, also of those that are dropped. If
	// it is nil, a dropped frame stands right beside its neighbour.
	Times []int
	// Among, if not nil, are frames that exist, in order. Which of them each video is given is chosen
	// when the window runs; Given says how many on each side, and stands in their place until then.
	Among []int
}

// None stands in a [Window] where there is no frame.
const None = math.MinInt

// Job is a video to be generated.
type Job struct {
	Task    Task
	Frames  int    // to be generated
	Advance int    // frames kept of each window, 1 to the frames of a block
	Windows string // how the video is split into windows, one of [WindowNames]; "" is the task's default
	// Given are frames among 0 to Frames-1 that are given, by their numbers in order. Such a job has
	// the task [Generate], and windows that go around these frames: consecutive ones, or with Windows
	// "nearest" those that see the nearest frames, for a network that is told times.
	Given []int
}

// maker lists the windows that generate a job's frames with a model of those frames. Windows run in
// this order. A window may be given any frame that was given from the beginning or kept of an
// earlier window, however far away it is. Each frame from 0 to n-1 must be kept exactly once.
// [Rollout] checks this before the first window runs. The job's task is not [Retrodict]: its list is
// the mirror image of that of [Predict].
type maker func(j Job, model configs.Frames) (iter.Seq[Window], error)

// makers are the ways to split a video into windows, each with the tasks that it can do. Both says
// that its windows lie between frames, so that the network needs past and future ones, and times
// that it must be told the times of frames.
var makers = map[string]struct {
	list  maker
	tasks []Task
	both  bool
	times bool
}{
	adaptiveName:     {adaptive, []Task{Predict, Interpolate, Generate}, true, true},
	"autoregressive": {autoregressive, []Task{Predict, Interpolate, Generate, Retrodict}, false, false},
	"bidirectional":  {bidirectional, []Task{Interpolate}, true, false},
	"bridge":         {bridge, []Task{Interpolate}, true, false},
	"hierarchy2":     {hierarchy(2), []Task{Predict, Interpolate, Generate, Retrodict}, true, false},
	"hierarchy3":     {hierarchy(3), []Task{Predict, Interpolate, Generate, Retrodict}, true, false},
	"mixed":          {mixed, []Task{Predict, Generate, Retrodict}, false, false},
	NearestWindows:   {nearest, []Task{Predict, Interpolate, Generate, Retrodict}, false, true},
	rollingName:      {rolling, []Task{Predict, Generate}, false, false},
}

// WindowNames lists the ways to split a video into windows, in alphabetical order.
func WindowNames() []string { return configs.Names(makers) }

// CheckWindows reports an unknown way to split a video into windows, and one that can't do the task.
// "" is the task's default.
func CheckWindows(task Task, name string) error {
	if name == "" {
		return nil
	}
	m, err := configs.Pick(makers, "windows", name)
	if err == nil && !slices.Contains(m.tasks, task) {
		tasks := strings.Trim(fmt.Sprint(m.tasks), "[]")
		err = fmt.Errorf("windows %q: not for the task %v, only for %s", name, task, strings.ReplaceAll(tasks, " ", ", "))
	}
	return err
}

// List returns the job's windows for a model of those frames. It fails for numbers that make no
// sense together.
func (j Job) List(model configs.Frames) (iter.Seq[Window], error) {
	if err := CheckWindows(j.Task, j.windows()); err != nil {
		return nil, err
	}
	switch {
	case !j.Task.Can(model):
		return nil, fmt.Errorf("%v: this model has %d past and %d future frames (frames.past, frames.future)", j.Task, model.Past, model.Future)
	case model.Current < 1:
		return nil, fmt.Errorf("%v: blocks of %d frames, want 1 or more", j.Task, model.Current)
	case j.Frames < 1:
		return nil, fmt.Errorf("%v: %d frames, want 1 or more", j.Task, j.Frames)
	case j.Advance < 1 || j.Advance > model.Current:
		return nil, fmt.Errorf("%v: advance %d frames a window, want 1 to %d, the frames of a block", j.Task, j.Advance, model.Current)
	case makers[j.windows()].both && (model.Past == 0 || model.Future == 0):
		return nil, fmt.Errorf("windows %q: lie between frames, but this model has %d past and %d future frames (frames.past, frames.future)",
			j.windows(), model.Past, model.Future)
	}
	list := makers[j.windows()].list
	if len(j.Given) > 0 {
		if err := j.checkGiven(); err != nil {
			return nil, err
		}
		if j.Windows == "" {
			return around(j, model), nil
		}
		return list(j, model)
	}
	if j.Task != Retrodict {
		return list(j, model)
	}
	j.Task = Predict
	windows, err := list(j, configs.Frames{Past: model.Future, Current: model.Current, Future: model.Past})
	return mirrored(windows, j.Frames), err
}

// Consecutive says whether the frames of each window follow each other one by one: past, block,
// future. Training shows nothing else, unless it is told to.
func Consecutive(windows iter.Seq[Window], model configs.Frames) bool {
	for w := range windows {
		first := None // where the window begins, if it is consecutive
		for slot, i := range slices.Concat(w.Given[:model.Past], w.Make, w.Given[model.Past:]) {
			switch {
			case i == None:
			case first == None:
				first = i - slot
			case i-slot != first:
				return false
			}
		}
	}
	return true
}

// Unseen finds the first window, counted from 1, that hides frames in a way that training never did,
// and lists the slots that it hides, counted from 0, the past's first. The number is 0 if there is
// no such window.
func Unseen(windows iter.Seq[Window], model configs.Frames) (hidden []int, number int) {
	for w := range windows {
		number++
		hidden = hidden[:0]
		visible := make([]bool, len(w.Given))
		for slot, i := range w.Given {
			if visible[slot] = i != None; !visible[slot] {
				hidden = append(hidden, slot)
			}
		}
		if !mask.Seen(visible, model) {
			return hidden, number
		}
	}
	return nil, 0
}

// NeedsTimes says whether windows are for networks alone that are told times.
func NeedsTimes(windows string) bool { return makers[windows].times }

// CheckTold reports windows that need a network that is told more: the times of frames, or a noise
// level for each of them.
func (j Job) CheckTold(times, levels bool) error {
	switch {
	case NeedsTimes(j.windows()) && !times:
		return fmt.Errorf("windows %q give frames that are far away, want a network that is told when frames were taken (model.options.frame_times), or other windows", j.windows())
	case j.windows() == rollingName && !levels:
		return fmt.Errorf("windows %q have frames with more and less noise in a block, want a network that is told a noise level for each frame (model.options.level_per_frame), or other windows", j.windows())
	}
	return nil
}

// UnseenTimes finds the first window, counted from 1, whose frames are at times that training never
// showed, and lists these times, visible ones of the past, then the block's, then visible ones of
// the future. The number is 0 if there is no such window. Windows that choose their frames when
// they run are passed over.
func UnseenTimes(windows iter.Seq[Window], model configs.Frames) (times []int, number int) {
	for w := range windows {
		number++
		var slots []int
		times = times[:0]
		for slot, i := range slices.Concat(w.Given[:model.Past], w.block(), w.Given[model.Past:]) {
			if i != None {
				slots, times = append(slots, slot), append(times, i)
			}
		}
		if w.Among == nil && !data.ShowsTimes(model, slots, times) {
			return times, number
		}
	}
	return nil, 0
}

// windows is the name of the maker.
func (j Job) windows() string {
	switch {
	case j.Windows != "":
		return j.Windows
	case j.Task == Interpolate:
		return "bridge"
	}
	return "autoregressive"
}

// autoregressive slides the window over its own output and keeps advance frames of each block
// (MCVD, section 3).
//
//   - [Predict] goes on from the past.
//   - [Generate] does the same, but its first window sees nothing. The next ones see their whole past, as in training,
//     where it is hidden or visible as a whole; blank frames stand where nothing has been made yet.
//   - [Interpolate] goes on from the past like Predict. It never sees the future, which shows what that is worth.
func autoregressive(j Job, model configs.Frames) (iter.Seq[Window], error) {
	return func(yield func(Window) bool) {
		for at := 0; at < j.Frames; at += j.Advance {
			if !yield(block(j, model, at, at, at+j.Advance, false)) {
				return
			}
		}
	}, nil
}

// bridge fills the gap between past and future. While more than a block is missing, its windows see
// only the past and predict. The block of the last window ends where the future begins, and this
// window sees both sides. Frames of its block that were generated before stay as they are.
func bridge(j Job, model configs.Frames) (iter.Seq[Window], error) {
	if err := j.checkGap(model); err != nil {
		return nil, err
	}
	return func(yield func(Window) bool) {
		made := 0
		for ; j.Frames-made > model.Current; made += j.Advance {
			if !yield(block(j, model, made, made, made+j.Advance, false)) {
				return
			}
		}
		yield(block(j, model, j.Frames-model.Current, made, j.Frames, true))
	}, nil
}

// checkGap reports a gap that is shorter than a block.
func (j Job) checkGap(model configs.Frames) error {
	if j.Frames < model.Current {
		return fmt.Errorf("%v: a gap of %d frames is shorter than the model's block, want %d or more", j.Task, j.Frames, model.Current)
	}
	return nil
}

// block is a window whose block begins at frame at. Of this block, the frames from from to to
// (exclusive) are kept. The window is given the frames right before its block, except for the first
// window of a task without a past. With seeFuture it is also given the future.
func block(j Job, model configs.Frames, at, from, to int, seeFuture bool) Window {
	w := Window{Given: make([]int, 0, model.Past+model.Future), Make: make([]int, model.Current)}
	for i := at - model.Past; i < at; i++ {
		w.Given = append(w.Given, orNone(i, at > 0 || j.Task.Past))
	}
	for k := range model.Future {
		w.Given = append(w.Given, orNone(j.Frames+k, seeFuture))
	}
	for k := range w.Make {
		w.Make[k] = orNone(at+k, at+k >= from && at+k < min(to, j.Frames))
	}
	return w
}

// orNone is frame i if it is there, and [None] otherwise.
func orNone(i int, there bool) int {
	if there {
		return i
	}
	return None
}

// mirrored reverses windows over n frames in time.
func mirrored(windows iter.Seq[Window], n int) iter.Seq[Window] {
	turn := func(frames []int) {
		slices.Reverse(frames)
		for k, i := range frames {
			frames[k] = orNone(n-1-i, i != None)
		}
	}
	return func(yield func(Window) bool) {
		for w := range windows {
			turn(w.Given)
			turn(w.Make)
			turn(w.Times)
			if !yield(w) {
				return
			}
		}
	}
}
