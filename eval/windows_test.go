package eval

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"mcvd/configs"
)

// drawJob draws a job with windows of any kind, and a model that can do it.
func drawJob(t *rapid.T) (Job, configs.Frames) {
	name := rapid.SampledFrom(WindowNames()).Draw(t, "windows")
	current := rapid.IntRange(1, 6).Draw(t, "current")
	j := Job{
		Task:    rapid.SampledFrom(makers[name].tasks).Draw(t, "task"),
		Frames:  rapid.IntRange(1, 150).Draw(t, "frames"),
		Advance: rapid.IntRange(1, current).Draw(t, "advance"),
		Windows: name,
	}
	least := func(needed bool) int {
		if needed || makers[name].both {
			return 1
		}
		return 0
	}
	f := configs.Frames{Current: current}
	f.Past = rapid.IntRange(least(j.Task.Past), 9).Draw(t, "past")
	f.Future = rapid.IntRange(least(j.Task.Future), 9).Draw(t, "future")
	if name == "bridge" || name == "bidirectional" {
		j.Frames = max(j.Frames, current)
	}
	return j, f
}

// Every frame is made exactly once, and no window is given a frame that is not there yet. Rollout's
// own check is not asked.
func TestWindowsOfAnyVideo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		j, f := drawJob(t)
		windows, err := j.List(f)
		if err != nil {
			t.Fatal(err)
		}
		exists := map[int]bool{}
		for i := 1; i <= f.Past && (j.Task.Past || j.Windows == "autoregressive"); i++ { // its blank frames count
			exists[-i] = true
		}
		for i := 0; i < f.Future && (j.Task.Future || j.Windows == "autoregressive"); i++ {
			exists[j.Frames+i] = true
		}
		for w := range windows {
			if len(w.Given) != f.Past+f.Future || len(w.Make) != f.Current {
				t.Fatalf("%+v has %d slots and %d frames, want %d and %d", w, len(w.Given), len(w.Make), f.Past+f.Future, f.Current)
			}
			for _, i := range w.Given {
				if i != None && !exists[i] {
					t.Fatalf("%+v is given frame %d, which is not there yet", w, i)
				}
			}
			for _, i := range w.Among {
				if !exists[i] {
					t.Fatalf("%+v may be given frame %d, which is not there yet", w, i)
				}
			}
			if (w.Among != nil) != (j.Windows == adaptiveName) {
				t.Fatalf("%s: candidates %v", j.Windows, w.Among)
			}
			checkTimes(t, w, j.Task == Retrodict, exists)
			kept := slices.DeleteFunc(slices.Clone(w.Make), func(i int) bool { return i == None })
			for _, i := range kept {
				if i < 0 || i >= j.Frames || exists[i] {
					t.Fatalf("%+v makes frame %d, which is there or not of the video", w, i)
				}
				exists[i] = true
			}
			if len(kept) == 0 {
				t.Fatalf("%+v makes nothing", w)
			}
			checkOrder(t, w, f, kept)
		}
		for i := range j.Frames {
			if !exists[i] {
				t.Fatalf("frame %d is never made", i)
			}
		}
	})
}

// checkTimes reports a block whose frames are not at growing times, or not at those that it makes.
// In a hierarchy, what is dropped before what is kept is there already; in its mirror image, behind
// it.
func checkTimes(t *rapid.T, w Window, mirrored bool, exists map[int]bool) {
	times := w.block()
	first := slices.IndexFunc(w.Make, func(i int) bool { return i != None })
	for k, i := range w.Make {
		if i != None && times[k] != i || k > 0 && times[k] <= times[k-1] || w.Times != nil && !mirrored && k < first && !exists[times[k]] {
			t.Fatalf("%+v: times %v", w, times)
		}
	}
}

// checkOrder reports a window whose frames are not in the order of time: the past, what it makes,
// the future.
func checkOrder(t *rapid.T, w Window, f configs.Frames, kept []int) {
	var order []int
	for _, frames := range [][]int{w.Given[:f.Past], kept, w.Given[f.Past:]} {
		for _, i := range frames {
			if i != None {
				order = append(order, i)
			}
		}
	}
	for k := range order[1:] {
		if order[k] >= order[k+1] {
			t.Fatalf("%+v: frame %d stands before frame %d", w, order[k], order[k+1])
		}
	}
}

// Retrodicting is predicting in a mirror, whatever the windows.
func TestRetrodictingIsPredictingInAMirror(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		j, f := drawJob(t)
		if !slices.Contains(makers[j.Windows].tasks, Retrodict) {
			return
		}
		f.Past, f.Future = max(1, f.Past), max(1, f.Future)
		j.Task = Retrodict
		back, err := j.List(f)
		if err != nil {
			t.Fatal(err)
		}
		j.Task = Predict
		ahead, err := j.List(configs.Frames{Past: f.Future, Current: f.Current, Future: f.Past})
		if err != nil {
			t.Fatal(err)
		}
		if got, want := slices.Collect(back), slices.Collect(mirrored(ahead, j.Frames)); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("windows %v, want %v", got, want)
		}
	})
}

// The schedules on letters, as in [TestRollout].
func TestSchedules(t *testing.T) {
	for _, tt := range []struct {
		name          string
		job           Job
		model         configs.Frames
		seen, emitted string
	}{
		{"hierarchy-2: one block of keys, then each gap", Job{Predict, 12, 3, "hierarchy2", nil}, model232,
			"ab|.. ab|A0A1 B2A0|A1A2 C2A1|A2.",
			"3:A0 7:A1 11:A2 0:B0 1:B1 2:B2 4:C0 5:C1 6:C2 8:D0 9:D1 10:D2"},
		{"hierarchy-3 with blocks of a frame", Job{Predict, 9, 1, "hierarchy3", nil}, configs.Frames{Past: 1, Current: 1, Future: 1},
			"b|. b|A0 B0|A0 b|B0 D0|B0 B0|C0 F0|C0 C0|A0 H0|A0",
			"8:A0 2:B0 5:C0 0:D0 1:E0 3:F0 4:G0 6:H0 7:I0"},
		{"hierarchy-2 between past and future", Job{Interpolate, 7, 3, "hierarchy2", nil}, model232,
			"ab|yz ab|A0A1 B0A0|A1y C1A1|yz", "1:A0 4:A1 0:B0 2:C0 3:C1 5:D0 6:D1"},
		{"hierarchy-2 backwards", Job{Retrodict, 12, 3, "hierarchy2", nil}, model232,
			"..|yz A1A2|yz A0A1|A2B0 .A0|A1C0",
			"0:A0 4:A1 8:A2 9:B0 10:B1 11:B2 5:C0 6:C1 7:C2 1:D0 2:D1 3:D2"},
		{"mixed sees how the video began", Job{Predict, 7, 2, "mixed", nil}, configs.Frames{Past: 4, Current: 2},
			"abcd| acA0A1| adB0B1| aA0C0C1|", "0:A0 1:A1 2:B0 3:B1 4:C0 5:C1 6:D0"},
		{"mixed from nothing", Job{Generate, 5, 1, "mixed", nil}, configs.Frames{Past: 2, Current: 1},
			"..| .A0| A0B0| A0C0| A0D0|", "0:A0 1:B0 2:C0 3:D0 4:E0"},
		{"bidirectional from both ends", Job{Interpolate, 8, 3, "bidirectional", nil}, model232,
			"ab|.. ..|yz A0A1|B0B1", "0:A0 1:A1 2:A2 5:B0 6:B1 7:B2 3:C1 4:C2"},
		{"bidirectional in one window", Job{Interpolate, 3, 1, "bidirectional", nil}, model232, "ab|yz", "0:A0 1:A1 2:A2"},
		{"bidirectional, a frame at a time", Job{Interpolate, 5, 1, "bidirectional", nil}, model232,
			"ab|.. ..|yz bA0|B2y", "0:A0 4:B2 1:C0 2:C1 3:C2"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			letters := func(all string, n int, there bool) (given []string) {
				if there {
					given = strings.Split(all, "")[:n]
				}
				return given
			}
			past, future := letters("abcd", tt.model.Past, tt.job.Task.Past), letters("yz", tt.model.Future, tt.job.Task.Future)
			if tt.model.Past == 1 {
				past = []string{"b"}
			}
			var seen, emitted []string
			err := Rollout(list(t, tt.job, tt.model), past, future, tt.job.Frames,
				func(w Window, given []string) (block []string, err error) {
					for i := range w.Make {
						block = append(block, fmt.Sprintf("%c%d", 'A'+len(seen), i))
					}
					seen = append(seen, see(given, tt.model.Past))
					return block, nil
				},
				func(frame int, made string) error {
					emitted = append(emitted, fmt.Sprint(frame, ":", made))
					return nil
				})
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(seen, " "); got != tt.seen {
				t.Errorf("windows saw %s, want %s", got, tt.seen)
			}
			if got := strings.Join(emitted, " "); got != tt.emitted {
				t.Errorf("emitted %s, want %s", got, tt.emitted)
			}
		})
	}
}

// A level of a hierarchy leaves no frame farther from the next than (n/c)^((L-l)/(L-1)), rounded up.
func TestHierarchiesAreAsFineAsTheySay(t *testing.T) {
	for _, tt := range []struct {
		levels, frames, current int
		strides                 []int
	}{{2, 100, 4, []int{25, 1}}, {3, 100, 4, []int{25, 5, 1}}, {3, 3, 4, []int{1, 1, 1}}, {3, 200, 2, []int{100, 10, 1}}} {
		j := Job{Task: Predict, Frames: tt.frames, Advance: tt.current, Windows: fmt.Sprintf("hierarchy%d", tt.levels)}
		made := []int{-1}
		windows := slices.Collect(list(t, j, configs.Frames{Past: 1, Current: tt.current, Future: 1}))
		for level, stride := range tt.strides {
			// A level is complete when its last frame, n-1 or one before it, is made.
			for len(windows) > 0 && widest(made, tt.frames) > stride {
				for _, i := range windows[0].Make {
					if i != None {
						made = append(made, i)
					}
				}
				windows = windows[1:]
			}
			if got := widest(made, tt.frames); got > stride {
				t.Errorf("%+v: after all windows the widest gap is %d, want %d at level %d", j, got, stride, level+1)
			}
			if level == 0 && len(made) > 1+tt.current {
				t.Errorf("%+v: the first level takes %d frames, want a block", j, len(made)-1)
			}
		}
		if len(windows) > 0 {
			t.Errorf("%+v: %d windows after the last level", j, len(windows))
		}
	}
}

// widest is the greatest distance between neighbours, and to the end of the video.
func widest(made []int, n int) int {
	sorted := slices.Sorted(slices.Values(made))
	far := n - 1 - sorted[len(sorted)-1]
	for k := range sorted[1:] {
		far = max(far, sorted[k+1]-sorted[k])
	}
	return far
}

func TestConsecutiveWindows(t *testing.T) {
	for _, tt := range []struct {
		job  Job
		want bool
	}{
		{Job{Predict, 20, 2, "autoregressive", nil}, true},
		{Job{Retrodict, 20, 3, "autoregressive", nil}, true},
		{Job{Interpolate, 20, 3, "bridge", nil}, true},
		{Job{Interpolate, 20, 2, "bidirectional", nil}, true},
		{Job{Predict, 20, 3, "mixed", nil}, false},
		{Job{Predict, 20, 3, "hierarchy2", nil}, false},
		{Job{Predict, 3, 3, "hierarchy3", nil}, true}, // one block
	} {
		if got := Consecutive(list(t, tt.job, model232), model232); got != tt.want {
			t.Errorf("%+v: consecutive is %v, want %v", tt.job, got, tt.want)
		}
	}
	for _, w := range []Window{
		{Given: []int{-3, -1, None, None}, Make: []int{0, 1, 2}},
		{Given: []int{-2, -1, None, None}, Make: []int{0, None, 3}},
		{Given: []int{-2, -1, 4, 5}, Make: []int{0, 1, 2}},
	} {
		if Consecutive(slices.Values([]Window{w}), model232) {
			t.Errorf("%+v is consecutive", w)
		}
	}
}

func TestWindowsThatTrainingNeverShowed(t *testing.T) {
	for _, tt := range []struct {
		job    Job
		mask   configs.Mask
		number int
		hidden string
	}{
		{Job{Predict, 20, 3, "", nil}, configs.Mask{Future: 0.5}, 0, "[]"},
		{Job{Predict, 20, 3, "", nil}, configs.Mask{Past: 0.5}, 1, "[2 3]"},
		{Job{Interpolate, 20, 3, "bidirectional", nil}, configs.Mask{Future: 0.5}, 2, "[0 1]"},
		{Job{Interpolate, 20, 3, "bridge", nil}, configs.Mask{Future: 1}, 7, "[]"},
		{Job{Predict, 12, 3, "hierarchy2", nil}, configs.Mask{Future: 0.5}, 4, "[3]"},
		{Job{Predict, 12, 3, "hierarchy2", nil}, configs.Mask{Kind: "frames"}, 0, "[]"},
	} {
		f := model232
		f.Mask = tt.mask
		hidden, number := Unseen(list(t, tt.job, f), f)
		if number != tt.number || fmt.Sprint(hidden) != tt.hidden {
			t.Errorf("%+v, %+v: window %d hides %v, want %d and %s", tt.job, tt.mask, number, hidden, tt.number, tt.hidden)
		}
	}
}
