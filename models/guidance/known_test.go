package guidance

import (
	"math"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"mcvd/configs"
	"mcvd/models/backend/backendtest"
	"mcvd/models/devices"
	"mcvd/models/diffusion"
	"mcvd/models/sampler"
)

// pairs is the exact denoiser of clips of two frames whose values are standard normal and, at the same
// pixel, correlated.
func pairs(correlation float64) sampler.Denoiser {
	return func(x *Node, at diffusion.LevelNodes) diffusion.Prediction {
		frame := func(i int) *Node { return Slice(x, AxisRange(), AxisElem(i)) }
		var x0 *Node // by the sum and the difference of the frames, which are independent
		for _, sign := range []float64{1, -1} {
			variance := 1 + sign*correlation
			shrunk := Div(MulScalar(at.Signal, variance), Add(MulScalar(Square(at.Signal), variance), Square(at.Noise)))
			half := MulScalar(Mul(shrunk, Add(frame(0), MulScalar(frame(1), sign))), 0.5)
			part := Concatenate([]*Node{half, MulScalar(half, sign)}, 1)
			if x0 == nil {
				x0 = part
			} else {
				x0 = Add(x0, part)
			}
		}
		return diffusion.Prediction{X0: x0, Eps: diffusion.EpsFromX0(x, x0, at.Signal, at.Noise)}
	}
}

// Where variances are learned, known frames have the posterior's, which takes a draw of their noisy
// frames to another one. The others have what the network says, also where frames are reconstructed.
func TestKnownFramesHaveThePosteriorsVariance(t *testing.T) {
	out := backendtest.Run(t, func(in []*Node) []*Node {
		at := diffusion.LevelNodes{Signal: Const(in[0].Graph(), float32(0.8)), Noise: Const(in[0].Graph(), float32(0.6))}
		says := func(x *Node, at diffusion.LevelNodes) diffusion.Prediction {
			made := pairs(0.5)(x, at)
			made.Share = AddScalar(ZerosLike(x), 0.25)
			return made
		}
		block := NewBlock([]*Node{in[1], in[2]})
		return []*Node{block.Keep(says)(in[0], at).Share, block.Keep(block.reconstructed(says, 1))(in[0], at).Share}
	}, clipsOf(0.1, 0.2, 0.3, 0.4), clipsOf(0, -0.5, 0.5, 0), [][]float32{{0, 1}, {1, 0}})
	for _, shares := range out {
		check(t, "share", shares, []float64{0.25, 0, 0, 0.25})
	}
}

// two are clips of two frames.
var two = configs.Frames{Current: 2}

func clipsOf(values ...float32) *tensors.Tensor {
	return tensors.FromFlatDataAndDimensions(values, len(values)/2, 2, 1, 1, 1)
}

func knownGuide(name string, options configs.Options) configs.Guidance {
	return configs.Guidance{Name: name, Options: options}
}

// The denoiser of pairs is linear, x0 = A z, so that the gradient of |x_a - x0_a|^2 with respect to
// z_b is -2 (x_a - x0_a) A_ab. The second clip knows neither frame, and stays as it is.
func TestReconstructionOfPairs(t *testing.T) {
	const correlation, signal, noise, weight = 0.75, 0.8, 0.6, 3
	known := []float32{0, -0.5, 0, 0}
	z := []float32{0.25, 1, -0.5, 2}
	p, err := New(knownGuide("reconstruction", configs.Options{"known_weight": float64(weight)}), two)
	if err != nil || p.Evaluations() != 2 || p.Branches() != 1 || p.Inputs() != 2 {
		t.Fatalf("%+v, error %v, want 2 evaluations of 1 branch", p, err)
	}
	out := backendtest.Run(t, func(in []*Node) []*Node {
		at := diffusion.LevelNodes{Signal: Const(in[0].Graph(), float32(signal)), Noise: Const(in[0].Graph(), float32(noise))}
		block := NewBlock(in[1:])
		plain := pairs(correlation)(in[0], at)
		made := p.Guide(pairs(correlation), Others{}, block, nil)(in[0], at)
		kept := block.Keep(p.Guide(pairs(correlation), Others{}, block, nil))(in[0], at)
		return []*Node{plain.X0, made.X0, made.Eps, kept.X0, kept.Eps}
	}, clipsOf(z...), clipsOf(known...), [][]float32{{0, 1}, {0, 0}})
	shrink := func(variance float64) float64 { return signal * variance / (signal*signal*variance + noise*noise) }
	same, cross := (shrink(1+correlation)+shrink(1-correlation))/2, (shrink(1+correlation)-shrink(1-correlation))/2
	var plain []float64
	for i, v := range z {
		plain = append(plain, same*float64(v)+cross*float64(z[i^1]))
	}
	check(t, "denoiser", out[0], plain)
	want := append([]float64{}, plain...)
	want[0] += weight * signal * cross * (-0.5 - plain[1])
	check(t, "x0", out[1], want)
	eps := func(x0 []float64) (eps []float64) {
		for i, v := range z {
			eps = append(eps, (float64(v)-signal*x0[i])/noise)
		}
		return eps
	}
	check(t, "eps", out[2], eps(want))
	want[1] = -0.5
	check(t, "x0 with what is known", out[3], want)
	check(t, "eps with what is known", out[4], eps(want))
}

// samplePairs samples one clip of pairs from standard normal noise z, with the second frame known. seen
// gets each step and its noisy frames.
func samplePairs(t *testing.T, c configs.Sampler, z []float32, known float32, seen func(step sampler.Step, x []float32)) {
	t.Helper()
	process, err := diffusion.New(configs.Default().Diffusion)
	if err != nil {
		t.Fatal(err)
	}
	s, err := sampler.New(c)
	if err != nil {
		t.Fatal(err)
	}
	levels, err := sampler.Levels(process.Schedule, c)
	if err != nil {
		t.Fatal(err)
	}
	p, err := New(c.Guidance, two)
	if err != nil {
		t.Fatal(err)
	}
	d, err := devices.Open(backendtest.Open(t), 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	loop, err := sampler.NewLoop(d, model.NewStore(), s, process, 0, func(_ *model.Scope, in, _ []*Node) sampler.Denoiser {
		block := NewBlock(in)
		return block.Keep(p.Guide(pairs(0.9), Others{}, block, nil))
	})
	if err != nil {
		t.Fatal(err)
	}
	defer loop.Close()
	var inputs []devices.Value
	for _, in := range []*tensors.Tensor{clipsOf(0, known), tensors.FromValue([][]float32{{0, 1}})} {
		v, err := d.Put(in, devices.Parts)
		if err != nil {
			t.Fatal(err)
		}
		inputs = append(inputs, v)
	}
	steps := sampler.Plan(s, process.Schedule, levels, c)
	first := sampler.AddNoise(steps[0].From, []float32{0, known}, z)
	first[0] = z[0]
	watched := loop.Watched(func(step int, x *tensors.Tensor) error {
		seen(steps[step], tensors.MustCopyFlatData[float32](x))
		return nil
	})
	if _, err := watched.Run(t.Context(), clipsOf(first...), inputs, steps, func(int) *tensors.Tensor { return clipsOf(0.5, -1.5) }, nil); err != nil {
		t.Fatal(err)
	}
}

// Every sampler ends with exactly the known frames. Those without noise of their own keep them where the
// forward process has them, with the noise of the beginning.
func TestSamplersKeepKnownFrames(t *testing.T) {
	z := []float32{0.3, -1.2}
	for _, name := range sampler.Names() {
		for _, guide := range []string{"replacement", "reconstruction"} {
			c := configs.Sampler{Name: name, Spacing: "log_snr", Steps: 16, LastDenoise: name != "ddim", Guidance: knownGuide(guide, nil)}
			s, err := sampler.New(c)
			if err != nil {
				t.Fatal(err)
			}
			var last []float32
			samplePairs(t, c, z, 0.7, func(step sampler.Step, x []float32) {
				last = x
				want := step.To.Signal*0.7 + step.To.Noise*float64(z[1])
				if !s.Noisy() && !(math.Abs(float64(x[1])-want) <= 2e-4) {
					t.Errorf("%s, %s: a known frame is %v at signal %g, noise %g, want %v", name, guide, x[1], step.To.Signal, step.To.Noise, want)
				}
			})
			if !(math.Abs(float64(last[1])-0.7) <= 1e-5) || !(math.Abs(float64(last[0])) <= 1e3) {
				t.Errorf("%s, %s: ends with %v, want the known frame 0.7 and a finite one", name, guide, last)
			}
		}
	}
}

// The mean of the frame that is made is the known one times the correlation. DDIM is linear here, so it
// is what becomes of no noise.
func TestReconstructionIsCloserToTheMeanThanReplacement(t *testing.T) {
	mean := func(guide configs.Guidance) (made float64) {
		c := configs.Sampler{Name: "ddim", Spacing: "uniform", Steps: 50, Guidance: guide}
		samplePairs(t, c, []float32{0, 0}, 1, func(_ sampler.Step, x []float32) { made = float64(x[0]) })
		return made
	}
	replaced := math.Abs(mean(knownGuide("replacement", nil)) - 0.9)
	drawn := math.Abs(mean(knownGuide("reconstruction", nil)) - 0.9)
	strongly := math.Abs(mean(knownGuide("reconstruction", configs.Options{"known_weight": 4.0})) - 0.9)
	if !(drawn < 0.75*replaced) || !(strongly < 0.5*drawn) {
		t.Errorf("off the mean by %.3f with reconstruction, by %.3f with four times the weight and by %.3f with replacement, want less", drawn, strongly, replaced)
	}
	if weightless := math.Abs(mean(knownGuide("reconstruction", configs.Options{"known_weight": 0.0})) - 0.9); weightless != replaced {
		t.Errorf("off by %v with a weight of 0, want %v, that of replacement", weightless, replaced)
	}
	t.Logf("off the mean by %.3f with reconstruction, by %.3f with four times the weight and by %.3f with replacement", drawn, strongly, replaced)
}

func TestKnownFramesWidenWindows(t *testing.T) {
	model := configs.Frames{Past: 2, Current: 5, Mask: configs.Mask{Past: 0.5}}
	guide := knownGuide("replacement", configs.Options{"known_past": 1, "known_future": 2})
	want := configs.Frames{Past: 3, Current: 2, Future: 2, Mask: model.Mask}
	if got := Widened(guide, model); got != want {
		t.Errorf("windows of %+v, want %+v", got, want)
	}
	if got := Widened(configs.Guidance{}, model); got != model {
		t.Errorf("without guidance windows of %+v, want %+v", got, model)
	}
	p, err := New(guide, model)
	if err != nil || !p.Acts(true, false) || !p.Acts(false, true) || p.Acts(false, false) || p.Evaluations() != 1 {
		t.Errorf("%+v, error %v: want that it acts where past or future are there, at no cost", p, err)
	}
	for _, c := range []struct {
		options configs.Options
		frames  configs.Frames
		want    string
	}{
		{configs.Options{"known_future": 0}, model, "sampler.guidance.options.known_future: 0, want 1 or more"},
		{configs.Options{"known_past": 4}, model, "sampler.guidance.options.known_future: 1, want less than 1, which is frames.current less known_past"},
		{configs.Options{"known_past": 5}, model, "sampler.guidance.options.known_past: 5, want less than 5, which is frames.current"},
		{configs.Options{"known_past": 9, "known_future": 0}, model, "sampler.guidance.options.known_past: 9, want less than 5, which is frames.current"},
		{configs.Options{"known_future": 5}, model, "sampler.guidance.options.known_future: 5, want less than 5, which is frames.current less known_past"},
		{nil, configs.Frames{Past: 8, Current: 1}, "frames.current: 1, want 2 or more with this guidance"},
		{configs.Options{"known_past": -1}, model, "sampler.guidance.options.known_past: -1, want 0 to 1024"},
		{configs.Options{"known_weight": 1.0}, model, "sampler.guidance.options.known_weight: unknown"},
	} {
		if err := Check(knownGuide("replacement", c.options), c.frames); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%v of %+v: error %v, want %s", c.options, c.frames, err, c.want)
		}
	}
}
