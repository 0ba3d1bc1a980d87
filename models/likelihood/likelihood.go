// Package likelihood says how many bits a model needs for frames: by the variational bound, term by
// term, and exactly by the probability-flow ODE.
//
// Frames are blocks [batch, frames, height, width, channels] in [-1, 1], with 256 levels of grey 2/255
// apart. All results are in bits per dimension: for each number of a block.
package likelihood

import (
	"context"
	"fmt"
	"math"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"mcvd/models/devices"
	"mcvd/models/diffusion"
	"mcvd/models/sampler"
)

// Likelihood computes bits with a denoiser. The network runs in two programs; all other arithmetic is
// on the host, in float64.
type Likelihood struct {
	process *diffusion.Process
	devices *devices.Devices
	predict *devices.Program // x at a level -> x0, and where the variances lie if they are learned
	slope   *devices.Program // x at a level and directions v -> eps, and v (d eps/dx) v of each block
}

// New makes the programs. bind builds the denoiser in their graphs, as in [sampler.NewLoop].
func New(d *devices.Devices, store *model.Store, p *diffusion.Process,
	bind func(scope *model.Scope, cond []*Node) sampler.Denoiser) (*Likelihood, error) {
	l := &Likelihood{process: p, devices: d}
	level := func(row *Node) diffusion.LevelNodes {
		all := make([]*Node, diffusion.Columns)
		for i := range all {
			all[i] = Reshape(Slice(row, AxisElem(i)))
		}
		return diffusion.Nodes(all)
	}
	predict, err := model.NewExec(d.Backend(), store, func(scope *model.Scope, in []*Node) []*Node {
		made := bind(scope, in[2:])(in[0], level(in[1]))
		if made.Share == nil {
			return []*Node{made.X0}
		}
		return []*Node{made.X0, made.Share}
	})
	if err == nil {
		l.predict, err = d.Program(predict.WithName("predict"), devices.Parts, devices.Parts, devices.Copies, devices.Parts)
	}
	if err != nil {
		return nil, fmt.Errorf("likelihood: %w", err)
	}
	slope, err := model.NewExec(d.Backend(), store, func(scope *model.Scope, in []*Node) []*Node {
		x, v := in[0], in[2]
		eps := bind(scope, in[3:])(x, level(in[1])).Eps
		along := Mul(v, Gradient(ReduceAllSum(Mul(v, eps)), x)[0])
		return []*Node{eps, ReduceSum(along, 1, 2, 3, 4)}
	})
	if err == nil {
		l.slope, err = d.Program(slope.WithName("slope"), devices.Parts, devices.Parts, devices.Copies, devices.Parts)
	}
	if err != nil {
		l.predict.Close()
		return nil, fmt.Errorf("likelihood: %w", err)
	}
	return l, nil
}

// Close frees the compiled programs.
func (l *Likelihood) Close() { l.predict.Close(); l.slope.Close() }

// Noise returns standard normal draw number i, as many values as the blocks have.
type Noise func(i int) []float32

// blocks are the blocks of a batch, and what the network sees beside them.
type blocks struct {
	*Likelihood
	dims []int // [batch, frames, height, width, channels]
	cond []devices.Value
}

// call runs a program at a level, and returns its results on the host. x and more are shaped like the
// blocks.
func (b *blocks) call(ctx context.Context, p *devices.Program, at diffusion.Level, x []float32, more ...[]float32) ([][]float32, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	var own []devices.Value
	defer func() { devices.Free(own) }()
	put := func(t *tensors.Tensor, place devices.Place) error {
		v, err := b.devices.Put(t, place)
		if err == nil {
			own = append(own, v)
		}
		return err
	}
	err := put(tensors.FromFlatDataAndDimensions(x, b.dims...), devices.Parts)
	if err == nil {
		err = put(tensors.FromValue(b.process.Table([]diffusion.Level{at})), devices.Copies)
	}
	for _, v := range more {
		if err == nil {
			err = put(tensors.FromFlatDataAndDimensions(v, b.dims...), devices.Parts)
		}
	}
	if err != nil {
		return nil, err
	}
	made, err := p.Call(append(own[:len(own):len(own)], b.cond...)...)
	if err != nil {
		return nil, fmt.Errorf("at label %g: %w", at.Label, err)
	}
	defer devices.Free(made)
	results := make([][]float32, len(made))
	for i, v := range made {
		t, err := v.Tensor()
		if err == nil {
			results[i], err = tensors.CopyFlatData[float32](t)
		}
		if err != nil {
			return nil, err
		}
	}
	return results, nil
}

// sums is the sum over each block of a function of its values, by their places, in bits per
// dimension.
func (b *blocks) sums(of func(i int) float64) []float64 {
	size := 1
	for _, d := range b.dims[1:] {
		size *= d
	}
	sums := make([]float64, b.dims[0])
	for k := range sums {
		for i := k * size; i < (k+1)*size; i++ {
			sums[k] += of(i) / float64(size) / math.Ln2
		}
	}
	return sums
}
