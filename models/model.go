// Package models binds a network and a diffusion process together: what training minimizes, and
// what samplers call.
package models

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"mcvd/configs"
	"mcvd/models/diffusion"
	"mcvd/models/guidance"
	"mcvd/models/mask"
	"mcvd/models/network"
	"mcvd/models/nn"
	"mcvd/models/sampler"
)

// Scopes of a store and of a checkpoint.
const (
	WeightsScope    = "model"       // the weights that training changes
	EMAScope        = "ema"         // their moving average, which sampling uses
	ClassifierScope = "classifier"  // the moving average of a classifier's weights; only in a store
	SecondScope     = "second"      // the moving average of a second model's weights; only in a store
	AdamMeanScope   = "adam/mean"   // Adam's running mean of the gradients
	AdamSquareScope = "adam/square" // and of their squares
	TeacherScope    = "teacher"     // the weights from which a [Distillation] learns
)

// Model is masked conditional video diffusion: one network that denoises the current frames, given
// past and future frames that may be hidden.
type Model struct {
	*diffusion.Process
	Network                 network.Network
	Frames                  configs.Frames
	Height, Width, Channels int
	// Second is a weaker model with the same frames, process and self-conditioning, which guidance
	// compares with this one: see [Model.LoadSecond]. It is nil if there is none.
	Second *Model
	// consistent says whether the network learns to predict where the probability-flow ODE ends, instead
	// of the mean of the clean frames that are possible.
	consistent bool
	// Classifier tells what noisy blocks of this model show: see [Model.LoadClassifier]. It is nil
	// if there is none.
	Classifier *Model
}

// New makes the model that the configuration describes. It checks every name in it and reports all
// problems.
func New(c *configs.Config) (*Model, error) {
	net, networkErr := network.New(c)
	process, processErr := diffusion.New(c.Diffusion)
	if err := errors.Join(networkErr, processErr); err != nil {
		return nil, err
	}
	m := &Model{Process: process, Network: net, Frames: c.Frames, Channels: c.Data.Channels,
		consistent: c.Train.Teacher != "" && c.Train.Distillation == consistency}
	m.Height, m.Width = c.Data.Frame()
	if process.LevelPerFrame() && !m.LevelPerFrame() {
		return nil, configs.Problem{Path: diffusion.FrameLevelsPath, Also: []string{"model.options.level_per_frame"},
			Text: fmt.Sprintf("%s, want equal, because the network is told one noise level for all frames (without model.options.level_per_frame)", c.Diffusion.FrameLevels)}
	}
	if c.Frames.Times.Drawn() && !m.ToldTimes() {
		return nil, configs.Problem{Path: "frames.times.kind", Also: []string{"model.options.frame_times"},
			Text: fmt.Sprintf("%s, want consecutive, because the network isn't told when frames were taken (without model.options.frame_times)", c.Frames.Times.Kind)}
	}
	const noise, told = "frames.mask.noised", "model.options.past_noise"
	var p configs.Problems
	p.Check(c.Frames.Mask.Noised == 0 || m.ToldPastNoise(), noise, c.Frames.Mask.Noised,
		"0, because the network isn't told how much noise the past has (without "+told+")", told)
	p.Check(!m.ToldPastNoise() || c.Frames.Mask.Noised > 0, told, true, "false, because training adds no noise to the past (frames.mask.noised is 0)", noise)
	if err := p.Err(); err != nil {
		return nil, err
	}
	return m, nil
}

// SelfConditioned says whether the network is told the clean frames that it predicted before.
func (m *Model) SelfConditioned() bool { return network.SelfConditioned(m.Network) }

// LevelPerFrame says whether the network is told a noise level for each frame.
func (m *Model) LevelPerFrame() bool { return network.LevelPerFrame(m.Network) }

// ToldTimes says whether the network is told the time of each frame.
func (m *Model) ToldTimes() bool { return network.ToldTimes(m.Network) }

// ToldPastNoise says whether the network is told how much noise the past frames have, and was trained
// with such noise.
func (m *Model) ToldPastNoise() bool { return network.ToldPastNoise(m.Network) }

// CheckSampler reports settings of a sampler that the model can't do.
func (m *Model) CheckSampler(c configs.Sampler) error {
	const path = "sampler.frame_lag"
	s, err := sampler.New(c)
	if err != nil {
		return err
	}
	var p configs.Problems
	p.Check(c.Name != sampler.ConsistencyName || m.consistent, "sampler.name", c.Name,
		"another, because the network does not predict where the probability-flow ODE ends; mcvd distill --kind consistency trains one that does")
	p.Check(m.LearnsVariance() || !sampler.NeedsVariance(s), "sampler.options.step_variance", sampler.Learned,
		"posterior or beta, because the network was not trained with diffusion.variance: learned", diffusion.VariancePath)
	if plan, err := guidance.New(c.Guidance, m.Frames); err == nil {
		if plan.Inputs() > 0 {
			p = append(p, sampler.ChecksKnown(s)...)
		}
		if !m.ToldPastNoise() {
			p = append(p, plan.ChecksClean()...)
		}
	}
	if c.FrameLag == 0 {
		return p.Err()
	}
	p.Check(m.LevelPerFrame(), path, c.FrameLag, "0, because the network is told one noise level for all frames", "model.options.level_per_frame")
	p.Check(c.Guidance.Off(), path, c.FrameLag, "0 with guidance, which knows one noise level for all frames", "sampler.guidance.name")
	if err := p.Err(); err != nil {
		return err
	}
	_, err = sampler.NewLag(s, m.Schedule, c)
	return err
}

// Tables are what there is to choose from in models, with the options.
func Tables() []configs.Table {
	return slices.Concat(network.Tables(), mask.Tables(), diffusion.Tables(), sampler.Tables(), guidance.Tables())
}

// ClipShape is the shape of that many frames of a batch: [batch, frames, height, width, channels].
func (m *Model) ClipShape(batch, frames int) shapes.Shape {
	return nn.F32(batch, frames, m.Height, m.Width, m.Channels)
}

// Cut takes clips [batch, past+current+future, height, width, channels] apart. A part without
// frames is nil.
func (m *Model) Cut(clip *Node) (past, current, future *Node) {
	f := m.Frames
	clip.AssertDims(-1, f.Total(), m.Height, m.Width, m.Channels)
	part := func(from, n int) *Node {
		if n == 0 {
			return nil
		}
		return Slice(clip, AxisRange(), AxisRange(from, from+n))
	}
	return part(0, f.Past), part(f.Past, f.Current), part(f.Past+f.Current, f.Future)
}

// Draws are the random choices for a batch of training clips.
type Draws struct {
	Level   diffusion.LevelNodes // [batch, 1 or frames, 1, 1, 1] each
	Noise   *Node                // standard normal, shaped like the current frames
	Visible *Node                // which conditioning frames are visible, [batch, past+future]
	// Told is 1 for the clips for which the network is told the clean frames that it predicts without
	// being told any, and 0 for the others, [batch, 1, 1, 1, 1]; nil unless it is self-conditioned.
	Told *Node
	// Reversed is 1 for the clips that are turned around in time before they are cut, and 0 for the
	// others, [batch]; nil if none is.
	Reversed *Node
	// Times are when the frames of the clips were taken, in frames of the video from any moment on,
	// [batch, past+current+future]. They come with the batch; nil if the frames follow each other one
	// by one.
	Times *Node
	// PastNoise is the noise level of the past frames, [batch] in [0, 1], and Z is their standard normal
	// noise; both nil if training adds none.
	PastNoise, Z *Node
	// Labels has 1 for each class that a clip shows and 0 for the others, [batch, classes]; nil
	// unless the network is a classifier.
	Labels *Node
	// Mid and End are where the first and the second of a teacher's steps end: see [Distillation].
	Mid, End diffusion.LevelNodes
}

// Values is the number of values by which logs divide the loss: that of the current frames.
func (m *Model) Values() int { return m.ClipShape(1, m.Frames.Current).Size() }

// DrawLevels draws a noise level for each clip of a batch, or for each of its frames: a table for
// [Model.Draw], [batch, 1 or frames, diffusion.Columns]. The host draws them, in float64, so that
// every backend trains at the same levels.
func (m *Model) DrawLevels(rng *rand.Rand, batch int) *tensors.Tensor {
	levels := m.Process.Draw(rng, batch, m.Frames.Current)
	return tensors.FromFlatDataAndDimensions(m.Table(levels), batch, len(levels)/batch, diffusion.Columns)
}

// DrawByLoss draws a noise level for each clip of a batch by recent losses: the levels, what the
// losses are multiplied by, and both as a table for [Model.Draw], [batch, 1, diffusion.Columns].
func (m *Model) DrawByLoss(rng *rand.Rand, batch int, r *diffusion.Running) (levels []diffusion.Level, factors []float64, table *tensors.Tensor) {
	levels, factors = r.Draw(rng, batch)
	rows := m.Table(levels)
	for i, factor := range factors {
		for _, column := range []int{diffusion.WeightColumn, diffusion.BoundColumn} {
			rows[i*diffusion.Columns+column] *= float32(factor)
		}
	}
	return levels, factors, tensors.FromFlatDataAndDimensions(rows, batch, 1, diffusion.Columns)
}

// Draw makes the other random choices for a batch in the graph, and returns what draws the next ones.
// levels is a table of levels, [batch, 1 or frames, diffusion.Columns].
func (m *Model) Draw(random nn.Random, levels *Node) (next nn.Random, d Draws) {
	batch := levels.Shape().Dimensions[0]
	d.Level = diffusion.TableNodes(levels)
	next, d.Visible = mask.Draw(random, batch, m.Frames)
	next, d.Noise = next.Normal(m.ClipShape(batch, m.Frames.Current))
	if m.SelfConditioned() {
		var u *Node
		next, u = next.Uniform(nn.F32(batch, 1, 1, 1, 1))
		d.Told = ConvertDType(LessThan(u, Scalar(u.Graph(), u.DType(), 0.5)), u.DType())
	}
	next, d.Reversed = mask.DrawReversed(next, batch, m.Frames)
	next, d.PastNoise, d.Z = mask.DrawNoise(next, m.Frames, m.ClipShape(batch, m.Frames.Past).Dimensions)
	return next, d
}

// LossGraph is the loss of each clip, [batch]: cut, hide, add noise, predict, compare (MCVD, eq.
// 6). Parameters are under scope.
func (m *Model) LossGraph(b *nn.Builder, scope *model.Scope, clip *Node, d Draws) *Node {
	loss, _ := m.ErrorGraph(b, scope, clip, d)
	return loss
}

// ErrorGraph is the loss of each clip, and the mean squared error of the clean frames that the
// network predicts, kept in [-1, 1]. Unlike the loss, this error can be compared between targets.
// Both are [batch].
func (m *Model) ErrorGraph(b *nn.Builder, scope *model.Scope, clip *Node, d Draws) (loss, x0Error *Node) {
	current, xt, cond := m.given(clip, d)
	f, share := m.predict(b, scope, xt, d.Level, cond, m.before(b, scope, xt, d, cond))
	loss, x0Error = m.compare(f, xt, current, d.Noise, d.Level)
	if share == nil {
		return loss, x0Error
	}
	bound := diffusion.BoundGraph(current, m.Target.Predict(xt, f, d.Level).X0, share, d.Level) // [batch, frames]
	return Add(loss, ReduceSum(Mul(bound, Reshape(d.Level.Bound, d.Level.Bound.Shape().Dimensions[:2]...)), 1)), x0Error
}

// given are a clip's current frames, these with noise, and what the network is given beside them.
func (m *Model) given(clip *Node, d Draws) (current, xt *Node, cond Cond[*Node]) {
	past, current, future := m.Cut(mask.Turn(clip, d.Reversed))
	xt = diffusion.AddNoise(current, d.Noise, d.Level.Signal, d.Level.Noise)
	if d.PastNoise != nil {
		past = mask.AddNoise(past, d.Z, d.PastNoise)
	}
	return current, xt, Cond[*Node]{Past: past, Future: future, Visible: d.Visible, Times: mask.TurnTimes(d.Times, d.Reversed), PastNoise: d.PastNoise}
}

// compare compares the network's output F for xt with the clean frames and the noise that it should
// find in xt: the loss of each clip, and the mean squared error of its clean frames, both [batch].
func (m *Model) compare(f, xt, x0, eps *Node, l diffusion.LevelNodes) (loss, x0Error *Node) {
	byFrame := m.Loss.Of(f, m.Target.FGraph(x0, eps, l)) // [batch, frames]
	weight := Reshape(l.Weight, l.Weight.Shape().Dimensions[:2]...)
	found := ClipScalar(m.Target.Predict(xt, f, l).X0, -1, 1)
	return ReduceSum(Mul(byFrame, weight), 1), ReduceMean(Square(Sub(found, x0)), 1, 2, 3, 4)
}

// before is what training tells a self-conditioned network that it predicted before (Chen et al. 2023,
// algorithm 1): for half of the clips what it predicts for the same noisy frames without being told
// anything, through which no gradient flows, and zeros for the others. It is nil for other networks.
func (m *Model) before(b *nn.Builder, scope *model.Scope, xt *Node, d Draws, cond Cond[*Node]) *Node {
	if !m.SelfConditioned() {
		return nil
	}
	return Mul(StopGradient(told(m.denoise(b, scope, xt, d.Level, cond, nil).X0)), d.Told)
}

// told is how predicted clean frames are told to a self-conditioned network.
func told(x0 *Node) *Node { return ClipScalar(x0, -1, 1) }

// denoise is what the network predicts for xt at a level: see [Model.predict].
func (m *Model) denoise(b *nn.Builder, scope *model.Scope, xt *Node, l diffusion.LevelNodes, cond Cond[*Node], before *Node) diffusion.Prediction {
	f, share := m.predict(b, scope, xt, l, cond, before)
	p := m.Target.Predict(xt, f, l)
	p.Share = share
	return p
}

// predict is the network's output F for xt at a level, and where its variances lie, as
// [diffusion.Prediction] has it. Hidden frames are replaced here, whatever the network is used for.
// before is what it predicted before, nil if it has predicted nothing or is not self-conditioned.
func (m *Model) predict(b *nn.Builder, scope *model.Scope, xt *Node, l diffusion.LevelNodes, cond Cond[*Node], before *Node) (f, share *Node) {
	batch := xt.Shape().Dimensions[0]
	in := network.Input{X: Mul(l.In, xt), Label: m.labels(l.Label, batch), Visible: cond.Visible, Cache: cond.cache, Variance: m.LearnsVariance()}
	if m.SelfConditioned() {
		if in.Before = before; before == nil {
			in.Before = ZerosLike(xt)
		}
	}
	past, future := mask.Apart(cond.Visible, m.Frames)
	if cond.Past != nil {
		in.Past = mask.Hide(cond.Past, past)
	}
	if cond.Future != nil {
		in.Future = mask.Hide(cond.Future, future)
	}
	if m.ToldTimes() {
		in.Times = m.times(xt.Graph(), cond, batch)
	}
	if m.ToldPastNoise() {
		if in.PastNoise = cond.PastNoise; in.PastNoise == nil {
			in.PastNoise = Zeros(xt.Graph(), nn.F32(batch))
		}
		in.PastNoise = mask.ToldNoise(in.PastNoise, past)
	}
	out := network.Build(m.Network, b, scope, in)
	if !in.Variance {
		return out, nil
	}
	channels := func(part SliceAxisSpec) *Node {
		return Slice(out, AxisRange(), AxisRange(), AxisRange(), AxisRange(), part)
	}
	return channels(AxisRange(0, m.Channels)), diffusion.ShareOfV(channels(AxisRange(m.Channels)))
}

// labels is a label for each clip, [batch], or for each of its frames, [batch, frames], of labels
// that are one for all or [batch or 1, frames or 1, 1, 1, 1].
func (m *Model) labels(label *Node, batch int) *Node {
	if m.LevelPerFrame() {
		if label.Shape().IsScalar() {
			label = Reshape(label, 1, 1)
		}
		return BroadcastToDims(Reshape(label, label.Shape().Dimensions[:2]...), batch, m.Frames.Current)
	}
	if label.Shape().Size() == 1 {
		return BroadcastToDims(Reshape(label, 1), batch)
	}
	return Reshape(label, batch)
}

// times are the times of a clip's frames as the network is told them: from the first current frame
// on, so that it makes no difference where in a video a clip lies. Those of hidden frames are replaced
// by 0, the time of no conditioning frame.
func (m *Model) times(g *Graph, cond Cond[*Node], batch int) *Node {
	f := m.Frames
	times := cond.Times
	if times == nil {
		times = Iota(g, nn.F32(batch, f.Total()), 1)
	}
	first := Slice(times, AxisRange(), AxisRange(f.Past, f.Past+1))
	times = Sub(times, first)
	if cond.Visible == nil {
		return times
	}
	past, future := mask.Apart(cond.Visible, f)
	parts := []*Node{OnesLike(Slice(times, AxisRange(), AxisRange(f.Past, f.Past+f.Current)))}
	if past != nil {
		parts = append([]*Node{past}, parts...)
	}
	if future != nil {
		parts = append(parts, future)
	}
	seen := GreaterThan(Concatenate(parts, 1), ScalarZero(g, times.DType()))
	return Where(seen, times, ZerosLike(times))
}

// Memory is the number of tensors shaped like the noisy frames that go from one prediction to the
// next: see [sampler.NewLoop].
func (m *Model) Memory(p *guidance.Plan) int {
	if m.SelfConditioned() {
		return p.Memory() + 1
	}
	return p.Memory()
}

// Guided is [Model.Denoiser] with guidance: p evaluates the network for several masks at once. cond
// went through [Branches]. known is what is known of the block. memory is that of [Model.Memory]:
// first the guidance's, then the clean frames that a self-conditioned network predicted before.
func (m *Model) Guided(b *nn.Builder, scope *model.Scope, p *guidance.Plan, cond Cond[*Node], known guidance.Block, memory []*Node) sampler.Denoiser {
	var before *Node
	guided := p.Guide(func(x *Node, at diffusion.LevelNodes) diffusion.Prediction {
		return m.denoise(b, scope, x, at, cond, p.Repeat(before))
	}, guidance.Others{Second: m.second(b, scope, cond, &before), Class: m.logProb(b, scope, p.Classes)}, known, memory[:p.Memory()])
	if !m.SelfConditioned() {
		return guided
	}
	last := len(memory) - 1
	return func(x *Node, at diffusion.LevelNodes) diffusion.Prediction {
		before = memory[last]
		out := guided(x, at)
		memory[last] = told(out.X0)
		return out
	}
}

// second is the denoiser of the second model, nil if there is none. It is told the same predictions
// before as the model. What it computes from the conditioning frames alone is not cached.
func (m *Model) second(b *nn.Builder, scope *model.Scope, cond Cond[*Node], before **Node) sampler.Denoiser {
	if m.Second == nil {
		return nil
	}
	weak, cond := scope.Store().Scope("/"+SecondScope), Cond[*Node]{Past: cond.Past, Future: cond.Future, Visible: cond.Visible, Times: cond.Times, PastNoise: cond.PastNoise}
	return func(x *Node, at diffusion.LevelNodes) diffusion.Prediction {
		return m.Second.denoise(b, weak, x, at, cond, *before)
	}
}

// Denoiser binds conditioning frames and the weights under scope. A self-conditioned network is told
// nothing of its predictions before.
func (m *Model) Denoiser(b *nn.Builder, scope *model.Scope, cond Cond[*Node]) sampler.Denoiser {
	return func(x *Node, at diffusion.LevelNodes) diffusion.Prediction {
		return m.denoise(b, scope, x, at, cond, nil)
	}
}
