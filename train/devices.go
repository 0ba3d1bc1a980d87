package train

import (
	"fmt"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/distributed"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/core/tensors/dtensor"
	"github.com/gomlx/gomlx/ml/model"
)

// devices are what a step runs on: one device, or several that share its batches. On several, every one has all weights and makes the
// gradients of its part of a batch; XLA adds them up (GoMLX's AutoSharding).
type devices struct {
	backend compute.Backend
	n       int
	mesh    *distributed.DeviceMesh
	parts   *distributed.ShardingSpec // the first axis, the batch, cut into n parts
	copies  *distributed.ShardingSpec // the same on every device
}

// openDevices takes the first n devices of the backend, all for n = 0. Each must get as many clips of a batch.
func openDevices(backend compute.Backend, n, batch int) (*devices, error) {
	there := backend.NumDevices()
	if n == 0 {
		n = there
	}
	if n > there {
		return nil, fmt.Errorf("train.devices: %d, but this backend has %d", n, there)
	}
	if batch%n != 0 {
		return nil, fmt.Errorf("train.batch: %d, want a multiple of the %d devices", batch, n)
	}
	d := &devices{backend: backend, n: n}
	if n == 1 {
		return d, nil
	}
	var err error
	if d.mesh, err = distributed.NewDeviceMesh([]int{n}, []string{"batch"}); err != nil {
		return nil, fmt.Errorf("train.devices: %w", err)
	}
	d.copies = distributed.NewReplicatedShardingSpec(d.mesh)
	d.parts, err = distributed.NewShardingSpec(d.mesh, distributed.AxisSpec{"batch"})
	return d, err
}

// value is a tensor on one device, or a distributed one on several.
type value struct {
	one     *tensors.Tensor
	several *dtensor.Tensor
}

// batch puts clips on the devices, to each its part.
func (d *devices) batch(t *tensors.Tensor) (value, error) {
	if d.n == 1 {
		return value{one: t}, t.MaterializeOnDevice(d.backend, true, 0)
	}
	return d.spread(d.parts, t)
}

// copied puts the same tensor on every device.
func (d *devices) copied(t *tensors.Tensor) (value, error) {
	if d.n == 1 {
		return value{one: t}, nil
	}
	return d.spread(d.copies, t)
}

func (d *devices) spread(spec *distributed.ShardingSpec, t *tensors.Tensor) (value, error) {
	several, err := dtensor.ShardTensor(spec, t)
	if err != nil {
		return value{}, err
	}
	for i, shard := range several.Shards() {
		if err := shard.MaterializeOnDevice(d.backend, false, compute.DeviceNum(i)); err != nil {
			return value{}, err
		}
	}
	return value{several: several}, nil
}

// scalar is a value of one number.
func (v value) scalar() float64 {
	if v.several != nil {
		return float64(tensors.ToScalar[float32](v.several.Shards()[0])) // all are the same
	}
	return float64(tensors.ToScalar[float32](v.one))
}

// free gives the memory of values back at once, not at the next garbage collection.
func free(values []value) {
	for _, v := range values {
		if v.several != nil {
			v.several.FinalizeAll()
		} else if v.one != nil {
			v.one.FinalizeAll()
		}
	}
}

// program is a compiled program on the devices.
type program struct {
	*devices
	exec *model.Exec
}

// program sets a program up for the devices. On several, its first inputs are cut as the specs say, the last of which is for all further
// ones; its results are copies.
func (d *devices) program(exec *model.Exec, inputs ...*distributed.ShardingSpec) (program, error) {
	if d.n == 1 {
		return program{d, exec}, nil
	}
	exec.AutoSharding(d.mesh).WithInputShardingSpecs(inputs...).WithOutputShardingSpecs(d.copies)
	return program{d, exec}, exec.SetDefaultShardingSpec(d.copies) // of the weights
}

// call runs the program.
func (p program) call(args ...value) ([]value, error) { return p.run(false, args) }

// callDonating runs the program and gives the memory of its arguments to it, or back.
func (p program) callDonating(args ...value) ([]value, error) { return p.run(true, args) }

func (p program) run(donate bool, args []value) (results []value, err error) {
	in := make([]any, len(args))
	for i, v := range args {
		switch {
		case v.several != nil:
			in[i] = v.several
		case donate:
			if in[i], err = graph.DonateTensorBuffer(v.one, p.backend, 0); err != nil {
				return nil, err
			}
		default:
			in[i] = v.one
		}
	}
	if p.n == 1 {
		out, err := p.exec.Call(in...)
		for _, t := range out {
			results = append(results, value{one: t})
		}
		return results, err
	}
	out, err := p.exec.DistributedExec(in...)
	for _, t := range out {
		results = append(results, value{several: t})
	}
	if donate {
		free(args) // shards can't be donated
	}
	return results, err
}
