package sampler

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"mcvd/configs"
	"mcvd/models/backend/backendtest"
	"mcvd/models/devices"
	"mcvd/models/diffusion"
)

func TestNoiseIsAskedForWhereAStepEndsNoisy(t *testing.T) {
	b, s := backendtest.Open(t), linear(t)
	for _, c := range []struct {
		sampler Sampler
		last    bool
		want    []int
	}{
		{DDIM{}, true, nil},
		{DDIM{Eta: 0.5}, false, []int{0, 1, 2}},
		{DDPM{}, false, []int{0, 1, 2}},
		{DDPM{}, true, []int{0, 1, 2}}, // neither the step to clean frames nor the last denoise
	} {
		var asked []int
		plan := planOf(t, s, c.sampler, configs.Sampler{Steps: 4, LastDenoise: c.last})
		sample(t, b, c.sampler, plan, gaussian(1), clip([]float32{1}), func(step int) *tensors.Tensor {
			asked = append(asked, step)
			return clip([]float32{1})
		})
		if fmt.Sprint(asked) != fmt.Sprint(c.want) {
			t.Errorf("%T%+v, last denoise %t: noise asked for in steps %v, want %v", c.sampler, c.sampler, c.last, asked, c.want)
		}
	}
}

// ahead is DDPM that begins no step before the noise of the next one was asked for.
type ahead struct {
	DDPM
	t     *testing.T
	asked chan int
}

func (a ahead) Coefs(plan []Step, i int) Coefs {
	for next := -1; len(plan) > 1 && plan[i+1].To.Noise > 0 && next <= i; {
		select {
		case next = <-a.asked:
		case <-time.After(10 * time.Second):
			a.t.Errorf("step %d begins before noise of step %d is asked for", i, i+1)
			next = i + 1
		}
	}
	return a.DDPM.Coefs(plan, i)
}

// A run that ends early waits for the noise that is being drawn, and all noise is freed.
func TestNoiseIsDrawnWhileTheStepBeforeRuns(t *testing.T) {
	b, s := backendtest.Open(t), linear(t)
	asked := make(chan int, 4)
	loop, steps := loopOf(t, b, ahead{t: t, asked: asked}, gaussian(1)), planOf(t, s, DDPM{}, configs.Sampler{Steps: 4})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var drawn []*tensors.Tensor
	done := 0
	_, err := loop.Run(ctx, clip([]float32{1}), nil, steps, func(step int) *tensors.Tensor {
		asked <- step
		if step == 2 {
			select {
			case <-ctx.Done():
			case <-time.After(10 * time.Second):
				t.Error("the run was not canceled")
			}
		}
		drawn = append(drawn, clip([]float32{1}))
		return drawn[step]
	}, func() {
		if done++; done == 2 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) || done != 2 || len(drawn) != 3 {
		t.Errorf("error %v after %d steps and %d draws, want it canceled after 2 and 3", err, done, len(drawn))
	}
	for step, noise := range drawn {
		if noise.Ok() {
			t.Errorf("noise of step %d is still there", step)
		}
	}
}

func TestNoiseThatEndsItsGoroutineIsAnError(t *testing.T) {
	b, s := backendtest.Open(t), linear(t)
	loop, steps := loopOf(t, b, DDPM{}, gaussian(1)), planOf(t, s, DDPM{}, configs.Sampler{Steps: 4})
	_, err := loop.Run(context.Background(), clip([]float32{1}), nil, steps, func(int) *tensors.Tensor {
		runtime.Goexit() // as t.Fatal does
		return nil
	}, nil)
	if want := "sampler step 1 of 4 (label 0): noise: "; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("error %v, want %q", err, want)
	}
}

func TestCancelledContextEndsARunEarly(t *testing.T) {
	b, s := backendtest.Open(t), linear(t)
	loop, steps := loopOf(t, b, DDIM{}, gaussian(1)), planOf(t, s, DDPM{}, configs.Sampler{Steps: 10})
	tired := errors.New("tired")
	ctx, cancel := context.WithCancelCause(context.Background())
	done := 0
	out, err := loop.Run(ctx, clip([]float32{1}), nil, steps, nil, func() {
		if done++; done == 3 {
			cancel(tired)
		}
	})
	if out != nil || !errors.Is(err, tired) || done != 3 {
		t.Errorf("result %v, error %v after %d steps, want the cause after 3", out, err, done)
	}
}

func TestStepsThatFailNameTheStep(t *testing.T) {
	b, s := backendtest.Open(t), linear(t)
	for name, d := range map[string]Denoiser{
		"a result without axes":   saying(func(x *Node, _ diffusion.LevelNodes) *Node { return Reshape(x, -1) }),
		"a result of more values": saying(func(x *Node, _ diffusion.LevelNodes) *Node { return Concatenate([]*Node{x, x, x}, 2) }),
	} {
		_, err := loopOf(t, b, DDIM{}, d).Run(context.Background(), clip([]float32{1, 2}), nil, planOf(t, s, DDIM{}, configs.Sampler{Steps: 4}), nil, nil)
		if want := "sampler step 1 of 4 (label 0): "; err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: error %v, want %q and what is wrong", name, err, want)
		}
	}
}

// Conditioning tensors reach the denoiser in order, in every step.
func TestConditionsAreBound(t *testing.T) {
	b, s := backendtest.Open(t), linear(t)
	for _, sampler := range []Sampler{DDIM{}, DDPM{}, DPMSolver2M{}, Heun{}} {
		plan := planOf(t, s, sampler, configs.Sampler{Steps: 1, LastDenoise: true})
		loop, err := NewLoop(on(t, b), model.NewStore(), sampler, process(t), 0, func(_ *model.Scope, cond, _ []*Node) Denoiser {
			return saying(func(x *Node, _ diffusion.LevelNodes) *Node { return Add(cond[0], MulScalar(cond[1], 10)) })
		})
		if err != nil {
			t.Fatal(err)
		}
		out, err := loop.Run(context.Background(), clip([]float32{5}), put(t, b, clip([]float32{1}), clip([]float32{2})), plan[1:], noNoise, nil)
		if err != nil {
			t.Fatal(err)
		}
		got := float64(tensors.MustCopyFlatData[float32](out)[0])
		if want := 5 - plan[1].From.Noise*21; !(math.Abs(got-want) <= 1e-5) {
			t.Errorf("%T: %g, want %g", sampler, got, want)
		}
		loop.Close()
	}
}

// on is one device.
func on(t testing.TB, b compute.Backend) *devices.Devices {
	t.Helper()
	d, err := devices.Open(b, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// put puts tensors on one device.
func put(t testing.TB, b compute.Backend, ts ...*tensors.Tensor) (values []devices.Value) {
	t.Helper()
	for _, x := range ts {
		v, err := on(t, b).Put(x, devices.Parts)
		if err != nil {
			t.Fatal(err)
		}
		values = append(values, v)
	}
	return values
}

// What a denoiser remembers goes from one evaluation to the next, within steps and between them. This
// one counts them.
func TestMemoryOfADenoiser(t *testing.T) {
	b, s := backendtest.Open(t), linear(t)
	for name, sampler := range map[string]Sampler{"single": DDIM{}, "two evaluations a step": Heun{}, "with history and noise": DPMSolver2MSDE{Eta: 1}} {
		plan := planOf(t, s, sampler, configs.Sampler{Steps: 5})
		loop, err := NewLoop(on(t, b), model.NewStore(), sampler, process(t), 1, func(_ *model.Scope, _, memory []*Node) Denoiser {
			return func(x *Node, at diffusion.LevelNodes) diffusion.Prediction {
				memory[0] = OnePlus(memory[0])
				return diffusion.Prediction{X0: memory[0], Eps: ZerosLike(x)}
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		defer loop.Close()
		last := plan[len(plan)-1]
		out, err := loop.Run(context.Background(), clip([]float32{1, 2}), nil, plan, func(int) *tensors.Tensor { return clip([]float32{0, 0}) }, nil)
		if err != nil {
			t.Fatal(err)
		}
		// The last step ends at x0, which is the count.
		if got := tensors.MustCopyFlatData[float32](out); last.To.Noise != 0 || got[0] != float32(NFE(plan)) || got[1] != got[0] {
			t.Errorf("%s: %v after %d evaluations", name, got, NFE(plan))
		}
	}
}
