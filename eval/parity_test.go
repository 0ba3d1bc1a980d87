package eval

import (
	"context"
	"slices"
	"strconv"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"mcvd/configs"
	"mcvd/models"
	"mcvd/models/backend/backendtest"
	"mcvd/models/network"
	"mcvd/models/nn"
	"mcvd/models/paritytest"
)

// meanNetwork is eps = tanh(0.7 x + 0.2 sin(label/100) + 0.3 mean(cond)), the mean over all
// conditioning values of a clip.
type meanNetwork struct{}

// Caches is false.
func (meanNetwork) Caches() bool { return false }

func (meanNetwork) Graph(_ *nn.Builder, _ *model.Scope, in network.Input) *graph.Node {
	each := func(v *graph.Node) *graph.Node { return graph.Reshape(v, -1, 1, 1, 1, 1) }
	cond := in.Past
	if in.Future != nil {
		cond = graph.Concatenate([]*graph.Node{cond, in.Future}, 1)
	}
	shift := graph.Add(graph.MulScalar(graph.Sin(graph.DivScalar(each(in.Label), 100)), 0.2),
		graph.MulScalar(each(graph.ReduceMean(cond, 1, 2, 3, 4)), 0.3))
	return graph.Tanh(graph.Add(graph.MulScalar(in.X, 0.7), shift))
}

// recorded is a fixture: what the published code made with a model of these frames.
type recorded struct {
	paritytest.Fixture
	task                  Task
	frames                configs.Frames
	n                     int // frames made
	clips, channels, side int
}

func openRecorded(t *testing.T, path string) recorded {
	t.Helper()
	r := recorded{Fixture: paritytest.Open(t, path)}
	number := func(key string) int {
		n, err := strconv.Atoi(r.Metadata()[key])
		if err != nil {
			t.Fatalf("%s: %v", key, err)
		}
		return n
	}
	r.frames = configs.Frames{Past: number("num_frames_cond"), Current: number("num_frames"), Future: number("num_frames_future")}
	r.n = number("num_frames_pred")
	s := r.Shape("video") // [clips, frames, channels, height, width]
	r.clips, r.channels, r.side = s[0], s[2], s[3]
	switch mode := r.Metadata()["mode"]; mode {
	case "pred":
		r.task = Predict
	case "interp":
		r.task = Interpolate
	case "gen":
		r.task = Generate
		r.n += r.frames.Past // the first window, which sees nothing, makes them, too
	default:
		t.Fatalf("mode %q", mode)
	}
	return r
}

// read returns the frames of a tensor in the order in which they lie there.
func (r recorded) read(name string) []Frame {
	values, size := r.Floats(name), r.channels*r.side*r.side
	var frames []Frame
	for at := 0; at < len(values); at += size {
		frames = append(frames, paritytest.Permuted(values[at:at+size], []int{r.channels, r.side, r.side}, 1, 2, 0))
	}
	return frames
}

// given are the source's conditioning frames: past and future, or blank where the task hides them.
func (r recorded) given() (past, future []Frame) {
	video, size := r.read("video"), r.channels*r.side*r.side
	length := len(video) / r.clips
	gather := func(first, n int, visible bool) (frames []Frame) {
		for k := range n {
			frame := make(Frame, r.clips*size)
			for i := range r.clips {
				if visible {
					copy(frame[i*size:], video[i*length+first+k])
				}
			}
			frames = append(frames, frame)
		}
		return frames
	}
	return gather(0, r.frames.Past, r.task.Past), gather(r.frames.Past+r.n, r.frames.Future, r.task.Future)
}

// generator is one that starts from the recorded noise.
func (r recorded) generator(t *testing.T) *Generator {
	t.Helper()
	c := configs.Default()
	c.Frames, c.Data.Size, c.Data.Channels = r.frames, r.side, r.channels
	c.Model.Options = configs.Options{"multipliers": []int{1}, "attention": []int{}}
	m, err := models.New(c)
	if err != nil {
		t.Fatal(err)
	}
	m.Network = meanNetwork{}
	g, err := NewGenerator(backendtest.Open(t), model.NewStore(), m, configs.Sampler{Name: "ddim", Spacing: "uniform", Steps: 5, Clip: true}, 1, r.clips, 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	noise := r.read("init_noise")
	g.draw = func(c Case, window, number uint64, values []float32) {
		if number != 0 {
			t.Errorf("draw %d in window %d: DDIM starts from noise and adds none", number, window)
		}
		first := (int(window)*r.clips + c.Clip) * r.frames.Current
		copy(values, slices.Concat(noise[first:first+r.frames.Current]...))
	}
	return g
}

// Windows see, start from and make what the published code's do, to 1e-4 (1 + |value|).
func TestParityWindows(t *testing.T) {
	paritytest.Each(t, "window/*.safetensors", func(t *testing.T, path string) {
		r := openRecorded(t, path)
		cases := make([]Case, r.clips)
		for i := range cases {
			cases[i].Clip = i
		}
		// The recorded frames are not bytes: they are given to the rollout as they are.
		b, err := r.generator(t).newBatch(Generate, cases, nil)
		if err != nil {
			t.Fatal(err)
		}
		cond, made := r.read("cond"), r.read("frames")
		windows, worst, worstCond := 0, 0.0, 0.0
		compare := func(what string, k, clip int, got, want Frame, worst *float64) {
			d := paritytest.Worst(got, want, 1e-4, 1e-4)
			if !(d <= 1) {
				t.Errorf("%s %d of clip %d: %.2g of the tolerance", what, k, clip, d)
			}
			*worst = max(*worst, d)
		}
		of := func(frame Frame, clip int) Frame { return frame[clip*b.size : (clip+1)*b.size] }
		job := Job{Task: r.task, Frames: r.n, Advance: r.frames.Current}
		past, future := r.given()
		err = Rollout(list(t, job, r.frames), past, future, r.n,
			func(_ Window, given []Frame) ([]Frame, error) {
				for k, frame := range given {
					if frame == nil { // hidden frames are zeros there
						frame = make(Frame, r.clips*b.size)
					}
					for i := range r.clips {
						at := (windows*r.clips+i)*len(given) + k
						compare("conditioning frame", at, i, of(frame, i), cond[at], &worstCond)
					}
				}
				windows++
				return b.block(context.Background(), Window{}, given)
			},
			func(at int, frame Frame) error {
				for i := range r.clips {
					compare("frame", at, i, of(frame, i), made[i*r.n+at], &worst)
				}
				return nil
			})
		if err != nil {
			t.Fatal(err)
		}
		if windows != r.Shape("init_noise")[0] || r.Shape("frames")[1] != r.n {
			t.Errorf("%d windows made %d frames, the published code's %d made %d", windows, r.n, r.Shape("init_noise")[0], r.Shape("frames")[1])
		}
		t.Logf("%d windows, worst deviation of the frames %.1g (1 + |value|), of the conditioning %.1g", windows, worst*1e-4, worstCond*1e-4)
	})
}
