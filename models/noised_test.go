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

// pastNoise is a toy that is told the noise of the past.
func pastNoise(conditioning string) *configs.Config {
	c := conditioned(conditioning)
	c.Model.Options["past_noise"], c.Frames.Mask.Noised = true, 0.5
	return c
}

// What training gives the network at a level is sqrt(1 - level^2) past + level z, of which it is told.
// Both change the loss, and neither does where the past is hidden.
func TestTrainingAddsNoiseToThePast(t *testing.T) {
	for _, conditioning := range []string{"concat", "spatin"} {
		b, m := backendtest.Open(t), modelOf(t, pastNoise(conditioning))
		exec, err := model.NewExec(b, lively(t, b, m), func(scope *model.Scope, in []*Node) []*Node {
			g := in[0].Graph()
			z := Sin(Iota(g, m.ClipShape(2, 2), 3))
			d := Draws{Level: diffusion.TableNodes(in[1]), Noise: Ones(g, m.ClipShape(2, 1)), Visible: Const(g, [][]float32{{1, 1, 1}, {0, 0, 1}})}
			_, _, cond := m.given(in[0], Draws{Level: d.Level, Noise: d.Noise, Visible: d.Visible, PastNoise: Const(g, []float32{0.6, 0.28}), Z: z})
			past, _, _ := m.Cut(in[0])
			signal, noise := Const(g, [][][][][]float32{{{{{0.8}}}}, {{{{0.96}}}}}), Const(g, [][][][][]float32{{{{{0.6}}}}, {{{{0.28}}}}})
			all := []*Node{cond.Past, Add(Mul(signal, past), Mul(noise, z))}
			for _, level := range [][]float32{nil, {0, 0}, {0.6, 0.6}, {0.3, 0.3}} {
				if d.PastNoise, d.Z = nil, z; level != nil {
					d.PastNoise = Const(g, level)
				}
				all = append(all, m.LossGraph(nn.NewBuilder(b), scope.At(WeightsScope), in[0], d))
			}
			return all
		})
		if err != nil {
			t.Fatal(err)
		}
		defer exec.Finalize()
		l := m.Schedule.Level(0.4)
		out, err := exec.Call(tensors.FromFlatDataAndDimensions(clips(m, 2, 4), m.ClipShape(2, 4).Dimensions...),
			tensors.FromFlatDataAndDimensions(m.Table([]diffusion.Level{l, l}), 2, 1, diffusion.Columns))
		if err != nil {
			t.Fatal(err)
		}
		var values [][]float32
		for _, x := range out {
			values = append(values, tensors.MustCopyFlatData[float32](x))
		}
		close(t, "the network's past", values[0], values[1])
		losses := values[2:]
		finite(t, conditioning, losses[3])
		if !sameBits(losses[0], losses[1]) {
			t.Errorf("%s: level 0 changes the loss: %v, want %v", conditioning, losses[1], losses[0])
		}
		for i := 2; i < len(losses); i++ {
			if losses[i][0] == losses[i-1][0] || !sameBits(losses[i][1:], losses[0][1:]) {
				t.Errorf("%s: losses %v: want the level to change those of visible pasts alone", conditioning, losses)
			}
		}
	}
}

// The network uses the level that it is told, also if the frames are the same.
func TestTheNetworkIsToldTheNoise(t *testing.T) {
	for _, conditioning := range []string{"concat", "spatin"} {
		b, m := backendtest.Open(t), modelOf(t, pastNoise(conditioning))
		exec, err := model.NewExec(b, lively(t, b, m), func(scope *model.Scope, in []*Node) []*Node {
			g := in[0].Graph()
			past, current, future := m.Cut(in[0])
			var all []*Node
			for _, level := range []float32{0, 0.25, 1} {
				cond := Cond[*Node]{Past: past, Future: future, Visible: Ones(g, nn.F32(2, 3)), PastNoise: Const(g, []float32{level, 0})}
				all = append(all, denoised(b, m, scope, current, diffusion.TableNodes(in[1]), cond)[1])
			}
			return all
		})
		if err != nil {
			t.Fatal(err)
		}
		defer exec.Finalize()
		l := m.Schedule.Level(0.4)
		out, err := exec.Call(tensors.FromFlatDataAndDimensions(clips(m, 2, 4), m.ClipShape(2, 4).Dimensions...),
			tensors.FromFlatDataAndDimensions(m.Table([]diffusion.Level{l, l}), 2, 1, diffusion.Columns))
		if err != nil {
			t.Fatal(err)
		}
		first := tensors.MustCopyFlatData[float32](out[0])
		half := len(first) / 2
		for i, x := range out[1:] {
			got, change := tensors.MustCopyFlatData[float32](x), 0.0
			for k := range half {
				change += math.Abs(float64(got[k] - first[k]))
			}
			if !(change > 1e-3) || !sameBits(got[half:], first[half:]) {
				t.Errorf("%s, level %d: the first clip changes by %g, want a change of it alone", conditioning, i+1, change)
			}
		}
	}
}

// A network that isn't told the noise has the weights and inputs that it always had.
func TestNoiseIsAnInputOfItsOwn(t *testing.T) {
	b := backendtest.Open(t)
	names := func(c *configs.Config) (all []string) {
		for v := range lively(t, b, modelOf(t, c)).IterVariables() {
			all = append(all, v.Path())
		}
		return all
	}
	with := slices.DeleteFunc(names(pastNoise("concat")), func(name string) bool {
		return strings.Contains(name, "/past0/") || strings.Contains(name, "/past1/")
	})
	if got := names(toy()); !slices.Equal(got, with) {
		t.Errorf("without noise: weights %v, want %v", got, with)
	}
	for c, inputs := range map[*configs.Config]int{pastNoise("concat"): 5, toy(): 3} {
		m := modelOf(t, c)
		flat := Cond[int]{Past: 1, Future: 2, Visible: 3, PastNoise: 4, Z: 5}.Flatten(m, nil)
		if back := Unflatten(m, nil, flat); len(flat) != inputs || back.PastNoise != (inputs-3)*2 || back.Visible != 3 {
			t.Errorf("inputs %v, want %d, came back as %v", flat, inputs, back)
		}
	}
}

// Noise that the network isn't told of is refused in training and sampling, and so is a network that is
// told of noise that training never adds, or that has no past.
func TestNoiseThatIsRefused(t *testing.T) {
	for want, change := range map[string]func(*configs.Config){
		"frames.mask.noised: 0.5, want 0, because the network isn't told": func(c *configs.Config) { c.Model.Options["past_noise"] = false },
		"frames.mask.noised is 0": func(c *configs.Config) { c.Frames.Mask.Noised = 0 },
		"model.options.past_noise: true, want false, because frames.past is 0": func(c *configs.Config) { c.Frames.Past = 0 },
	} {
		c := pastNoise("concat")
		change(c)
		if _, err := New(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	for _, option := range []string{"noise", "stabilize"} {
		guide := configs.Guidance{Name: "history", Options: configs.Options{"scale": 2.0, option: 0.25}}
		for c, want := range map[*configs.Config]string{
			toy():               "sampler.guidance.options." + option + ": 0.25, want 0, because the model was not trained with noised past frames",
			pastNoise("concat"): "",
		} {
			c.Sampler.Guidance = guide
			err := modelOf(t, c).CheckSampler(c.Sampler)
			if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
				t.Errorf("%s: error %v, want %q", option, err, want)
			}
		}
	}
}
