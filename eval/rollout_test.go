package eval

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"slices"
	"strings"
	"testing"

	"mcvd/configs"
)

// model is 2 past, 3 current and 2 future frames.
var model232 = configs.Frames{Past: 2, Current: 3, Future: 2}

// record runs a rollout whose k-th block is k0 k1 k2 ... and returns what the windows saw, with a
// dot for a hidden slot and a bar between past and future, and what was emitted.
func record(t *testing.T, windows iter.Seq[Window], past, future []string, n int) (seen, emitted []string) {
	t.Helper()
	err := Rollout(windows, past, future, n,
		func(w Window, given []string) ([]string, error) {
			block := make([]string, len(w.Make))
			for i := range block {
				block[i] = fmt.Sprintf("%c%d", 'A'+len(seen), i)
			}
			seen = append(seen, see(given, len(past)))
			return block, nil
		},
		func(frame int, made string) error {
			emitted = append(emitted, fmt.Sprint(frame, ":", made))
			return nil
		})
	if err != nil {
		t.Fatal(err)
	}
	return seen, emitted
}

// see is what a window saw.
func see(given []string, past int) string {
	var text strings.Builder
	for i, frame := range given {
		if i == past {
			text.WriteByte('|')
		}
		text.WriteString(cmp.Or(frame, "."))
	}
	if past == len(given) {
		text.WriteByte('|')
	}
	return text.String()
}

// list is the job's windows.
func list(t *testing.T, j Job, model configs.Frames) iter.Seq[Window] {
	t.Helper()
	windows, err := j.List(model)
	if err != nil {
		t.Fatal(err)
	}
	return windows
}

// The method on letters: past ab, future yz, blocks A0 A1 A2, B0 B1 B2, ...
func TestRollout(t *testing.T) {
	for _, tt := range []struct {
		name          string
		job           Job
		seen, emitted string
	}{
		{"predict", Job{Predict, 5, 3, "", nil}, "ab|.. A1A2|..", "0:A0 1:A1 2:A2 3:B0 4:B1"},
		{"predict, overlapping blocks", Job{Predict, 5, 2, "", nil}, "ab|.. A0A1|.. B0B1|..", "0:A0 1:A1 2:B0 3:B1 4:C0"},
		{"predict, a frame at a time", Job{Predict, 3, 1, "", nil}, "ab|.. bA0|.. A0B0|..", "0:A0 1:B0 2:C0"},
		{"predict less than a block", Job{Predict, 2, 3, "", nil}, "ab|..", "0:A0 1:A1"},
		{"generate sees only what it made", Job{Generate, 5, 3, "", nil}, "..|.. A1A2|..", "0:A0 1:A1 2:A2 3:B0 4:B1"},
		{"generate fills its past slowly", Job{Generate, 3, 1, "", nil}, "..|.. bA0|.. A0B0|..", "0:A0 1:B0 2:C0"},
		{"retrodict goes backwards", Job{Retrodict, 5, 3, "", nil}, "..|yz ..|A0A1", "2:A0 3:A1 4:A2 0:B1 1:B2"},
		{"retrodict, a frame at a time", Job{Retrodict, 3, 1, "", nil}, "..|yz ..|A2y ..|B2A2", "2:A2 1:B2 0:C2"},
		{"interpolate in one window", Job{Interpolate, 3, 3, "", nil}, "ab|yz", "0:A0 1:A1 2:A2"},
		{"interpolate in one window, whatever advance", Job{Interpolate, 3, 1, "", nil}, "ab|yz", "0:A0 1:A1 2:A2"},
		{"interpolate: the last block overlaps", Job{Interpolate, 5, 3, "", nil}, "ab|.. A0A1|yz", "0:A0 1:A1 2:A2 3:B1 4:B2"},
		{"interpolate: the blocks fit", Job{Interpolate, 6, 3, "", nil}, "ab|.. A1A2|yz", "0:A0 1:A1 2:A2 3:B0 4:B1 5:B2"},
		{"interpolate: the last block starts inside the first", Job{Interpolate, 4, 3, "", nil}, "ab|.. bA0|yz", "0:A0 1:A1 2:A2 3:B2"},
		{"interpolate slowly", Job{Interpolate, 5, 1, "", nil}, "ab|.. bA0|.. A0B0|yz", "0:A0 1:B0 2:C0 3:C1 4:C2"},
		{"interpolate without the future", Job{Interpolate, 5, 3, "autoregressive", nil}, "ab|.. A1A2|..", "0:A0 1:A1 2:A2 3:B0 4:B1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			seen, emitted := record(t, list(t, tt.job, model232), []string{"a", "b"}, []string{"y", "z"}, tt.job.Frames)
			if got := strings.Join(seen, " "); got != tt.seen {
				t.Errorf("windows saw %s, want %s", got, tt.seen)
			}
			if got := strings.Join(emitted, " "); got != tt.emitted {
				t.Errorf("emitted %s, want %s", got, tt.emitted)
			}
		})
	}
}

// wanted says the same in another way: the whole video lies in one array, past at [0, p), future
// behind the n frames, and the windows' places are known beforehand.
func wanted(task Task, past, future []string, n, current, advance int) (seen, emitted []string) {
	p, f := len(past), len(future)
	video := slices.Concat(past, make([]string, n), future)
	hidden := func(n int) []string { return make([]string, n) }
	run := func(at, from, to int, pastSeen, futureSeen []string) {
		k := len(seen)
		seen = append(seen, see(slices.Concat(pastSeen, futureSeen), p))
		for i := from; i < to; i++ {
			video[p+i] = fmt.Sprintf("%c%d", 'A'+k, i-at)
			emitted = append(emitted, fmt.Sprint(i, ":", video[p+i]))
		}
	}
	switch task {
	case Predict, Generate:
		for at := 0; at < n; at += advance {
			pastSeen := video[at : at+p]
			if task == Generate && at == 0 {
				pastSeen = hidden(p)
			}
			run(at, at, min(at+advance, n), pastSeen, hidden(f))
		}
	case Retrodict:
		for end := n; end > 0; end -= advance {
			run(end-current, max(end-advance, 0), end, hidden(p), video[p+end:p+end+f])
		}
	case Interpolate:
		at := 0
		for ; n-at > current; at += advance {
			run(at, at, at+advance, video[at:at+p], hidden(f))
		}
		run(n-current, at, n, video[n-current:n-current+p], future)
	}
	return seen, emitted
}

func TestRolloutEverywhere(t *testing.T) {
	for _, known := range taskNames {
		for current := 1; current <= 4; current++ {
			for advance := 1; advance <= current; advance++ {
				for n := 1; n <= 3*current+1; n++ {
					for p := range 6 {
						for f := range 6 {
							task := known.task
							if task == Interpolate && n < current || task.Past && p == 0 || task.Future && f == 0 {
								continue
							}
							past, future := strings.Split("abcde", "")[:p], strings.Split("vwxyz", "")[:f]
							windows := list(t, Job{Task: task, Frames: n, Advance: advance}, configs.Frames{Past: p, Current: current, Future: f})
							seen, emitted := record(t, windows, past, future, n)
							wantSeen, wantEmitted := wanted(task, past, future, n, current, advance)
							if !slices.Equal(seen, wantSeen) || !slices.Equal(emitted, wantEmitted) {
								t.Fatalf("%v, current %d, advance %d, n %d, past %d, future %d:\nsaw %q\nwant %q\nemitted %q\nwant %q",
									task, current, advance, n, p, f, seen, wantSeen, emitted, wantEmitted)
							}
						}
					}
				}
			}
		}
	}
}

func TestJobsThatMakeNoSense(t *testing.T) {
	past := configs.Frames{Past: 2, Current: 3}
	for _, tt := range []struct {
		job   Job
		model configs.Frames
		want  string
	}{
		{Job{Predict, 3, 1, "", nil}, configs.Frames{Past: 2}, "predict: blocks of 0 frames, want 1 or more"},
		{Job{Generate, 0, 1, "", nil}, model232, "generate: 0 frames, want 1 or more"},
		{Job{Predict, 3, 0, "", nil}, model232, "predict: advance 0 frames a window, want 1 to 3, the frames of a block"},
		{Job{Retrodict, 3, 4, "", nil}, model232, "retrodict: advance 4 frames a window, want 1 to 3, the frames of a block"},
		{Job{Interpolate, 2, 3, "", nil}, model232, "interpolate: a gap of 2 frames is shorter than the model's block, want 3 or more"},
		{Job{Interpolate, 3, 3, "", nil}, past, "interpolate: this model has 2 past and 0 future frames (frames.past, frames.future)"},
		{Job{Predict, 3, 3, "bridge", nil}, model232, `windows "bridge": not for the task predict, only for interpolate`},
		{Job{Predict, 3, 3, "x", nil}, model232, `windows: unknown "x" (known: adaptive, autoregressive, bidirectional, bridge, hierarchy2, hierarchy3, mixed, nearest, rolling)`},
		{Job{Predict, 3, 3, "hierarchy2", nil}, past, `windows "hierarchy2": lie between frames, but this model has 2 past and 0 future frames (frames.past, frames.future)`},
		{Job{Interpolate, 2, 3, "bidirectional", nil}, model232, "interpolate: a gap of 2 frames is shorter than the model's block, want 3 or more"},
	} {
		if _, err := tt.job.List(tt.model); err == nil || err.Error() != tt.want {
			t.Errorf("%+v: error %v, want %s", tt.job, err, tt.want)
		}
	}
}

// A schedule that can't be run is refused before its first window.
func TestWindowsThatCanNotBeRun(t *testing.T) {
	for want, windows := range map[string][]Window{
		"window 1 is given frame 1, which is not there yet":  {{Given: []int{1}, Make: []int{0, 1}}},
		"window 1 is given frame -3, which is not there yet": {{Given: []int{-3}, Make: []int{0, 1}}},
		"window 1 is given frame 4, which is not there yet":  {{Given: []int{4}, Make: []int{0, 1}}},
		"window 2 makes frame 0 a second time":               {{Make: []int{0, 1}}, {Make: []int{None, 0}}},
		"window 1 makes frame 2, want 0 to 1":                {{Make: []int{0, 2}}},
		"window 1 makes frame -1, want 0 to 1":               {{Make: []int{0, -1}}},
		"no window makes frame 1 of 2":                       {{Given: []int{-2, -1, 2, 3, None}, Make: []int{0, None}}},
	} {
		err := Rollout(slices.Values(windows), []string{"a", "b"}, []string{"y", "z"}, 2,
			func(Window, []string) ([]string, error) { t.Error("a window was run"); return nil, errors.New("stop") },
			func(int, string) error { return nil })
		if err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

func TestRolloutErrors(t *testing.T) {
	lost, full := errors.New("device lost"), errors.New("disk full")
	for _, tt := range []struct {
		name              string
		job               Job
		size              int // of the blocks
		blockErr, emitErr error
		want              string
	}{
		{"short block", Job{Predict, 5, 3, "", nil}, 2, nil, nil, "window 1 (frames 0 to 2 of 5): block of 2 frames, want 3"},
		{"long block", Job{Retrodict, 5, 3, "", nil}, 4, nil, nil, "window 1 (frames 2 to 4 of 5): block of 4 frames, want 3"},
		{"block over the end", Job{Predict, 2, 3, "", nil}, 3, lost, nil, "window 1 (frames 0 to 1 of 2): device lost"},
		{"block over the beginning", Job{Retrodict, 2, 3, "", nil}, 3, lost, nil, "window 1 (frames 0 to 1 of 2): device lost"},
		{"emit", Job{Predict, 5, 3, "", nil}, 3, nil, full, "disk full"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := Rollout(list(t, tt.job, model232), []byte("ab"), []byte("yz"), tt.job.Frames,
				func(Window, []byte) ([]byte, error) { return make([]byte, tt.size), tt.blockErr },
				func(int, byte) error { return tt.emitErr })
			if err == nil || err.Error() != tt.want {
				t.Errorf("error = %v, want %s", err, tt.want)
			}
			if cause := errors.Join(tt.blockErr, tt.emitErr); cause != nil && !errors.Is(err, lost) && !errors.Is(err, full) {
				t.Errorf("%v does not wrap %v", err, cause)
			}
		})
	}
}

// 256 frames of 1 MiB, of which a few may be alive at a time.
func TestRolloutMemoryIsConstant(t *testing.T) {
	const frame, limit = 1 << 20, 24 << 20
	var before runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for _, known := range taskNames {
		given := [][]byte{make([]byte, frame), make([]byte, frame)}
		calls := 0
		windows := list(t, Job{Task: known.task, Frames: 256, Advance: 4}, configs.Frames{Past: 2, Current: 4, Future: 2})
		err := Rollout(windows, given, given, 256,
			func(Window, [][]byte) ([][]byte, error) {
				return [][]byte{make([]byte, frame), make([]byte, frame), make([]byte, frame), make([]byte, frame)}, nil
			},
			func(int, []byte) error {
				if calls++; calls%64 != 0 {
					return nil
				}
				var now runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&now)
				if grown := int64(now.HeapAlloc) - int64(before.HeapAlloc); grown > limit {
					return fmt.Errorf("%d bytes are alive after %d frames, want %d or fewer", grown, calls, limit)
				}
				return nil
			})
		if err != nil {
			t.Errorf("%s: %v", known.name, err)
		}
	}
}

func TestTaskNames(t *testing.T) {
	for _, name := range TaskNames() {
		task, err := ParseTask(name)
		if err != nil || task.String() != name {
			t.Errorf("ParseTask(%q) = %v, %v", name, task, err)
		}
	}
	for _, past := range []bool{false, true} {
		for _, future := range []bool{false, true} {
			task := Task{Past: past, Future: future}
			if got, err := ParseTask(task.String()); err != nil || got != task {
				t.Errorf("%+v is named %v, which means %+v, %v", task, task, got, err)
			}
		}
	}
	_, err := ParseTask("Predict")
	if want := `task "Predict": want one of predict, interpolate, generate, retrodict`; err == nil || err.Error() != want {
		t.Errorf("error = %v, want %s", err, want)
	}
}
