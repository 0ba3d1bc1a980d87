package models

import (
	"fmt"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/support/exceptions"

	"mcvd/models/diffusion"
	"mcvd/models/mask"
	"mcvd/models/network"
	"mcvd/models/nn"
)

// Size of a model: what `--dry-run` shows.
type Size struct {
	Parameters int
	FLOPs      float64 // of a forward pass of the batch, 2 for each multiply-add
	Cached     int     // values that [Model.Cache] makes for the batch
	Told       bool    // the network is self-conditioned: training makes two forward passes
}

// TrainingFLOPs are those of an update of the weights from that many batches. A backward pass
// counts as two forward passes. A student is taught by two forward passes of its teacher.
func (s Size) TrainingFLOPs(batches int, taught bool) float64 {
	passes := 3.0
	if taught {
		passes += 2
	}
	if s.Told {
		passes++
	}
	return passes * s.FLOPs * float64(batches)
}

// Declare builds the network once for a batch of that size, without running it. Then its parameters
// exist in the scope, and its size is known.
func (m *Model) Declare(backend compute.Backend, scope *model.Scope, batch int) (Size, error) {
	b, cache := nn.NewBuilder(backend), network.NewCache()
	if err := m.declare(backend, b, scope, batch, cache); err != nil {
		return Size{}, err
	}
	size := Size{Parameters: scope.NumParameters(), FLOPs: b.FLOPs, Told: m.SelfConditioned()}
	for _, x := range cache.Values() {
		size.Cached += x.Shape().Size()
	}
	return size, nil
}

// CacheKeys names what [Model.Cache] computes for a batch of that size, with the weights under
// scope. There are none for a network that computes nothing from the conditioning frames alone.
func (m *Model) CacheKeys(backend compute.Backend, scope *model.Scope, batch int) ([]string, error) {
	if !m.Network.Caches() {
		return nil, nil
	}
	cache := network.NewCache()
	err := m.declare(backend, nn.NewBuilder(backend), scope, batch, cache)
	return cache.Keys(), err
}

// declare builds the network, which fills the cache.
func (m *Model) declare(backend compute.Backend, b *nn.Builder, scope *model.Scope, batch int, cache *network.Cache) error {
	err := exceptions.TryCatch[error](func() {
		g := NewGraph(backend, "declare")
		defer g.Finalize()
		scope.Store().SetTraining(g, true) // parameters have no values yet: they must not become constants
		past, current, future := m.Cut(Parameter(g, "clip", m.ClipShape(batch, m.Frames.Total())))
		visible := Parameter(g, "visible", nn.F32(batch))
		cond := Cond[*Node]{Past: past, Future: future, Visible: mask.Blocks(visible, visible, m.Frames), cache: cache}
		m.predict(b, scope, current, diffusion.TableNodes(Parameter(g, "levels", nn.F32(batch, 1, diffusion.Columns))), cond, nil)
	})
	if err != nil {
		return fmt.Errorf("building the network: %w", err)
	}
	return nil
}

// Init makes the first weights, a function of the seed, and their average, which starts equal to
// them.
func (m *Model) Init(backend compute.Backend, seed uint64) (*model.Store, error) {
	store := model.NewStore()
	for _, name := range []string{WeightsScope, EMAScope} {
		scope := store.Scope("/" + name)
		if _, err := m.Declare(backend, scope, 1); err != nil {
			return nil, err
		}
		if err := nn.Initialize(scope, seed); err != nil {
			return nil, err
		}
	}
	return store, nil
}
