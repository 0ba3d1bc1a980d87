package network

import (
	"math"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"mcvd/configs"
	"mcvd/models/backend/backendtest"
	"mcvd/models/nn"
)

// The network is its formula, here computed by hand: dense layers of all that it is given, with an
// embedding of the level in each.
func TestTheMLPIsItsFormula(t *testing.T) {
	b := backendtest.Open(t)
	store := model.NewStore()
	defer store.Finalize()
	c := configs.Default()
	c.Model.Network, c.Model.Options = "mlp", configs.Options{"width": 4, "layers": 2}
	net, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	build := func(scope *model.Scope, in []*Node) *Node {
		return net.Graph(nn.NewBuilder(b), scope, Input{X: in[0], Label: in[1], Past: in[2], Visible: in[3]})
	}
	inputs := []any{
		tensors.FromFlatDataAndDimensions([]float32{0.3, -0.5}, 1, 2, 1, 1, 1), tensors.FromValue([]float32{3}),
		tensors.FromFlatDataAndDimensions([]float32{0.7}, 1, 1, 1, 1, 1), tensors.FromValue([][]float32{{1}}),
	}
	declared := NewGraph(b, "declare")
	store.SetTraining(declared, true)
	var nodes []*Node
	for i, x := range inputs {
		nodes = append(nodes, Parameter(declared, string(rune('a'+i)), x.(*tensors.Tensor).Shape()))
	}
	build(store.RootScope(), nodes)
	declared.Finalize()
	values := map[string][]float32{}
	for v := range store.RootScope().IterVariables() {
		w := make([]float32, v.Shape().Size())
		for i := range w {
			w[i] = float32(math.Sin(float64(len(v.Path())*7 + 3*i)))
		}
		values[v.Path()] = w
		if err := v.SetValue(tensors.FromFlatDataAndDimensions(w, v.Shape().Dimensions...)); err != nil {
			t.Fatal(err)
		}
	}
	exec, err := model.NewExec(b, store, build)
	if err != nil {
		t.Fatal(err)
	}
	defer exec.Finalize()
	out, err := exec.Call(inputs...)
	if err != nil {
		t.Fatal(err)
	}

	dense := func(path string, x []float64) []float64 {
		w, bias := values[path+"/w"], values[path+"/b"]
		y := make([]float64, len(bias))
		for j := range y {
			y[j] = float64(bias[j])
			for i := range x {
				y[j] += x[i] * float64(w[i*len(y)+j])
			}
		}
		return y
	}
	level := []float64{math.Sin(3), math.Sin(3e-4), math.Cos(3), math.Cos(3e-4)}
	h := []float64{0.3, -0.5, 0.7, 1}
	for _, layer := range []string{"/hidden0", "/hidden1"} {
		time := dense(layer+"/time", level)
		h = dense(layer, h)
		for i := range h {
			h[i] += time[i]
			h[i] /= 1 + math.Exp(-h[i])
		}
	}
	want := dense("/out", h)
	got := tensors.MustCopyFlatData[float32](out[0])
	for i := range want {
		if !(math.Abs(float64(got[i])-want[i]) <= 1e-5) {
			t.Errorf("output %d is %g, want %g", i, got[i], want[i])
		}
	}
}
