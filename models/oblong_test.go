package models

import (
	"math"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"mcvd/configs"
	"mcvd/models/backend/backendtest"
	"mcvd/models/diffusion"
	"mcvd/models/nn"
)

// A network whose kernels are turned over their diagonal makes of frames that are turned so what the
// network makes of the frames, turned. So no layer takes height and width for each other.
func TestFramesThatAreNotSquare(t *testing.T) {
	const height, width = 8, 16
	for _, conditioning := range []string{"concat", "spatin"} {
		b, c := backendtest.Open(t), conditioned(conditioning)
		c.Data.Size, c.Data.Width = height, width
		upright := modelOf(t, c)
		c.Data.Size, c.Data.Width = width, height
		lying := modelOf(t, c)
		store := lively(t, b, upright)
		clip := clips(upright, 2, upright.Frames.Total())
		got := predicted(t, b, upright, store, tensors.FromFlatDataAndDimensions(clip, upright.ClipShape(2, upright.Frames.Total()).Dimensions...))
		for v := range store.IterVariables() {
			if d := v.Shape().Dimensions; len(d) == 4 {
				turned := turn(tensors.MustCopyFlatData[float32](v.MustValue()), 1, d[0], d[1], d[2]*d[3])
				if err := v.SetValue(tensors.FromFlatDataAndDimensions(turned, d...)); err != nil {
					t.Fatal(err)
				}
			}
		}
		frames := 2 * upright.Frames.Total()
		want := predicted(t, b, lying, store, tensors.FromFlatDataAndDimensions(turn(clip, frames, height, width, 1), lying.ClipShape(2, lying.Frames.Total()).Dimensions...))
		want = turn(want, 2*upright.Frames.Current, width, height, 1)
		if len(got) != 2*upright.Frames.Current*height*width || len(got) != len(want) {
			t.Fatalf("%s: %d and %d values", conditioning, len(got), len(want))
		}
		finite(t, conditioning, got)
		for i := range got {
			if d := math.Abs(float64(got[i] - want[i])); !(d <= 2e-5*(1+math.Abs(float64(want[i])))) {
				t.Fatalf("%s: value %d is %g, turned %g", conditioning, i, got[i], want[i])
			}
		}
	}
}

// turn turns pictures [n, height, width, channels] over their diagonal.
func turn(x []float32, n, height, width, channels int) []float32 {
	out := make([]float32, len(x))
	for i := range n {
		for row := range height {
			for column := range width {
				from, to := ((i*height+row)*width+column)*channels, ((i*width+column)*height+row)*channels
				copy(out[to:to+channels], x[from:from+channels])
			}
		}
	}
	return out
}

// predicted is what a model predicts of the noise in the current frames of clips.
func predicted(t *testing.T, b compute.Backend, m *Model, store *model.Store, clip *tensors.Tensor) []float32 {
	t.Helper()
	e, err := model.NewExec(b, store, func(scope *model.Scope, in []*Node) []*Node {
		past, x, future := m.Cut(in[0])
		cond := Cond[*Node]{Past: past, Future: future, Visible: in[2]}
		return []*Node{m.Denoiser(nn.NewBuilder(b), scope.At(WeightsScope), cond)(x, diffusion.TableNodes(in[1])).Eps}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Finalize()
	levels := []diffusion.Level{m.Schedule.Level(0.2), m.Schedule.Level(0.7)}
	visible := []float32{1, 1, 1, 1, 0, 1}
	out, err := e.Call(clip, tensors.FromFlatDataAndDimensions(m.Table(levels), 2, 1, diffusion.Columns), tensors.FromFlatDataAndDimensions(visible, 2, 3))
	if err != nil {
		t.Fatal(err)
	}
	return tensors.MustCopyFlatData[float32](out[0])
}

// The network halves both sides.
func TestSidesThatCannotBeHalvedAreRefused(t *testing.T) {
	c := toy()
	c.Model.Options["multipliers"] = []int{1, 2, 3}
	for _, sides := range []configs.Sides{{8, 18}, {18, 8}, {6, 16}} {
		c.Data.Size, c.Data.Width = sides[0], sides[1]
		if _, err := New(c); err == nil || !strings.Contains(err.Error(), "data.size: "+sides.String()+", want a multiple of 4") {
			t.Errorf("frames of %v: error %v", sides, err)
		}
	}
}
