package eval

import (
	"math"
	"slices"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

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
