package eval

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"pgregory.net/rapid"

	"mcvd/configs"
	"mcvd/data/clips"
	"mcvd/models"
	"mcvd/models/backend/backendtest"
	"mcvd/models/network"
	"mcvd/models/nn"
)

// clock is a network that knows the answer only if it is told the right times: frames are constant,
// and each is a grey level brighter for each frame of the video since. It trusts all visible frames
// equally.
type clock struct{ signal, noise float64 }

func (clock) Caches() bool    { return false }
func (clock) ToldTimes() bool { return true }

func (c clock) Graph(_ *nn.Builder, _ *model.Scope, in network.Input) *graph.Node {
	d, past := in.X.Shape().Dimensions, in.Past.Shape().Dimensions[1]
	all := graph.Concatenate([]*graph.Node{in.Past, in.Future}, 1)
	values := graph.ReduceMean(all, 2, 3, 4) // [batch, past+future]
	part := func(from, to int) *graph.Node {
		return graph.Slice(in.Times, graph.AxisRange(), graph.AxisRange(from, to))
	}
	times := graph.Concatenate([]*graph.Node{part(0, past), part(past+d[1], in.Times.Shape().Dimensions[1])}, 1)
	zero := graph.Sub(values, graph.MulScalar(times, grey)) // what a frame at time 0 would be
	zero = graph.Div(graph.ReduceAndKeep(graph.Mul(zero, in.Visible), graph.ReduceSum, 1), graph.ReduceAndKeep(in.Visible, graph.ReduceSum, 1))
	x0 := graph.Add(graph.MulScalar(part(past, past+d[1]), grey), zero)
	x0 = graph.BroadcastToDims(graph.Reshape(x0, d[0], d[1], 1, 1, 1), d...)
	return graph.DivScalar(graph.Sub(in.X, graph.MulScalar(x0, c.signal)), c.noise)
}

// timed is a model with that network.
func timed(t *testing.T) *models.Model {
	t.Helper()
	m := counting(t)
	level := m.Schedule.Level(1)
	m.Network = clock{level.Signal, level.Noise}
	return m
}

// A network that is told times is told the true ones in all windows of any schedule: it counts on
// from whatever frames it is given.
func TestWindowsTellTrueTimes(t *testing.T) {
	b, m := backendtest.Open(t), timed(t)
	g, err := NewGenerator(b, model.NewStore(), m, config().Sampler, 7, 2, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	for _, name := range WindowNames() {
		for _, task := range []Task{Predict, Interpolate, Retrodict} {
			if !slices.Contains(makers[name].tasks, task) || name == rollingName { // which needs a lag
				continue
			}
			for _, n := range []int{3, 20} {
				cases := make([]Case, 2)
				for i := range cases {
					cases[i].Clip = i
					if task.Past {
						cases[i].Past = rising(50*i, 2)
					}
					if task.Future {
						cases[i].Future = rising(50*i+2+n, 2)
					}
				}
				videos, err := g.Videos(t.Context(), Job{Task: task, Frames: n, Advance: 2, Windows: name}, cases, nil)
				if err != nil {
					t.Fatal(err)
				}
				for i, made := range videos {
					for k := range n {
						if got, want := made[16*k+5], clips.Float(uint8(50*i+2+k)); !(math.Abs(float64(got-want)) <= 1e-4) {
							t.Errorf("%s, %v %d frames: frame %d of video %d is %v, want %v", name, task, n, k, i, got, want)
						}
					}
				}
			}
		}
	}
}

// Around given frames at any times, such a network counts, too.
func TestGivenFramesAtAnyTimes(t *testing.T) {
	b, m := backendtest.Open(t), timed(t)
	g, err := NewGenerator(b, model.NewStore(), m, config().Sampler, 7, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	whole := rising(30, 25)
	for _, given := range [][]int{{0, 24}, {12}, {3, 4, 20}, {0, 1, 2, 3, 23}} {
		c := Case{Given: clips.Clip{Height: 4, Width: 4, Channels: 1, Frames: len(given)}}
		for _, i := range given {
			c.Given.Pix = append(c.Given.Pix, whole.Slice(i, i+1).Pix...)
		}
		videos, err := g.Videos(t.Context(), Job{Task: Generate, Frames: 25, Advance: 3, Windows: NearestWindows, Given: given}, []Case{c}, nil)
		if err != nil {
			t.Fatal(err)
		}
		for k := range 25 {
			if got, want := videos[0][16*k+5], clips.Float(uint8(30+k)); !(math.Abs(float64(got-want)) <= 1e-4) {
				t.Errorf("given %v: frame %d is %v, want %v", given, k, got, want)
			}
		}
	}
}

// Windows around given frames see the nearest ones on each side that exist, and make each other
// frame once.
func TestNearestWindowsAroundAnyFrames(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := configs.Frames{
			Past:    rapid.IntRange(0, 5).Draw(t, "past"),
			Current: rapid.IntRange(1, 5).Draw(t, "current"),
			Future:  rapid.IntRange(0, 5).Draw(t, "future"),
		}
		n := rapid.IntRange(2, 40).Draw(t, "frames")
		j := Job{Task: Generate, Windows: NearestWindows, Frames: n, Advance: rapid.IntRange(1, f.Current).Draw(t, "advance"),
			Given: slices.Sorted(slices.Values(rapid.SliceOfNDistinct(rapid.IntRange(0, n-1), 1, n-1, rapid.ID[int]).Draw(t, "given")))}
		windows, err := j.List(f)
		if err != nil {
			t.Fatal(err)
		}
		there := slices.Clone(j.Given)
		for w := range windows {
			block := w.block()
			var before, after []int
			for _, i := range there {
				if i < block[0] {
					before = append(before, i)
				}
				if i > block[f.Current-1] {
					after = append(after, i)
				}
			}
			before, after = before[max(0, len(before)-f.Past):], after[:min(len(after), f.Future)]
			want := slices.Concat(slices.Repeat([]int{None}, f.Past-len(before)), before, after, slices.Repeat([]int{None}, f.Future-len(after)))
			if !slices.Equal(w.Given, want) {
				t.Fatalf("%+v is given %v, want %v", w, w.Given, want)
			}
			for _, i := range w.Make {
				if i != None && slices.Contains(there, i) {
					t.Fatalf("%+v makes frame %d, which is there", w, i)
				}
				if i != None {
					there = append(there, i)
				}
			}
			slices.Sort(there)
		}
		if !slices.Equal(there, slices.Collect(numbersTo(n))) {
			t.Fatalf("frames %v, want all %d", there, n)
		}
	})
}

func numbersTo(n int) func(yield func(int) bool) {
	return func(yield func(int) bool) {
		for i := range n {
			if !yield(i) {
				return
			}
		}
	}
}

// Windows that give distant frames are refused for a network that isn't told times, and rolling ones
// for a network that is told one noise level for all frames.
func TestWindowsThatNeedToldNetworks(t *testing.T) {
	b := backendtest.Open(t)
	untold, err := NewGenerator(b, model.NewStore(), counting(t), config().Sampler, 7, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer untold.Close()
	for _, name := range WindowNames() {
		j := Job{Task: makers[name].tasks[0], Frames: 8, Advance: 3, Windows: name}
		times, levels := name == adaptiveName || name == NearestWindows, name == rollingName
		if (j.CheckTold(false, true) != nil) != times || (j.CheckTold(true, false) != nil) != levels || j.CheckTold(true, true) != nil {
			t.Errorf("%s: errors %v, %v", name, j.CheckTold(false, true), j.CheckTold(true, false))
		}
		want := ""
		if times {
			want = "(model.options.frame_times)"
		} else if levels {
			want = "(model.options.level_per_frame)"
		}
		if _, err := untold.NFE(j); (err != nil) != (want != "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", name, err, want)
		}
	}
	s := config().Sampler
	s.Guidance = knowing("replacement", 1, 0)
	g, err := NewGenerator(b, model.NewStore(), timed(t), s, 7, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	if _, err := g.NFE(Job{Task: Predict, Frames: 8, Advance: 2, Windows: adaptiveName}); err == nil || !strings.Contains(err.Error(), "want another guidance") {
		t.Errorf("adaptive windows with known frames: error %v", err)
	}
}

// The first window whose times training never showed is found.
func TestUnseenTimes(t *testing.T) {
	for _, tt := range []struct {
		times configs.Times
		job   Job
		want  int
	}{
		{configs.Times{}, Job{Task: Predict, Frames: 20, Advance: 3}, 0},
		{configs.Times{}, Job{Task: Predict, Frames: 20, Advance: 3, Windows: "hierarchy2"}, 1},
		{configs.Times{Kind: "random", Span: 40}, Job{Task: Predict, Frames: 20, Advance: 3, Windows: "hierarchy2"}, 0},
		{configs.Times{Kind: "random", Span: 21}, Job{Task: Predict, Frames: 20, Advance: 3, Windows: "hierarchy2"}, 1},
		{configs.Times{Kind: "strides", Span: 40}, Job{Task: Predict, Frames: 20, Advance: 3, Windows: "hierarchy2"}, 1},
		{configs.Times{Kind: "strides", Span: 13}, Job{Task: Predict, Frames: 20, Advance: 3}, 0},
		{configs.Times{Kind: "random", Span: 30}, Job{Task: Interpolate, Frames: 28, Advance: 3, Windows: NearestWindows}, 1}, // spans 32 frames
		{configs.Times{Kind: "random", Span: 32}, Job{Task: Interpolate, Frames: 28, Advance: 3, Windows: NearestWindows}, 0},
	} {
		f := model232
		f.Times = tt.times
		if times, number := UnseenTimes(list(t, tt.job, f), f); number != tt.want {
			t.Errorf("%+v, %+v: window %d with times %v, want %d", tt.times, tt.job, number, times, tt.want)
		}
	}
}

// Frames are chosen one after the other: the nearest on each side, then always the one that is
// least like those chosen already.
func TestChoosingFramesThatDiffer(t *testing.T) {
	looks := map[int]float64{-3: 0, -2: 5, -1: 5, 0: 4.9, 8: 5, 9: 9, 10: 9}
	w := Window{Among: []int{-3, -2, -1, 0, 8, 9, 10}, Make: []int{3, 4, 5}}
	distance := func(a, b int) float64 { return math.Abs(looks[w.Among[a]] - looks[w.Among[b]]) }
	for _, tt := range []struct {
		past, future int
		want         []int
	}{
		{2, 2, []int{-3, 0, 8, 9}},  // 0 and 8; then -3 (4.9 away) before 9 (4 away)
		{1, 2, []int{0, 8, 9}},      // of 9 and 10, which look alike, the first
		{3, 1, []int{-3, -2, 0, 8}}, // -2 and -1 look alike, too
		{5, 0, []int{None, -3, -2, -1, 0}},
		{0, 4, []int{8, 9, 10, None}},
		{0, 0, nil},
	} {
		got := w.choose(configs.Frames{Past: tt.past, Current: 3, Future: tt.future}, distance)
		if !slices.Equal(got, tt.want) {
			t.Errorf("%d past, %d future: %v, want %v", tt.past, tt.future, got, tt.want)
		}
	}
}

// Each video of a batch is given the frames that differ in it, with their times.
func TestEachVideoChoosesItsFrames(t *testing.T) {
	b, m := backendtest.Open(t), timed(t)
	g, err := NewGenerator(b, model.NewStore(), m, config().Sampler, 7, 2, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	made, err := g.newBatch(Generate, []Case{{}, {Clip: 1}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	w := Window{Given: []int{0, 1, 20, 21}, Make: []int{10, 11, 12}, Among: []int{0, 1, 2, 20, 21}}
	frames := make([]Frame, 4, 9)
	for _, i := range w.Among { // in the first video frame 1 differs, in the second frame 0
		value := [2]float32{}
		if i <= 1 {
			value[1-i] = 1
		}
		frames = append(frames, slices.Concat(slices.Repeat(Frame{value[0]}, 16), slices.Repeat(Frame{value[1]}, 16)))
	}
	given, times := made.chosen(w, frames)
	if want := []float32{1, 2, 10, 11, 12, 20, 21, 0, 2, 10, 11, 12, 20, 21}; !slices.Equal(times, want) {
		t.Errorf("times %v, want %v", times, want)
	}
	for slot, want := range []float32{1, 0, 0, 0} {
		if len(given[slot]) != 32 || given[slot][3] != want || given[slot][19] != want {
			t.Errorf("slot %d has %v", slot, given[slot])
		}
	}
}

// Known frames of the block, and frames that are dropped, have times, too.
func TestTimesOfABlock(t *testing.T) {
	wide, narrow := model232, model232
	wide.Past, wide.Current = 3, 2
	for _, tt := range []struct {
		w    Window
		want []int
	}{
		{Window{Given: []int{-3, -2, -1, None, None}, Make: []int{0, None}}, []int{-1, 0, 1}},
		{Window{Given: []int{None, None, None, None, None}, Make: []int{None, 4}}, []int{2, 3, 4}},
		{Window{Given: []int{0, 2, 4, None, None}, Make: []int{None, 8}, Times: []int{6, 8}}, []int{4, 6, 8}},
		{Window{Given: []int{0, 2, None, None, None}, Make: []int{None, 8}, Times: []int{6, 8}}, []int{5, 6, 8}},
	} {
		if got := tt.w.narrow(wide, narrow).block(); !slices.Equal(got, tt.want) {
			t.Errorf("%+v: times %v, want %v", tt.w, got, tt.want)
		}
	}
	if got := beside([]int{None, None}); !slices.Equal(got, []int{0, 1}) {
		t.Errorf("a block without numbers: %v", got)
	}
}
