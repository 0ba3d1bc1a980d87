package train

import (
	"fmt"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/support/exceptions"

	"mcvd/configs"
	"mcvd/models"
	"mcvd/models/diffusion"
	"mcvd/models/nn"
	"mcvd/train/optimizer"
)

// Need is the memory that training takes, in bytes.
type Need struct {
	State       int64 // weights, their average, Adam's means, a teacher's weights and the gradients
	Activations int64 // the most of everything else that is alive at the same time in a step, if nothing is fused or computed again
}

// Memory estimates from the graph of a step what it needs, without running it.
func Memory(backend compute.Backend, m *models.Model, c *configs.Config) (Need, error) {
	var need Need
	if err := CheckBackend(backend, c, nil); err != nil {
		return need, err
	}
	u, err := optimizer.New(c)
	if err != nil {
		return need, err
	}
	precision, err := nn.Precision(backend, c.Train.Precision)
	if err != nil {
		return need, err
	}
	steps, err := objectiveOf(m, c)
	if err != nil {
		return need, err
	}
	ofClip, _ := steps.EvenLevels(0, 1, 1)
	levels := labelled(steps, tensors.FromShape(nn.F32(c.Train.Batch, len(ofClip), diffusion.Columns)), make([][]string, c.Train.Batch))
	err = exceptions.TryCatch[error](func() {
		g := NewGraph(backend, "memory")
		defer g.Finalize()
		store := model.NewStore()
		clip := Parameter(g, "clip", shapes.Make(dtypes.Uint8, m.ClipShape(c.Train.Batch, m.Frames.Total()).Dimensions...))
		inputs := []*Node{clip, Parameter(g, "random", RNGStateShape), Parameter(g, "levels", levels.Shape())}
		if c.Frames.Times.Drawn() {
			inputs = append(inputs, Parameter(g, "times", nn.F32(c.Train.Batch, m.Frames.Total())))
		}
		outputs := gradientsGraph(steps, precision, c, all(c), store.RootScope(), inputs)
		weights := store.Scope("/" + models.WeightsScope).ByteSize()
		need.State = weights * int64(len(scopesOf(u, c))+1)
		need.Activations = max(0, peak(g, outputs)-2*weights) // weights and gradients are counted already
	})
	if err != nil {
		return need, fmt.Errorf("building the training step: %w", err)
	}
	return need, nil
}

// peak is the most bytes of the graph's values that are alive at the same time, if each lives from
// where it is computed to its last use.
func peak(g *Graph, outputs []*Node) int64 {
	nodes := g.Nodes()
	lastUse := make(map[*Node]int, len(nodes)) // of the nodes that outputs depend on
	for _, o := range outputs {
		lastUse[o] = len(nodes)
	}
	for i, n := range slices.Backward(nodes) {
		if _, needed := lastUse[n]; !needed {
			continue
		}
		for _, in := range n.Inputs() {
			if _, later := lastUse[in]; !later {
				lastUse[in] = i
			}
		}
	}
	freed := make([]int64, len(nodes)+1)
	var alive, most int64
	for i, n := range nodes {
		if last, needed := lastUse[n]; needed && n.NumOutputs() == 1 {
			size := int64(n.Shape().ByteSize())
			alive += size
			freed[last] += size
		}
		most = max(most, alive)
		alive -= freed[i]
	}
	return most
}
