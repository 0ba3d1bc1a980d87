package models

import (
	"math"
	"slices"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"mcvd/configs"
	"mcvd/models/backend/backendtest"
	"mcvd/models/diffusion"
	"mcvd/models/nn"
)

// perFrame is a toy of 3 current frames that is told a level for each, and whose loss has another
// weight at each level.
func perFrame() *configs.Config {
	c := toy()
	c.Frames.Current = 3
	c.Diffusion.Target, c.Diffusion.Weight, c.Diffusion.FrameLevels = "x0", "eps", "independent"
	c.Model.Options["level_per_frame"] = true
	return c
}

// Each frame has noise of its own level, its loss has the weight of this level, and the network is
// told it.
func TestFramesHaveLevelsOfTheirOwn(t *testing.T) {
	b, m := backendtest.Open(t), modelOf(t, perFrame())
	store := lively(t, b, m)
	visible := [][]float32{{1, 1, 1}, {1, 1, 0}}
	exec := func(f func(scope *model.Scope, in []*Node) []*Node) func(args ...any) [][]float32 {
		e, err := model.NewExec(b, store, f)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(e.Finalize)
		return func(args ...any) (values [][]float32) {
			t.Helper()
			out, err := e.Call(args...)
			if err != nil {
				t.Fatal(err)
			}
			for _, x := range out {
				values = append(values, tensors.MustCopyFlatData[float32](x))
			}
			return values
		}
	}
	loss := exec(func(scope *model.Scope, in []*Node) []*Node {
		d := Draws{Level: diffusion.TableNodes(in[2]), Noise: in[1], Visible: in[3]}
		l, x0 := m.ErrorGraph(nn.NewBuilder(b), scope.At(WeightsScope), in[0], d)
		return []*Node{l, x0}
	})
	predict := exec(func(scope *model.Scope, in []*Node) []*Node {
		past, x, future := m.Cut(in[0])
		cond := Cond[*Node]{Past: past, Future: future, Visible: in[2]}
		return []*Node{m.Denoiser(nn.NewBuilder(b), scope.At(WeightsScope), cond)(x, diffusion.TableNodes(in[1])).X0}
	})
	shape, whole := m.ClipShape(2, 3).Dimensions, m.ClipShape(2, m.Frames.Total()).Dimensions
	clip, noise := clips(m, 2, m.Frames.Total()), clips(m, 2, 3)
	slices.Reverse(noise)
	table := func(shares ...float64) *tensors.Tensor {
		var levels []diffusion.Level
		for _, u := range shares {
			levels = append(levels, m.Schedule.Level(u))
		}
		return tensors.FromFlatDataAndDimensions(m.Table(levels), 2, len(shares)/2, diffusion.Columns)
	}
	lossOf := func(levels *tensors.Tensor) [][]float32 {
		return loss(tensors.FromFlatDataAndDimensions(clip, whole...), tensors.FromFlatDataAndDimensions(noise, shape...), levels, visible)
	}
	shares := []float64{0.1, 0.5, 0.3, 0.2, 0.9, 0.6}
	noisy, frame, block := slices.Clone(clip), m.ClipShape(1, 1).Size(), m.ClipShape(1, m.Frames.Total()).Size()
	at := func(k int) int { return k/3*block + (m.Frames.Past+k%3)*frame } // where the k-th current frame begins
	for k, u := range shares {
		l := m.Schedule.Level(u)
		for i := range frame {
			noisy[at(k)+i] = float32(l.Signal*float64(clip[at(k)+i]) + l.Noise*float64(noise[k*frame+i]))
		}
	}
	told := func(shares ...float64) []float32 {
		return predict(tensors.FromFlatDataAndDimensions(noisy, whole...), table(shares...), visible)[0]
	}
	x0, want := told(shares...), make([]float32, 2)
	for k, u := range shares {
		l, sum := m.Schedule.Level(u), 0.0
		for i := range frame {
			d := float64(x0[k*frame+i] - clip[at(k)+i])
			sum += d * d / 2
		}
		want[k/3] += float32(l.Signal * l.Signal / (l.Noise * l.Noise) * sum)
	}
	close(t, "loss", lossOf(table(shares...))[0], want)

	close(t, "equal levels of all frames, and one for all", lossOf(table(0.2, 0.2, 0.2, 0.7, 0.7, 0.7))[0], lossOf(table(0.2, 0.7))[0])
	for name, other := range map[string][]float64{"the last frame's": {0.1, 0.5, 0.4, 0.2, 0.9, 0.6}, "two frames'": {0.5, 0.1, 0.3, 0.2, 0.9, 0.6}} {
		if got := told(other...); !(math.Abs(float64(got[0]-x0[0])) > 1e-5) || !sameBits(got[3*frame:], x0[3*frame:]) {
			t.Errorf("another level of %s changes the first frame's prediction from %g to %g; the other clip's is the same: %v",
				name, x0[0], got[0], sameBits(got[3*frame:], x0[3*frame:]))
		}
	}
}

// A network that is told one level can't learn from frames of several.
func TestLevelsPerFrameNeedANetworkThatIsToldThem(t *testing.T) {
	for _, levels := range []string{"independent", "monotone"} {
		c := perFrame()
		c.Diffusion.FrameLevels, c.Model.Options["level_per_frame"] = levels, false
		want := "diffusion.frame_levels: " + levels + ", want equal, because the network is told one noise level"
		if _, err := New(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
		c.Model.Options["level_per_frame"] = true
		if _, err := New(c); err != nil {
			t.Error(err)
		}
		c.Frames.Current = 1
		want = "model.options.level_per_frame: true, want false, because frames.current is 1"
		if _, err := New(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	c := perFrame()
	c.Model.Network, c.Model.Options = "mlp", configs.Options{"width": 8}
	if _, err := New(c); err == nil || !strings.Contains(err.Error(), "is told one noise level") {
		t.Errorf("dense layers: error %v, want that they are told one level", err)
	}
}

// A lag needs a network that is told a level for each frame, and no guidance.
func TestWhatALagNeeds(t *testing.T) {
	for _, tt := range []struct {
		change func(c *configs.Config)
		want   string
	}{
		{func(c *configs.Config) {}, ""},
		{func(c *configs.Config) {
			c.Model.Options["level_per_frame"], c.Diffusion.FrameLevels = false, "equal"
		}, "sampler.frame_lag: 2, want 0, because the network is told one noise level for all frames"},
		{func(c *configs.Config) { c.Sampler.Guidance.Name = "frames" }, "sampler.frame_lag: 2, want 0 with guidance"},
		{func(c *configs.Config) { c.Sampler.Name = "heun" }, "because heun evaluates the network 2 times in a step"},
	} {
		c := perFrame()
		c.Sampler.FrameLag = 2
		tt.change(c)
		err := modelOf(t, c).CheckSampler(c.Sampler)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("error %v, want %s", err, tt.want)
		}
		c.Sampler.FrameLag = 0
		if err := modelOf(t, c).CheckSampler(c.Sampler); err != nil {
			t.Errorf("without a lag: %v", err)
		}
	}
}
