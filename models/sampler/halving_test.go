package sampler

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"mcvd/configs"
	"mcvd/models/backend/backendtest"
	"mcvd/models/diffusion"
)

// student samples in so many steps.
func student(steps int) configs.Sampler {
	return configs.Sampler{Name: "ddim", Spacing: "uniform", Steps: steps, Guidance: configs.Guidance{Name: "none"}}
}

// On Gaussian data a step of DDIM multiplies x by a number, and so do two. The clean frames that a
// student must predict follow from the product, and are what brings it to where two steps of the loop
// end.
func TestHalvedTakesTwoStepsOfDDIMInOne(t *testing.T) {
	const std = 0.25
	b := backendtest.Open(t)
	exec, err := NewExec(b, func(x, table *Node) *Node {
		at := func(i int) diffusion.LevelNodes {
			return diffusion.TableNodes(Slice(table, AxisRange(), AxisRange(i, i+1)))
		}
		return Halved(gaussian(std), x, at(0), at(1), at(2))
	})
	if err != nil {
		t.Fatal(err)
	}
	defer exec.Finalize()
	factor := func(from, to diffusion.Level) float64 { // x0 is (x - noise eps)/signal, but written without a division by 0
		power := from.Signal*from.Signal*std*std + from.Noise*from.Noise
		return (to.Signal*from.Signal*std*std + to.Noise*from.Noise) / power
	}
	p := process(t)
	for name, s := range schedulesOf(t) {
		for _, steps := range []int{1, 4, 100} {
			halving, err := Halving(s, student(steps))
			if err != nil {
				t.Fatal(err)
			}
			if len(halving) != steps || halving[0][0] != s.Level(1) || halving[steps-1][2] != diffusion.Clean {
				t.Fatalf("%s: %d steps from %v to %v", name, len(halving), halving[0][0], halving[steps-1][2])
			}
			for i, two := range halving {
				if i > 0 && two[0] != halving[i-1][2] {
					t.Errorf("%s: step %d of %d begins at %v, where the one before does not end", name, i, steps, two[0])
				}
				from, mid, to := two[0], two[1], two[2]
				table := tensors.FromFlatDataAndDimensions(p.Table(two[:]), 1, 3, diffusion.Columns)
				out, err := exec.Call(clip([]float32{1, -2, 0.5}), table)
				if err != nil {
					t.Fatal(err)
				}
				r, product := to.Noise/from.Noise, factor(from, mid)*factor(mid, to)
				for k, x := range []float64{1, -2, 0.5} {
					got := float64(tensors.MustCopyFlatData[float32](out[0])[k])
					end := to.Signal*got + r*(x-from.Signal*got)
					if want := product * x; !(math.Abs(end-want) <= 1e-6*max(1, math.Abs(x))) {
						t.Errorf("%s, step %d of %d: %g goes to %g, want %g", name, i, steps, x, end, want)
					}
					// Where the signal hardly grows, a small error of x'' is a large one of x0.
					if want := (product - r) / (to.Signal - r*from.Signal) * x; !(math.Abs(got-want) <= 2e-5*max(1, math.Abs(x))) {
						t.Errorf("%s, step %d of %d: x0 of %g is %g, want %g", name, i, steps, x, got, want)
					}
				}
			}
		}
	}
}

// The teacher's two steps are those of the sampling loop.
func TestHalvingIsOfTheTeachersPlan(t *testing.T) {
	const std = 0.25
	b, s := backendtest.Open(t), linear(t)
	halving, err := Halving(s, student(8))
	if err != nil {
		t.Fatal(err)
	}
	plan := planOf(t, s, DDIM{}, configs.Sampler{Steps: 16})
	x := []float32{1, -2, 0.5}
	whole := sample(t, b, DDIM{}, plan, gaussian(std), clip(slices.Clone(x)), noNoise)
	exec, err := NewExec(b, func(x, table *Node) *Node {
		at := func(i int) diffusion.LevelNodes {
			return diffusion.TableNodes(Slice(table, AxisRange(), AxisRange(i, i+1)))
		}
		x0 := Halved(gaussian(std), x, at(0), at(1), at(2))
		return diffusion.AddNoise(x0, diffusion.EpsFromX0(x, x0, at(0).Signal, at(0).Noise), at(2).Signal, at(2).Noise)
	})
	if err != nil {
		t.Fatal(err)
	}
	defer exec.Finalize()
	for _, two := range halving {
		out, err := exec.Call(clip(x), tensors.FromFlatDataAndDimensions(process(t).Table(two[:]), 1, 3, diffusion.Columns))
		if err != nil {
			t.Fatal(err)
		}
		x = tensors.MustCopyFlatData[float32](out[0])
	}
	for i := range x {
		if !(math.Abs(float64(x[i]-whole[i])) <= 1e-5) {
			t.Errorf("value %d: the student's 8 steps end at %g, the teacher's 16 at %g", i, x[i], whole[i])
		}
	}
}

func TestSamplersThatCannotBeHalvedAreRefused(t *testing.T) {
	for want, change := range map[string]func(*configs.Sampler){
		"sampler.name: heun, want ddim":                                       func(c *configs.Sampler) { c.Name = "heun" },
		"sampler.options.eta: 0.5, want 0":                                    func(c *configs.Sampler) { c.Options = configs.Options{"eta": 0.5} },
		"sampler.last_denoise: true, want false":                              func(c *configs.Sampler) { c.LastDenoise = true },
		"sampler.threshold: 0.9, want 0":                                      func(c *configs.Sampler) { c.Threshold = 0.9 },
		"sampler.frame_lag: 2, want 0":                                        func(c *configs.Sampler) { c.FrameLag = 2 },
		"sampler.guidance.name: cfg, want none":                               func(c *configs.Sampler) { c.Guidance.Name = "cfg" },
		"sampler.spacing: karras, want uniform":                               func(c *configs.Sampler) { c.Spacing = "karras" },
		"twice as many steps: sampler.steps: 1200, want 1 to diffusion.steps": func(c *configs.Sampler) { c.Steps = 600 },
	} {
		c := student(4)
		change(&c)
		if _, err := Halving(linear(t), c); err == nil || !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}
