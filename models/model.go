// Package models binds a network, a noise schedule and a loss together: what training minimizes, and what samplers call.
package models

import (
	"errors"
	"fmt"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/support/exceptions"

	"mcvd/configs"
	"mcvd/models/diffusion"
	"mcvd/models/mask"
	"mcvd/models/network"
	"mcvd/models/nn"
	"mcvd/models/sampler"
)

// Scopes of a store and of a checkpoint.
const (
	WeightsScope    = "model"       // the weights that training changes
	EMAScope        = "ema"         // their moving average, which sampling uses
	AdamMeanScope   = "adam/mean"   // Adam's running mean of the gradients
	AdamSquareScope = "adam/square" // and of their squares
)

// Model is masked conditional video diffusion: one network that predicts the noise in the current frames, given past and
// future frames that may be hidden.
type Model struct {
	Network        network.Network
	Schedule       *diffusion.Schedule
	Loss           diffusion.Loss
	Frames         configs.Frames
	Size, Channels int
}

// New makes the model that the configuration describes; every name in it is checked, and all problems are reported.
func New(c *configs.Config) (*Model, error) {
	net, networkErr := network.New(c)
	schedule, scheduleErr := diffusion.NewSchedule(c.Diffusion)
	loss, lossErr := diffusion.NewLoss(c.Diffusion.Loss)
	if err := errors.Join(networkErr, scheduleErr, lossErr); err != nil {
		return nil, err
	}
	return &Model{net, schedule, loss, c.Frames, c.Data.Size, c.Data.Channels}, nil
}

// ClipShape is the shape of that many frames of a batch: [batch, frames, height, width, channels].
func (m *Model) ClipShape(batch, frames int) shapes.Shape {
	return nn.F32(batch, frames, m.Size, m.Size, m.Channels)
}

// Cond is what the network is given beside the noisy frames: the past and the future, nil where the experiment has none, and
// whether they are visible.
type Cond struct {
	Past, Future *Node // [batch, frames, height, width, channels]
	Visible      mask.Nodes
	// Maps are what [Model.Maps] made of the above; without them, the network makes them in each evaluation.
	Maps []*Node
}

// Draws are the random choices for a batch of training clips.
type Draws struct {
	T       *Node // timesteps, [batch] int32, uniform over the schedule
	Noise   *Node // standard normal, shaped like the current frames
	Visible mask.Nodes
}

// Draw makes the random choices for a batch, and returns the next random state.
func (m *Model) Draw(random *Node, batch int) (next *Node, d Draws) {
	next, d.Visible = mask.Draw(random, batch, m.Frames.Mask)
	next, d.T = RandomIntN(next, int32(m.Schedule.Steps()), shapes.Make(dtypes.Int32, batch))
	next, d.Noise = RandomNormal(next, m.ClipShape(batch, m.Frames.Current))
	return next, d
}

// Cut takes clips [batch, past+current+future, height, width, channels] apart.
func (m *Model) Cut(clip *Node) (past, current, future *Node) {
	f := m.Frames
	clip.AssertDims(-1, f.Total(), m.Size, m.Size, m.Channels)
	part := func(from, n int) *Node {
		if n == 0 {
			return nil
		}
		return Slice(clip, AxisRange(), AxisRange(from, from+n))
	}
	return part(0, f.Past), part(f.Past, f.Current), part(f.Past+f.Current, f.Future)
}

// LossGraph is the loss of each clip, [batch]: cut, hide, add noise, predict it, compare (MCVD, eq. 6). Parameters are under
// scope.
func (m *Model) LossGraph(b *nn.Builder, scope *model.Scope, clip *Node, d Draws) *Node {
	past, current, future := m.Cut(clip)
	signal, noise := m.levels(d.T)
	xt := diffusion.AddNoise(current, d.Noise, signal, noise)
	eps := m.predict(b, scope, xt, d.T, Cond{Past: past, Future: future, Visible: d.Visible}, nil)
	return m.Loss(eps, d.Noise)
}

// levels looks up signal and noise of timesteps t [batch], each [batch, 1, 1, 1, 1].
func (m *Model) levels(t *Node) (signal, noise *Node) {
	signals, noises := make([]float32, m.Schedule.Steps()), make([]float32, m.Schedule.Steps())
	for i := range signals {
		level := m.Schedule.Level(i)
		signals[i], noises[i] = float32(level.Signal), float32(level.Noise)
	}
	lookUp := func(table []float32) *Node {
		return Reshape(Gather(Const(t.Graph(), table), InsertAxes(t, -1)), -1, 1, 1, 1, 1)
	}
	return lookUp(signals), lookUp(noises)
}

// predict is the network's eps for xt at timesteps t [batch]; hidden frames are hidden here, for every use of the network. maps are
// to be recorded or used; nil for neither.
func (m *Model) predict(b *nn.Builder, scope *model.Scope, xt, t *Node, cond Cond, maps *network.Maps) *Node {
	inputs := []*Node{xt, AddScalar(Neg(ConvertDType(t, dtypes.Float32)), float64(m.Schedule.Label(0)))}
	inputs = append(inputs, cond.Visible.Past, cond.Visible.Future)
	if cond.Past != nil {
		inputs = append(inputs, mask.Hide(cond.Past, cond.Visible.Past))
	}
	if cond.Future != nil {
		inputs = append(inputs, mask.Hide(cond.Future, cond.Visible.Future))
	}
	return b.InParts(inputs, func(part []*Node) *Node {
		in := network.Input{X: part[0], Label: part[1], Visible: mask.Nodes{Past: part[2], Future: part[3]}, Maps: maps}
		rest := part[4:]
		if cond.Past != nil {
			in.Past, rest = rest[0], rest[1:]
		}
		if cond.Future != nil {
			in.Future = rest[0]
		}
		eps := m.Network.Graph(b, scope, in)
		eps.AssertDims(in.X.Shape().Dimensions...)
		return eps
	})
}

// Denoiser binds conditioning frames and the weights under scope. Its t is a scalar int32.
func (m *Model) Denoiser(b *nn.Builder, scope *model.Scope, cond Cond) sampler.Denoiser {
	return func(x, t *Node) *Node {
		var maps *network.Maps
		if len(cond.Maps) > 0 {
			maps = network.GivenMaps(cond.Maps)
		}
		t = BroadcastToDims(Reshape(t, 1), x.Shape().Dimensions[0])
		return m.predict(b, scope, x, t, cond, maps)
	}
}

// Maps builds what the network makes of the conditioning frames alone, with the weights under scope: what the steps of a window
// share. Only for networks that have such maps.
func (m *Model) Maps(b *nn.Builder, scope *model.Scope, cond Cond) []*Node {
	g, batch := cond.Visible.Past.Graph(), cond.Visible.Past.Shape().Dimensions[0]
	maps := &network.Maps{}
	// The network is built around the maps, but of a graph only that is computed which its results need.
	x := Zeros(g, m.ClipShape(batch, m.Frames.Current))
	m.predict(b, scope, x, Zeros(g, shapes.Make(dtypes.Int32, batch)), cond, maps)
	return maps.Nodes
}

// Size of a model: what `--dry-run` shows.
type Size struct {
	Parameters int
	FLOPs      float64 // of a forward pass of the batch, 2 for each multiply-add
	Maps       int     // values that [Model.Maps] makes for the batch
}

// TrainingFLOPs are those of an update of the weights by so many batches; a backward pass counts as two forward passes.
func (s Size) TrainingFLOPs(batches int) float64 { return 3 * s.FLOPs * float64(batches) }

// Declare builds the network once, without running it, so that its parameters exist in the scope, and measures it for a
// batch of that size.
func (m *Model) Declare(backend compute.Backend, scope *model.Scope, batch int) (Size, error) {
	b, maps := nn.NewBuilder(backend), &network.Maps{}
	if err := m.declare(backend, b, scope, batch, maps); err != nil {
		return Size{}, err
	}
	size := Size{Parameters: scope.NumParameters(), FLOPs: b.FLOPs}
	for _, x := range maps.Nodes {
		size.Maps += x.Shape().Size()
	}
	return size, nil
}

// declare builds the network; maps are to be recorded, if not nil.
func (m *Model) declare(backend compute.Backend, b *nn.Builder, scope *model.Scope, batch int, maps *network.Maps) error {
	err := exceptions.TryCatch[error](func() {
		g := NewGraph(backend, "declare")
		defer g.Finalize()
		scope.Store().SetTraining(g, true) // parameters have no values yet: they must not become constants
		past, current, future := m.Cut(Parameter(g, "clip", m.ClipShape(batch, m.Frames.Total())))
		_, draws := m.Draw(Parameter(g, "random", RNGStateShape), batch)
		m.predict(b, scope, current, draws.T, Cond{Past: past, Future: future, Visible: draws.Visible}, maps)
	})
	if err != nil {
		return fmt.Errorf("building the network: %w", err)
	}
	return nil
}

// Init makes the first weights, a function of the seed, and their average, which starts equal to them.
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

// CondInputs takes apart what a sampler's program gets beside the noisy frames: past and future, where the experiment has them,
// then visible [batch, 2], whether each clip's past and future are, then maps, if there are any.
func (m *Model) CondInputs(in []*Node) Cond {
	var c Cond
	if m.Frames.Past > 0 {
		c.Past, in = in[0], in[1:]
	}
	if m.Frames.Future > 0 {
		c.Future, in = in[0], in[1:]
	}
	column := func(i int) *Node { return Reshape(Slice(in[0], AxisRange(), AxisElem(i)), -1) }
	c.Visible = mask.Nodes{Past: column(0), Future: column(1)}
	c.Maps = in[1:]
	return c
}
