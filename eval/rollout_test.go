package eval

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// see is what a window saw: hidden frames are in brackets, so "ab|(yz)" saw the past ab only.
func see(past, future []string, task Task) string {
	side := func(frames []string, visible bool) string {
		if visible {
			return strings.Join(frames, "")
		}
		return "(" + strings.Join(frames, "") + ")"
	}
	return side(past, task.Past) + "|" + side(future, task.Future)
}

// record runs a rollout whose k-th block is k0 k1 k2 ... and returns what the windows saw and what was emitted.
func record(t *testing.T, task Task, past, future []string, n, current, advance int) (seen, emitted []string) {
	t.Helper()
	err := Rollout(task, past, future, n, current, advance,
		func(past, future []string, visible Task) ([]string, error) {
			block := make([]string, current)
			for i := range block {
				block[i] = fmt.Sprintf("%c%d", 'A'+len(seen), i)
			}
			seen = append(seen, see(past, future, visible))
			return block, nil
		},
		func(at int, frames []string) error {
			emitted = append(emitted, fmt.Sprint(at, ":", strings.Join(frames, "")))
			return nil
		})
	if err != nil {
		t.Fatal(err)
	}
	return seen, emitted
}

// The method on letters: past ab, future yz, blocks A0 A1 A2, B0 B1 B2, ...
func TestRollout(t *testing.T) {
	for _, tt := range []struct {
		name          string
		task          Task
		n, advance    int
		seen, emitted []string
	}{
		{"predict", Predict, 5, 3, []string{"ab|(yz)", "A1A2|(yz)"}, []string{"0:A0A1A2", "3:B0B1"}},
		{"predict, overlapping blocks", Predict, 5, 2,
			[]string{"ab|(yz)", "A0A1|(yz)", "B0B1|(yz)"}, []string{"0:A0A1", "2:B0B1", "4:C0"}},
		{"predict, a frame at a time", Predict, 3, 1,
			[]string{"ab|(yz)", "bA0|(yz)", "A0B0|(yz)"}, []string{"0:A0", "1:B0", "2:C0"}},
		{"predict less than a block", Predict, 2, 3, []string{"ab|(yz)"}, []string{"0:A0A1"}},
		{"generate sees only what it made", Generate, 5, 3, []string{"(ab)|(yz)", "A1A2|(yz)"}, []string{"0:A0A1A2", "3:B0B1"}},
		{"generate fills its past slowly", Generate, 3, 1,
			[]string{"(ab)|(yz)", "bA0|(yz)", "A0B0|(yz)"}, []string{"0:A0", "1:B0", "2:C0"}},
		{"retrodict goes backwards", Retrodict, 5, 3, []string{"(ab)|yz", "(ab)|A0A1"}, []string{"2:A0A1A2", "0:B1B2"}},
		{"retrodict, a frame at a time", Retrodict, 3, 1,
			[]string{"(ab)|yz", "(ab)|A2y", "(ab)|B2A2"}, []string{"2:A2", "1:B2", "0:C2"}},
		{"interpolate in one window", Interpolate, 3, 3, []string{"ab|yz"}, []string{"0:A0A1A2"}},
		{"interpolate in one window, whatever advance", Interpolate, 3, 1, []string{"ab|yz"}, []string{"0:A0A1A2"}},
		{"interpolate: the last block overlaps", Interpolate, 5, 3, []string{"ab|(yz)", "A0A1|yz"}, []string{"0:A0A1A2", "3:B1B2"}},
		{"interpolate: the blocks fit", Interpolate, 6, 3, []string{"ab|(yz)", "A1A2|yz"}, []string{"0:A0A1A2", "3:B0B1B2"}},
		{"interpolate: the last block starts inside the first", Interpolate, 4, 3, []string{"ab|(yz)", "bA0|yz"}, []string{"0:A0A1A2", "3:B2"}},
		{"interpolate slowly", Interpolate, 5, 1,
			[]string{"ab|(yz)", "bA0|(yz)", "A0B0|yz"}, []string{"0:A0", "1:B0", "2:C0C1C2"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			seen, emitted := record(t, tt.task, []string{"a", "b"}, []string{"y", "z"}, tt.n, 3, tt.advance)
			if !slices.Equal(seen, tt.seen) {
				t.Errorf("windows saw %q, want %q", seen, tt.seen)
			}
			if !slices.Equal(emitted, tt.emitted) {
				t.Errorf("emitted %q, want %q", emitted, tt.emitted)
			}
		})
	}
}

// wanted says the same in another way: the whole video lies in one array, past at [0, p), future behind the n frames,
// and the windows' places are known beforehand.
func wanted(task Task, past, future []string, n, current, advance int) (seen, emitted []string) {
	p, f := len(past), len(future)
	video := slices.Concat(past, make([]string, n), future)
	run := func(at, from, to int, pastSeen, futureSeen []string, visible Task) {
		k := len(seen)
		seen = append(seen, see(pastSeen, futureSeen, visible))
		for i := from; i < to; i++ {
			video[p+i] = fmt.Sprintf("%c%d", 'A'+k, i-at)
		}
		emitted = append(emitted, fmt.Sprint(from, ":", strings.Join(video[p+from:p+to], "")))
	}
	switch task {
	case Predict, Generate:
		for at := 0; at < n; at += advance {
			run(at, at, min(at+advance, n), video[at:at+p], future, Task{Past: task.Past || at > 0})
		}
	case Retrodict:
		for end := n; end > 0; end -= advance {
			run(end-current, max(end-advance, 0), end, past, video[p+end:p+end+f], Task{Future: true})
		}
	case Interpolate:
		at := 0
		for ; n-at > current; at += advance {
			run(at, at, at+advance, video[at:at+p], future, Predict)
		}
		run(n-current, at, n, video[n-current:n-current+p], future, Interpolate)
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
							if known.task == Interpolate && n < current {
								continue
							}
							past, future := strings.Split("abcde", "")[:p], strings.Split("vwxyz", "")[:f]
							seen, emitted := record(t, known.task, past, future, n, current, advance)
							wantSeen, wantEmitted := wanted(known.task, past, future, n, current, advance)
							if !slices.Equal(seen, wantSeen) || !slices.Equal(emitted, wantEmitted) {
								t.Fatalf("%s, current %d, advance %d, n %d, past %d, future %d:\nsaw %q\nwant %q\nemitted %q\nwant %q",
									known.name, current, advance, n, p, f, seen, wantSeen, emitted, wantEmitted)
							}
						}
					}
				}
			}
		}
	}
}

func TestRolloutErrors(t *testing.T) {
	lost, full := errors.New("device lost"), errors.New("disk full")
	for _, tt := range []struct {
		name                string
		task                Task
		n, current, advance int
		size                int // of the blocks
		blockErr, emitErr   error
		want                string
	}{
		{"no block", Predict, 3, 0, 1, 3, nil, nil, "predict: blocks of 0 frames, want 1 or more"},
		{"no frames", Generate, 0, 3, 1, 3, nil, nil, "generate: 0 frames, want 1 or more"},
		{"no advance", Predict, 3, 3, 0, 3, nil, nil, "predict: advance 0 frames a window, want 1 to 3, the frames of a block"},
		{"advance over the block", Retrodict, 3, 3, 4, 3, nil, nil, "retrodict: advance 4 frames a window, want 1 to 3, the frames of a block"},
		{"short gap", Interpolate, 2, 3, 3, 3, nil, nil, "interpolate: a gap of 2 frames is shorter than the model's block, want 3 or more"},
		{"short block", Predict, 5, 3, 3, 2, nil, nil, "predict: frames 0 to 2 of 5: block of 2 frames, want 3"},
		{"long block", Retrodict, 5, 3, 3, 4, nil, nil, "retrodict: frames 2 to 4 of 5: block of 4 frames, want 3"},
		{"block over the end", Predict, 2, 3, 3, 3, lost, nil, "predict: frames 0 to 1 of 2: device lost"},
		{"block over the beginning", Retrodict, 2, 3, 3, 3, lost, nil, "retrodict: frames 0 to 1 of 2: device lost"},
		{"emit", Predict, 5, 3, 3, 3, nil, full, "disk full"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := Rollout(tt.task, []byte("ab"), []byte("yz"), tt.n, tt.current, tt.advance,
				func(_, _ []byte, _ Task) ([]byte, error) { return make([]byte, tt.size), tt.blockErr },
				func(int, []byte) error { return tt.emitErr })
			if err == nil || err.Error() != tt.want {
				t.Errorf("error = %v, want %s", err, tt.want)
			}
			if cause := errors.Join(tt.blockErr, tt.emitErr); cause != nil && !errors.Is(err, lost) && !errors.Is(err, full) {
				t.Errorf("%v does not wrap %v", err, cause)
			}
		})
	}
}

func TestRolloutLeavesItsArguments(t *testing.T) {
	past, future := []string{"a", "b"}, []string{"y", "z"}
	for _, known := range taskNames {
		record(t, known.task, past, future, 9, 3, 2)
	}
	if got := slices.Concat(past, future); !slices.Equal(got, []string{"a", "b", "y", "z"}) {
		t.Errorf("past and future became %q", got)
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
		err := Rollout(known.task, given, given, 256, 4, 4,
			func(_, _ [][]byte, _ Task) ([][]byte, error) {
				return [][]byte{make([]byte, frame), make([]byte, frame), make([]byte, frame), make([]byte, frame)}, nil
			},
			func(int, [][]byte) error {
				if calls++; calls%16 != 0 {
					return nil
				}
				var now runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&now)
				if grown := int64(now.HeapAlloc) - int64(before.HeapAlloc); grown > limit {
					return fmt.Errorf("%d bytes are alive after %d windows, want %d or fewer", grown, calls, limit)
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
