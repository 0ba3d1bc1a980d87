package sampler

import (
	"fmt"
	"math"
	"slices"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"mcvd/configs"
	"mcvd/models/backend/backendtest"
	"mcvd/models/diffusion"
	"mcvd/models/weights"
)

func openFile(t *testing.T, path string) *weights.File {
	t.Helper()
	f, err := weights.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func floats(t *testing.T, f *weights.File, name string) []float32 {
	t.Helper()
	v, err := f.Float32s(name)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// published is a schedule as the published code has it. Its cosine schedule is known by its recorded values only: the first
// is what float32 makes of 4e-33, and where x0 is not clipped results are as large as its reciprocal root.
func published(t *testing.T, name string) *diffusion.Schedule {
	if name == "linear" {
		return linear(t)
	}
	byLabel, err := openFile(t, "../diffusion/testdata/schedule_cosine.safetensors").Float64s("alphas_bar")
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(byLabel)
	return &diffusion.Schedule{AlphaBar: byLabel}
}

// Samples agree with the published code's to 1e-4 (1 + |value|), with the noise that it drew (testdata/README.md).
func TestParity(t *testing.T) {
	const frames, side = 2, 4
	b := backendtest.Open(t)
	for _, name := range []string{"linear", "cosine"} {
		for _, steps := range []int{10, 100} {
			for _, clips := range []bool{false, true} {
				for _, last := range []bool{false, true} {
					file := fmt.Sprintf("%s_s%d_clip%d_den%d_tmin0", name, steps, number(clips), number(last))
					t.Run(file, func(t *testing.T) {
						s := published(t, name)
						f := openFile(t, "testdata/"+file+".safetensors")
						x, noise := floats(t, f, "x_init"), floats(t, f, "ddpm_noise")
						like := func(v []float32) *tensors.Tensor {
							return tensors.FromFlatDataAndDimensions(v, 2, frames, side, side, 1)
						}
						plan := planOf(t, s, configs.Sampler{Steps: steps, Clip: clips, LastDenoise: last})
						if last {
							// The published code tells the network the number of the last step, not its label.
							plan[steps].T = s.Label(steps - 1)
						}
						eps := func(x, t *Node) *Node {
							label := AddScalar(Neg(ConvertDType(t, x.DType())), float64(s.Label(0)))
							return Tanh(Add(MulScalar(x, 0.7), MulScalar(Sin(DivScalar(label, 100)), 0.2)))
						}
						draws := 0
						draw := func(int) *tensors.Tensor {
							draws++
							return like(noise[(draws-1)*len(x) : draws*len(x)])
						}
						for want, sampler := range map[string]Sampler{"ddpm": DDPM{}, "ddim": DDIM{}} {
							got := sample(t, b, sampler, plan, eps, like(x), draw)
							worst := 0.0
							for i, w := range floats(t, f, want) {
								if d := math.Abs(float64(got[i]-w)) / (1e-4 * (1 + math.Abs(float64(w)))); !(d <= worst) {
									worst = d
								}
							}
							if !(worst <= 1) {
								t.Errorf("%s: %.2g of the tolerance", want, worst)
							}
							t.Logf("%s: worst deviation %.1g (1 + |value|)", want, worst*1e-4)
						}
						if draws*len(x) != len(noise) {
							t.Errorf("%d tensors of noise used, %d were recorded", draws, len(noise)/len(x))
						}
					})
				}
			}
		}
	}
}

func number(b bool) int {
	if b {
		return 1
	}
	return 0
}
