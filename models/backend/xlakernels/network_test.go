//go:build cgo && linux && amd64 && !noxla

package xlakernels_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"mcvd/configs/experiment"
	"mcvd/models"
	"mcvd/models/backend/backendtest"
	"mcvd/models/backend/xlakernels"
	"mcvd/models/diffusion"
	"mcvd/models/nn"
)

// Whole networks of width 32 and 64, with random weights none of which is zero, predict what they
// predict on the Go backend, and have the same gradients, by its convolutions and norms.
func TestNetworks(t *testing.T) {
	kernels, _ := both(t)
	for _, c := range []struct {
		width, size   int
		checkpointing bool
	}{{32, 32, false}, {64, 16, true}} {
		name := fmt.Sprintf("width %d, checkpointing %v", c.width, c.checkpointing)
		set := []string{fmt.Sprintf("model.options.width=%d", c.width), fmt.Sprintf("data.size=%d", c.size), "model.options.attention=[]"}
		before := xlakernels.Totals()
		got := network(t, kernels, set, c.checkpointing)
		_, by := since(before)
		for _, kernel := range []string{"conv", "conv_transposed", "conv_weights", "sums", "sums_silu", "affine_silu"} {
			if by[kernel] < 5 {
				t.Errorf("%s: kernels serve %v, want several of %s", name, by, kernel)
			}
		}
		want := network(t, backendtest.OpenGo(t), set, c.checkpointing)
		if len(got) != len(want) || len(want) < 50 {
			t.Fatalf("%s: %d results, want %d", name, len(got), len(want))
		}
		for of, values := range want {
			if of == "eps" {
				for i, v := range values {
					if d := math.Abs(float64(got[of][i] - v)); !(d <= 2e-5*(1+math.Abs(float64(v)))) {
						t.Errorf("%s: eps %d is %g, want %g", name, i, got[of][i], v)
						break
					}
				}
				continue
			}
			if d, norm := distance(got[of], values); !(d <= 1e-4*norm) || norm == 0 {
				t.Errorf("%s: gradient of %s: off by %g of its norm, %g", name, of, d/norm, norm)
			}
		}
	}
}

// distance is the Euclidean distance, and the norm of what it should be.
func distance(got, want []float32) (d, norm float64) {
	for i, v := range want {
		d, norm = d+math.Pow(float64(got[i]-v), 2), norm+math.Pow(float64(v), 2)
	}
	return math.Sqrt(d), math.Sqrt(norm)
}

// network is the prediction of the noise of a batch of three, and the gradients of the loss by path.
func network(t *testing.T, b compute.Backend, set []string, checkpointing bool) map[string][]float32 {
	t.Helper()
	const batch = 3
	c, err := experiment.Load("../../../configs/bench/concat32.yml", set...)
	if err != nil {
		t.Fatal(err)
	}
	m, err := models.New(c)
	if err != nil {
		t.Fatal(err)
	}
	store := model.NewStore()
	weights := store.Scope("/" + models.WeightsScope)
	if _, err := m.Declare(b, weights, batch); err != nil {
		t.Fatal(err)
	}
	paths := fill(t, weights)
	exec, err := model.NewExec(b, store, func(scope *model.Scope, in []*Node) []*Node {
		g := in[0].Graph()
		store.SetTraining(g, true)
		builder, at := nn.NewBuilder(b), scope.At(models.WeightsScope)
		builder.Checkpointing = checkpointing
		draws := models.Draws{Level: diffusion.TableNodes(in[2]), Noise: in[1], Visible: Ones(g, nn.F32(batch, c.Frames.Past+c.Frames.Future))}
		past, _, future := m.Cut(in[0])
		cond := models.Cond[*Node]{Past: past, Future: future, Visible: draws.Visible}
		eps := m.Denoiser(nn.NewBuilder(b), at, cond)(in[1], draws.Level).Eps
		loss := ReduceAllSum(m.LossGraph(builder, at, in[0], draws))
		return append([]*Node{eps}, at.BuildTrainableVariablesGradientsGraph(loss)...)
	})
	if err != nil {
		t.Fatal(err)
	}
	defer exec.Finalize()
	rng := rand.New(rand.NewPCG(3, 4))
	normal := func(dims ...int) *tensors.Tensor {
		f := make([]float32, tensors.FromShape(nn.F32(dims...)).Size())
		for i := range f {
			f[i] = float32(rng.NormFloat64())
		}
		return tensors.FromFlatDataAndDimensions(f, dims...)
	}
	level := m.Schedule.Level(0.4)
	table := m.Table([]diffusion.Level{level, m.Schedule.Level(0.7), level})
	out, err := exec.Call(normal(m.ClipShape(batch, c.Frames.Total()).Dimensions...), normal(m.ClipShape(batch, c.Frames.Current).Dimensions...),
		tensors.FromFlatDataAndDimensions(table, batch, 1, diffusion.Columns))
	if err != nil {
		t.Fatal(err)
	}
	results := map[string][]float32{"eps": tensors.MustCopyFlatData[float32](out[0])}
	for i, path := range paths {
		// The gradient of the bias of keys is zero but for rounding, because softmax doesn't see it.
		if !strings.HasSuffix(path, "attention/k/b") {
			results[path] = tensors.MustCopyFlatData[float32](out[1+i])
		}
	}
	return results
}

// fill gives every weight a value, the same on each backend, and lists their paths in the order of
// their gradients. Vectors are around a half, as neither zeros nor ones would show a mistake.
func fill(t *testing.T, weights *model.Scope) (paths []string) {
	t.Helper()
	values := map[string]*model.Variable{}
	for v := range weights.IterVariables() {
		values[v.Path()] = v
		paths = append(paths, v.Path())
	}
	rng := rand.New(rand.NewPCG(5, 6))
	for _, path := range slices.Sorted(slices.Values(paths)) {
		d := values[path].Shape().Dimensions
		fan := 4
		for _, n := range d[:len(d)-1] {
			fan *= n
		}
		f := make([]float32, values[path].Shape().Size())
		for i := range f {
			f[i] = float32(2 * rng.NormFloat64() / math.Sqrt(float64(fan)))
			if len(d) == 1 {
				f[i] = float32(0.5 + 0.2*rng.NormFloat64())
			}
		}
		if err := values[path].SetValue(tensors.FromFlatDataAndDimensions(f, d...)); err != nil {
			t.Fatal(err)
		}
	}
	return paths
}
