// Package devices runs programs on one device, or on several of a machine that share a batch.
package devices

import (
	"fmt"
	"sync"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/distributed"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/core/tensors/dtensor"
	"github.com/gomlx/gomlx/ml/model"
)

// Devices are what programs run on: one device, or several that share a batch. Each of several has
// all weights and computes a part of the batch. XLA adds up sums over the batch, such as gradients
// (GoMLX's AutoSharding).
type Devices struct {
	backend compute.Backend
	n       int
	mesh    *distributed.DeviceMesh
	specs   map[Place]*distributed.ShardingSpec // nil on one device
}

// Place says how a value lies on several devices.
type Place int

const (
	Parts  Place = iota // the first axis, the batch, cut into equal parts
	Copies              // the same on every device
)

// Open takes the first n devices of the backend, or all if n is 0. Each must get equally many clips
// of a batch.
func Open(backend compute.Backend, n, batch int) (*Devices, error) {
	there := backend.NumDevices()
	if n == 0 {
		n = there
	}
	if n > there {
		return nil, fmt.Errorf("%d devices, but this backend has %d", n, there)
	}
	if batch%n != 0 {
		return nil, fmt.Errorf("a batch of %d, want a multiple of the %d devices", batch, n)
	}
	d := &Devices{backend: backend, n: n}
	if n == 1 {
		return d, nil
	}
	var err error
	if d.mesh, err = distributed.NewDeviceMesh([]int{n}, []string{"batch"}); err != nil {
		return nil, err
	}
	parts, err := distributed.NewShardingSpec(d.mesh, distributed.AxisSpec{"batch"})
	d.specs = map[Place]*distributed.ShardingSpec{Parts: parts, Copies: distributed.NewReplicatedShardingSpec(d.mesh)}
	return d, err
}

// Backend is what they belong to.
func (d *Devices) Backend() compute.Backend { return d.backend }

// Number is how many devices there are.
func (d *Devices) Number() int { return d.n }

// Value is a tensor on one device, or a distributed one on several.
type Value struct {
	one     *tensors.Tensor
	several *dtensor.Tensor
}

// Put moves a tensor to the devices. On one device the value may share its memory.
func (d *Devices) Put(t *tensors.Tensor, place Place) (Value, error) {
	if d.n == 1 {
		return Value{one: t}, t.MaterializeOnDevice(d.backend, true, 0)
	}
	several, err := dtensor.ShardTensor(d.specs[place], t)
	if err != nil {
		return Value{}, err
	}
	for i, shard := range several.Shards() {
		if err := shard.MaterializeOnDevice(d.backend, false, compute.DeviceNum(i)); err != nil {
			return Value{}, err
		}
	}
	return Value{several: several}, nil
}

// Tensor is the whole value.
func (v Value) Tensor() (*tensors.Tensor, error) {
	if v.several == nil {
		return v.one, nil
	}
	return v.several.Merge()
}

// Scalar is a value of one number.
func (v Value) Scalar() float64 {
	if v.several != nil {
		return float64(tensors.ToScalar[float32](v.several.Shards()[0])) // all are the same
	}
	return float64(tensors.ToScalar[float32](v.one))
}

// Numbers are those of a value that lies as copies.
func (v Value) Numbers() ([]float32, error) {
	if v.several != nil {
		return tensors.CopyFlatData[float32](v.several.Shards()[0]) // all are the same
	}
	return tensors.CopyFlatData[float32](v.one)
}

// Free gives back the memory of values at once, instead of at the next garbage collection.
func Free(values []Value) {
	for _, v := range values {
		if v.several != nil {
			v.several.FinalizeAll()
		} else if v.one != nil {
			v.one.FinalizeAll()
		}
	}
}

// Program is a compiled program on the devices.
type Program struct {
	devices *Devices
	exec    *model.Exec
	results Place
	ahead   sync.WaitGroup // compiles beside the caller
}

// Program sets a program up for the devices. inputs say how its inputs lie on them; the last entry
// holds for all further inputs. All results lie as results says.
//
// A store of weights that ran on several devices can later run on the same devices or on one, but
// not on others.
func (d *Devices) Program(exec *model.Exec, results Place, inputs ...Place) (*Program, error) {
	p := &Program{devices: d, exec: exec, results: results}
	if d.n == 1 {
		return p, nil
	}
	specs := make([]*distributed.ShardingSpec, len(inputs))
	for i, place := range inputs {
		specs[i] = d.specs[place]
	}
	exec.AutoSharding(d.mesh).WithInputShardingSpecs(specs...).WithOutputShardingSpecs(d.specs[results])
	return p, exec.SetDefaultShardingSpec(d.specs[Copies]) // of the weights
}

// Close frees the compiled programs.
func (p *Program) Close() {
	p.Wait()
	p.exec.Finalize()
	giveBack()
}

// Prepare compiles the program for inputs of these shapes, beside what the caller does: a call that comes
// meanwhile waits for it. What goes wrong is an error of the first call. On several devices, that call
// compiles it.
func (p *Program) Prepare(inputs ...shapes.Shape) {
	if p.devices.n == 1 {
		p.ahead.Go(func() { p.exec.Compile(inputs...) })
	}
}

// Wait waits until what [Program.Prepare] began has ended. Weights may change only then, unless the program
// changes them.
func (p *Program) Wait() { p.ahead.Wait() }

// Call runs the program.
func (p *Program) Call(args ...Value) ([]Value, error) { return p.run(false, args) }

// CallDonating runs the program and gives it the memory of its arguments, or frees it.
func (p *Program) CallDonating(args ...Value) ([]Value, error) { return p.run(true, args) }

func (p *Program) run(donate bool, args []Value) (results []Value, err error) {
	p.Wait()
	in := make([]any, len(args))
	for i, v := range args {
		switch {
		case v.several != nil:
			in[i] = v.several
		case donate:
			if in[i], err = graph.DonateTensorBuffer(v.one, p.devices.backend, 0); err != nil {
				return nil, err
			}
		default:
			in[i] = v.one
		}
	}
	out, err := p.exec.Call(in...)
	if err != nil {
		return nil, err
	}
	if donate && p.devices.n > 1 {
		Free(args) // shards can't be donated
	}
	// The results of the first device come first. (GoMLX's own function to gather them takes all
	// but the first result for copies.)
	n := len(out) / p.devices.n
	for i := range n {
		if p.devices.n == 1 {
			results = append(results, Value{one: out[i]})
			continue
		}
		shards := make([]*tensors.Tensor, p.devices.n)
		for k := range shards {
			shards[k] = out[k*n+i]
		}
		several, err := dtensor.NewTensor(p.devices.specs[p.results], shards)
		if err != nil {
			return nil, err
		}
		results = append(results, Value{several: several})
	}
	return results, nil
}
