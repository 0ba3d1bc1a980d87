package nn

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"runtime"
	"sync/atomic"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Init says how a parameter starts.
type Init struct {
	Bound  float64 // uniform in [-Bound, Bound]; 0 for zeros
	Normal bool    // standard normal, Bound is not used
	One    bool    // all ones
}

// FanAvg is uniform with variance scale / ((fanIn + fanOut) / 2), as DDPM and its descendants start
// their layers. A scale of 0 stands for 1e-10: almost zero, but not a dead layer.
func FanAvg(scale float64, fanIn, fanOut int) Init {
	return Init{Bound: math.Sqrt(3 * max(scale, 1e-10) / (float64(fanIn+fanOut) / 2))}
}

// initKey is where [Param] leaves a parameter's Init for [Initialize], beside the parameter itself.
const initKey = "init "

// Param returns the named float32 parameter of the scope in the graph, and declares it if it is
// new. Its first value comes from [Initialize] or from a file, never from a graph, so every backend
// starts from the same weights.
func Param(g *Graph, scope *model.Scope, name string, init Init, dims ...int) *Node {
	scope.SetParam(initKey+name, init)
	return scope.WithInitializer(func(*Graph, shapes.Shape) *Node {
		exceptions.Panicf("parameter %s/%s has no value: initialize or load the model first", scope.Scope(), name)
		return nil
	}).VariableWithShape(name, F32(dims...)).NodeValue(g)
}

// like converts a parameter to the type of the image x that it is used with.
func like(x, parameter *Node) *Node { return ConvertDType(parameter, x.DType()) }

// F32 is the shape of a float32 tensor.
func F32(dims ...int) shapes.Shape { return shapes.Make(dtypes.Float32, dims...) }

// Initialize gives first values to every parameter under the scope that has none: see [First]. They are
// drawn side by side, on all cores.
func Initialize(scope *model.Scope, seed uint64) error {
	type first struct {
		v      *model.Variable
		values []float32
	}
	var draws []func() first
	for v := range scope.IterVariables() {
		if v.HasValue() {
			continue
		}
		draw, err := drawOf(scope, v, seed)
		if err != nil {
			return err
		}
		draws = append(draws, func() first { return first{v, draw()} })
	}
	drawn := make(chan first)
	var next atomic.Int64
	for range runtime.GOMAXPROCS(0) {
		go func() {
			for i := next.Add(1) - 1; i < int64(len(draws)); i = next.Add(1) - 1 {
				drawn <- draws[i]()
			}
		}()
	}
	var failed error
	for range draws { // one at a time, because a store is not for several writers
		f := <-drawn
		if err := f.v.SetValue(tensors.FromFlatDataAndDimensions(f.values, f.v.Shape().Dimensions...)); err != nil && failed == nil {
			failed = fmt.Errorf("parameter %s: %w", f.v.Path(), err)
		}
	}
	return failed
}

// First returns the first values of a parameter under the scope, a function of the seed and of the
// parameter's name within the scope. The parameter must have been declared by [Param].
func First(scope *model.Scope, v *model.Variable, seed uint64) ([]float32, error) {
	draw, err := drawOf(scope, v, seed)
	if err != nil {
		return nil, err
	}
	return draw(), nil
}

func drawOf(scope *model.Scope, v *model.Variable, seed uint64) (draw func() []float32, err error) {
	path, name := model.SplitPath(v.Path())
	init, ok := scope.Store().Scope(path).GetParam(initKey + name)
	if !ok {
		return nil, fmt.Errorf("parameter %s: not declared by nn.Param", v.Path())
	}
	return func() []float32 { return init.(Init).draw(seed, v.Path()[len(scope.Scope()):], v.Shape().Size()) }, nil
}

// draw returns n first values.
func (i Init) draw(seed uint64, name string, n int) []float32 {
	h := fnv.New64a()
	h.Write([]byte(name))
	rng := rand.New(rand.NewPCG(seed, h.Sum64()))
	values := make([]float32, n)
	switch {
	case i.One:
		for k := range values {
			values[k] = 1
		}
	case i.Normal:
		for k := range values {
			values[k] = float32(rng.NormFloat64())
		}
	case i.Bound > 0:
		for k := range values {
			values[k] = float32(i.Bound * (2*rng.Float64() - 1))
		}
	}
	return values
}
