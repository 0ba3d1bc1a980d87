package eval

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"mcvd/configs"
	"mcvd/data/clips"
	"mcvd/models"
	"mcvd/models/backend/backendtest"
	"mcvd/models/network"
	"mcvd/models/nn"
)

// config is an experiment of 4x4 frames, 2 past, 3 current and 2 future, sampled in one step.
func config() *configs.Config {
	c := configs.Default()
	c.Data.Name, c.Data.Size = "digits", 4
	c.Frames.Past, c.Frames.Current, c.Frames.Future = 2, 3, 2
	c.Model.Options = configs.Options{"width": 4, "multipliers": []int{1}, "blocks": 1, "attention": []int{4}, "dropout": 0}
	c.Diffusion.Steps, c.Diffusion.Options = 10, configs.Options{"beta_start": 0.01, "beta_end": 0.5}
	c.Sampler = configs.Sampler{Precision: "float32", Spacing: "uniform", Name: "ddim", Steps: 1}
	return c
}

// grey is one level of 8-bit grey in [-1, 1].
const grey = 2 / 255.0

// counter is a network that knows the answer: frames are constant, and each is one grey level
// brighter than the one before. With both sides visible it fills the gap evenly; with neither it
// makes 0.5.
type counter struct{ signal, noise float64 }

func (counter) Caches() bool { return false }

func (c counter) Graph(_ *nn.Builder, _ *model.Scope, in network.Input) *graph.Node {
	x := in.X
	batch, n := x.Shape().Dimensions[0], x.Shape().Dimensions[1]
	number := func(frames *graph.Node, i int) *graph.Node { // the value of frame i, [batch, 1, 1, 1, 1]
		return graph.Slice(frames, graph.AxisRange(), graph.AxisElem(i), graph.AxisElem(0), graph.AxisElem(0), graph.AxisElem(0))
	}
	column := func(v *graph.Node) *graph.Node { return graph.Reshape(v, batch, 1, 1, 1, 1) }
	last, first := number(in.Past, in.Past.Shape().Dimensions[1]-1), number(in.Future, 0)
	visible := func(i int) *graph.Node { return column(graph.Slice(in.Visible, graph.AxisRange(), graph.AxisElem(i))) }
	seePast, seeFuture := visible(0), visible(in.Past.Shape().Dimensions[1])
	g := x.Graph()
	k := graph.Reshape(graph.Iota(g, nn.F32(n), 0), 1, n, 1, 1, 1)
	forward := graph.Add(graph.MulScalar(graph.OnePlus(k), grey), last)
	backward := graph.Add(graph.MulScalar(graph.AddScalar(k, float64(-n)), grey), first)
	between := graph.Add(last, graph.Mul(graph.DivScalar(graph.OnePlus(k), float64(n+1)), graph.Sub(first, last)))
	both := graph.Mul(seePast, seeFuture)
	x0 := graph.Add(graph.Add(graph.Mul(both, between), graph.Mul(graph.Sub(seePast, both), forward)), graph.Mul(graph.Sub(seeFuture, both), backward))
	neither := graph.Mul(graph.OneMinus(seePast), graph.OneMinus(seeFuture))
	x0 = graph.BroadcastToDims(graph.Add(x0, graph.MulScalar(neither, 0.5)), x.Shape().Dimensions...)
	return graph.DivScalar(graph.Sub(x, graph.MulScalar(x0, c.signal)), c.noise)
}

func counting(t *testing.T) *models.Model {
	t.Helper()
	m, err := models.New(config())
	if err != nil {
		t.Fatal(err)
	}
	level := m.Schedule.Level(1)
	m.Network = counter{level.Signal, level.Noise}
	return m
}

// rising is n constant frames, the first of the given level of grey, each one level brighter than
// the one before.
func rising(level, n int) clips.Clip {
	c := clips.NewClip(n, 4, 4, 1)
	for i := range c.Pix {
		c.Pix[i] = uint8(level + i/c.FrameSize())
	}
	return c
}

// Videos of every length, advance and batch size count on from what they are given.
func TestGeneratorCounts(t *testing.T) {
	b, m := backendtest.Open(t), counting(t)
	for _, task := range []Task{Predict, Interpolate, Retrodict, Generate} {
		for _, n := range []int{1, 3, 4, 8} {
			for advance := 1; advance <= 3; advance++ {
				for _, batch := range []int{1, 2, 4} {
					if task == Interpolate && n < 3 {
						continue
					}
					t.Run(fmt.Sprintf("%v %d frames, advance %d, batch %d", task, n, advance, batch), func(t *testing.T) {
						g, err := NewGenerator(b, model.NewStore(), m, config().Sampler, 7, batch, 1)
						if err != nil {
							t.Fatal(err)
						}
						defer g.Close()
						var cases []Case
						for i := range 3 { // clip i begins at level 50*i: past, then n frames, then future
							c := Case{Clip: i}
							if task.Past {
								c.Past = rising(50*i, 2)
							}
							if task.Future {
								c.Future = rising(50*i+2+n, 2)
							}
							cases = append(cases, c)
						}
						j := Job{Task: task, Frames: n, Advance: advance}
						calls := 0
						made := make([][]Frame, 3)
						for i := range made {
							made[i] = make([]Frame, n)
						}
						err = g.Run(context.Background(), j, cases, func(i, frame int, f Frame) error {
							if made[i][frame] != nil {
								t.Errorf("frame %d of video %d made twice", frame, i)
							}
							made[i][frame] = f
							return nil
						}, func() { calls++ })
						if err != nil {
							t.Fatal(err)
						}
						for i, frames := range made {
							for k, f := range frames {
								want := float64(clips.Float(uint8(50*i + 2 + k)))
								if task == Generate { // the first window is 0.5, later ones count on from its last kept frame
									want = 0.5 + grey*math.Max(0, float64(k-min(advance, n)+1))
								}
								if f == nil || !(math.Abs(float64(f[5])-want) <= 1e-4) {
									t.Errorf("video %d, frame %d: %v, want %.4f", i, k, f, want)
								}
							}
						}
						if nfe, err := g.NFE(j); err != nil || calls != nfe*((3+batch-1)/batch) {
							t.Errorf("%d network evaluations, NFE says %d a batch, %v", calls, nfe, err)
						}
					})
				}
			}
		}
	}
}

// trained is a small model whose weights are all random, so that everything influences everything.
func trained(t *testing.T, b compute.Backend, c *configs.Config) (*models.Model, *model.Store) {
	t.Helper()
	m, err := models.New(c)
	if err != nil {
		t.Fatal(err)
	}
	store, err := m.Init(b, 1)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for v := range store.Scope("/" + models.EMAScope).IterVariables() {
		values := make([]float32, v.Shape().Size())
		for i := range values {
			values[i] = float32(0.3 * rng.NormFloat64())
		}
		if err := v.SetValue(tensors.FromFlatDataAndDimensions(values, v.Shape().Dimensions...)); err != nil {
			t.Fatal(err)
		}
	}
	return m, store
}

// A video is a function of (seed, clip, trajectory): neither the batch size nor its neighbours
// change it.
func TestVideosDoNotDependOnTheBatch(t *testing.T) {
	b, c := backendtest.Open(t), config()
	c.Sampler = configs.Sampler{Precision: "float32", Spacing: "uniform", Name: "ddpm", Steps: 4, Clip: true, LastDenoise: true}
	m, store := trained(t, b, c)
	videos := func(seed uint64, batch int, which ...int) [][]float32 {
		g, err := NewGenerator(b, store, m, c.Sampler, seed, batch, 1)
		if err != nil {
			t.Fatal(err)
		}
		defer g.Close()
		var cases []Case
		for _, i := range which {
			cases = append(cases, Case{Clip: i, Trajectory: i % 2, Past: rising(100+20*i, 2)})
		}
		out := make([][]float32, len(which))
		err = g.Run(context.Background(), Job{Task: Predict, Frames: 5, Advance: 2}, cases, func(i, _ int, f Frame) error {
			out[i] = append(out[i], f...)
			return nil
		}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	all := videos(1, 4, 0, 1, 2, 3)
	for i, alone := range [][]float32{videos(1, 1, 2)[0], videos(1, 3, 5, 2)[1], videos(1, 2, 2, 4)[0]} {
		for k := range alone {
			if d := math.Abs(float64(alone[k] - all[2][k])); !(d <= 1e-4) {
				t.Fatalf("batch %d: value %d of the same video differs by %g", i, k, d)
			}
		}
	}
	if slices.Equal(videos(2, 1, 2)[0], videos(1, 1, 2)[0]) {
		t.Error("another seed makes the same video")
	}
	if slices.Equal(all[0], all[2]) {
		t.Error("two clips have the same video")
	}
}

// With a lag, too, videos don't depend on the batch, and take as many evaluations as are announced. The
// network is told other levels than without a lag, so the videos are others.
func TestFramesThatFollowEachOther(t *testing.T) {
	b, c := backendtest.Open(t), config()
	c.Model.Options["level_per_frame"] = true
	m, store := trained(t, b, c)
	videos := func(lag, batch int, which ...int) []Frames {
		s := configs.Sampler{Precision: "float32", Spacing: "uniform", Name: "ddpm", Steps: 4, Clip: true, LastDenoise: true, FrameLag: lag}
		g, err := NewGenerator(b, store, m, s, 1, batch, 1)
		if err != nil {
			t.Fatal(err)
		}
		defer g.Close()
		var cases []Case
		for _, i := range which {
			cases = append(cases, Case{Clip: i, Past: rising(100+20*i, 2)})
		}
		calls, j := 0, Job{Task: Predict, Frames: 5, Advance: 2}
		made, err := g.Videos(context.Background(), j, cases, func() { calls++ })
		if err != nil {
			t.Fatal(err)
		}
		windows := 3
		if nfe, err := g.NFE(j); err != nil || nfe != windows*(4+1+2*lag) || calls != nfe*((len(which)+batch-1)/batch) {
			t.Errorf("lag %d: %d evaluations, NFE says %d a batch, %v", lag, calls, nfe, err)
		}
		return made
	}
	for _, lag := range []int{1, 7} {
		all, plain := videos(lag, 3, 0, 1, 2), videos(0, 3, 0, 1, 2)
		for k, x := range videos(lag, 1, 1)[0] {
			if d := math.Abs(float64(x - all[1][k])); !(d <= 1e-4) {
				t.Fatalf("lag %d: value %d of the same video differs by %g", lag, k, d)
			}
		}
		if slices.Equal(all[1], plain[1]) {
			t.Errorf("lag %d makes the videos of lag 0", lag)
		}
	}
}

// Rolling windows take as many evaluations as are announced, and their videos don't depend on the batch.
// The first frame is that of a block that doesn't roll on; the next ones have more in sight.
func TestRollingWindows(t *testing.T) {
	b, c := backendtest.Open(t), config()
	c.Model.Options["level_per_frame"] = true
	m, store := trained(t, b, c)
	generator := func(lag, batch int, start float64) *Generator {
		s := configs.Sampler{Precision: "float32", Spacing: "uniform", Name: "ddpm", Steps: 4, Clip: true, LastDenoise: true, FrameLag: lag, Start: start}
		g, err := NewGenerator(b, store, m, s, 1, batch, 1)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(g.Close)
		return g
	}
	job := func(windows string) Job { return Job{Task: Predict, Frames: 4, Advance: 1, Windows: windows} }
	videos := func(lag, batch int, windows string, which ...int) []Frames {
		g := generator(lag, batch, 0)
		var cases []Case
		for _, i := range which {
			cases = append(cases, Case{Clip: i, Past: rising(100+20*i, 2)})
		}
		calls := 0
		made, err := g.Videos(context.Background(), job(windows), cases, func() { calls++ })
		if err != nil {
			t.Fatal(err)
		}
		want := 4 * (5 + 2*lag)
		if windows == rollingName {
			want = 5 + 3*min(lag, 5)
		}
		if nfe, err := g.NFE(job(windows)); err != nil || nfe != want || calls != nfe*((len(which)+batch-1)/batch) {
			t.Errorf("%s, lag %d: %d evaluations, NFE says %d a batch, %v, want %d", windows, lag, calls, nfe, err, want)
		}
		return made
	}
	frame := m.ClipShape(1, 1).Size()
	for _, lag := range []int{2, 6} {
		all, apart := videos(lag, 3, rollingName, 0, 1, 2), videos(lag, 3, "autoregressive", 0, 1, 2)
		for k, x := range videos(lag, 1, rollingName, 1)[0] {
			if d := math.Abs(float64(x - all[1][k])); !(d <= 1e-4) {
				t.Fatalf("lag %d: value %d of the same video differs by %g", lag, k, d)
			}
		}
		if !slices.Equal(all[1][:frame], apart[1][:frame]) || slices.Equal(all[1][frame:2*frame], apart[1][frame:2*frame]) {
			t.Errorf("lag %d: of the first two frames, only the first must be as in a block that doesn't roll", lag)
		}
	}
	for want, g := range map[string]*Generator{
		"want 2 or more, so that 5 steps fit into a block of 3 (frames.current) that moves on by 1": generator(1, 1, 0),
		"want sampler.start 0": generator(2, 1, 0.5),
	} {
		if _, err := g.NFE(job(rollingName)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

func TestGeneratorRefuses(t *testing.T) {
	b, m := backendtest.Open(t), counting(t)
	g, err := NewGenerator(b, model.NewStore(), m, config().Sampler, 1, 2, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	keep := func(int, int, Frame) error { return nil }
	run := func(task Task, c Case, n, advance int) error {
		return g.Run(context.Background(), Job{Task: task, Frames: n, Advance: advance}, []Case{c}, keep, nil)
	}
	for want, err := range map[string]error{
		"predict: 1 past frames, want the model's 2":                              run(Predict, Case{Past: rising(0, 1)}, 3, 3),
		"retrodict: 0 future frames, want the model's 2":                          run(Retrodict, Case{}, 3, 3),
		"predict: a past frame has 3 values, want 16":                             run(Predict, Case{Past: clips.NewClip(2, 1, 3, 1)}, 3, 3),
		"generate: advance 4 frames a window, want 1 to 3, the frames of a block": run(Generate, Case{}, 3, 4),
		"generate: 0 frames, want 1 or more":                                      run(Generate, Case{}, 0, 1),
	} {
		if err == nil || err.Error() != want {
			t.Errorf("error = %v\nwant %s", err, want)
		}
	}
	if _, err := NewGenerator(b, model.NewStore(), m, config().Sampler, 1, 0, 1); err == nil {
		t.Error("a batch of 0: no error")
	}
	once := Job{Task: Generate, Frames: 3, Advance: 3}
	stopped, cancel := context.WithCancelCause(context.Background())
	enough := errors.New("enough")
	cancel(enough)
	if err := g.Run(stopped, once, []Case{{}}, keep, nil); !errors.Is(err, enough) {
		t.Errorf("after a cancel: %v", err)
	}
	if err := g.Run(context.Background(), once, []Case{{}}, func(int, int, Frame) error { return enough }, nil); err != enough {
		t.Errorf("error of emit: %v", err)
	}
}

// Weights that have become NaN make an error, not a video.
func TestFramesThatAreNotFiniteAreAnError(t *testing.T) {
	b, m := backendtest.Open(t), counting(t)
	m.Network = counter{math.NaN(), 1}
	g, err := NewGenerator(b, model.NewStore(), m, config().Sampler, 1, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	err = g.Run(context.Background(), Job{Task: Generate, Frames: 3, Advance: 3}, []Case{{}}, func(int, int, Frame) error { return nil }, nil)
	if want := "window 1 (frames 0 to 2 of 3): the generated frames are not finite: the weights are broken, or the sampler diverges (another sampler or number of steps may not)"; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}
