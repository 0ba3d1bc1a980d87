package eval

import (
	"math"
	"slices"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"

	"mcvd/configs"
	"mcvd/models/backend/backendtest"
	"mcvd/models/network"
	"mcvd/models/nn"
)

// echo is a network whose first frame is the noise level that it is told of the past, and whose others
// are the past's frames.
type echo struct{ signal, noise float64 }

func (echo) Caches() bool        { return false }
func (echo) ToldPastNoise() bool { return true }

func (e echo) Graph(_ *nn.Builder, _ *model.Scope, in network.Input) *graph.Node {
	level := graph.Reshape(in.PastNoise, -1, 1, 1, 1, 1)
	first := graph.BroadcastToDims(level, append([]int{in.X.Shape().Dimensions[0], 1}, in.X.Shape().Dimensions[2:]...)...)
	x0 := graph.Concatenate([]*graph.Node{first, in.Past}, 1)
	return graph.DivScalar(graph.Sub(in.X, graph.MulScalar(x0, e.signal)), e.noise)
}

// echoes are the predictions of that network after two past frames, 6 values of 2 blocks for each video.
func echoes(t *testing.T, options configs.Options) [][]float32 {
	t.Helper()
	m, c := counting(t), config().Sampler
	level := m.Schedule.Level(1)
	m.Network = echo{level.Signal, level.Noise}
	c.Guidance = configs.Guidance{Name: "history", Options: options}
	g, err := NewGenerator(backendtest.Open(t), model.NewStore(), m, c, 7, 2, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	cases := []Case{{Clip: 3, Past: rising(40, 2)}, {Clip: 5, Past: rising(180, 2)}}
	videos, err := g.Videos(t.Context(), Job{Task: Predict, Frames: 6, Advance: 3}, cases, nil)
	if err != nil {
		t.Fatal(err)
	}
	return videos
}

// With stabilized history guidance the network is told noise, and given it, in windows that are given
// generated frames, and in no others. The noise is signal past + level z, with z as the seed gives it.
func TestStabilizedHistory(t *testing.T) {
	const size, level = 16, 0.28
	clean, made := echoes(t, configs.Options{"scale": 1.0}), echoes(t, configs.Options{"scale": 1.0, "stabilize": level})
	for i, clip := range []int{3, 5} {
		if got := clean[i][3*size]; !(math.Abs(float64(got)) <= 1e-4) {
			t.Errorf("video %d is told noise of %g without any", i, got)
		}
		if !slices.Equal(made[i][:3*size], clean[i][:3*size]) {
			t.Errorf("video %d: noise changes the window that is given real frames", i)
		}
		z := make([]float32, 2*size)
		hostNoise(7)(Case{Clip: clip}, 1, pastDraw, z)
		for k := range 3 * size {
			want := level
			if k >= size {
				want = 0.96*float64(made[i][k]) + level*float64(z[k-size])
			}
			if got := float64(made[i][3*size+k]); !(math.Abs(got-want) <= 1e-4) {
				t.Fatalf("video %d: value %d of the second window is %g, want %g", i, k, got, want)
			}
		}
	}
}

// Fractional history guidance adds what the network predicts with more noise in the past, and takes
// off what it predicts without a past, of whose noise it isn't told.
func TestFractionalHistory(t *testing.T) {
	const size = 16
	made := echoes(t, configs.Options{"scale": 3.0, "noise": 0.6, "stabilize": 0.28})
	z := make([]float32, 2*size)
	hostNoise(7)(Case{Clip: 3}, 0, pastDraw, z)
	past := float64(2*40)/255 - 1
	for at, want := range map[int]float64{0: 2 * 0.6, 3 * size: 0.28 + 2*0.6, size: past + 2*(0.8*past+0.6*float64(z[0]))} {
		if got := float64(made[0][at]); !(math.Abs(got-want) <= 1e-4) {
			t.Errorf("value %d is %g, want %g", at, got, want)
		}
	}
}

// A network of either kind that is told the noise makes the same bits with level 0 as without, and with
// scale 1 those without guidance; more noise makes others. Caches have the noise of their branch.
func TestHistoryWithoutNoiseIsVanilla(t *testing.T) {
	history := func(o configs.Options) configs.Guidance { return configs.Guidance{Name: "history", Options: o} }
	for _, conditioning := range []string{"concat", "spatin"} {
		made := func(g configs.Guidance) []float32 { return guidedTold(t, conditioning, g, Predict)[Predict] }
		vanilla, plain := made(history(configs.Options{"scale": 1.7})), made(configs.Guidance{})
		for _, c := range []struct {
			guide configs.Guidance
			like  []float32
			same  bool
		}{
			{history(configs.Options{"scale": 1.7, "noise": 0.0, "stabilize": 0.0}), vanilla, true},
			{history(configs.Options{"scale": 1.7, "stabilize": 0.5}), vanilla, true}, // its only window is given real frames
			{history(configs.Options{"scale": 1.7, "noise": 0.5}), vanilla, false},
			{history(configs.Options{"scale": 1.0, "noise": 0.5}), plain, true},
			{history(configs.Options{"scale": 1.0}), plain, true},
		} {
			if same := slices.Equal(made(c.guide), c.like); same != c.same {
				t.Errorf("%s, %v: the same %t, want %t", conditioning, c.guide, same, c.same)
			}
		}
	}
}

// Frames that are given among those of the video are real ones, as those before and behind it are.
func TestGeneratedFrames(t *testing.T) {
	b := &batch{job: Job{Frames: 4, Given: []int{2}}}
	for frame, want := range map[int]bool{-1: false, 0: true, 1: true, 2: false, 3: true, 4: false} {
		if got := b.generated(frame); got != want {
			t.Errorf("frame %d is generated: %t, want %t", frame, got, want)
		}
	}
}
