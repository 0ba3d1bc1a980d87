package backend

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

// Products are timed products of two square matrices. Networks consist mostly of matrix products,
// and a device computes nothing faster.
type Products struct {
	N     int             // rows and columns
	Times []time.Duration // two or more; the first includes compiling
}

// FLOPs is how many floating-point operations a product is, 2 for each multiply-add.
func (p Products) FLOPs() float64 {
	n := float64(p.N)
	return 2 * n * n * n
}

// Best is the FLOP/s of the fastest product, the first one left out.
func (p Products) Best() float64 { return p.FLOPs() / slices.Min(p.Times[1:]).Seconds() }

// Products times a first product and so many more on one device of the opened backend. What the
// device reads and writes stays there.
func (c Choice) Products(ctx context.Context, b compute.Backend, dtype dtypes.DType, more int) (Products, error) {
	return multiply(ctx, b, dtype, c.matrix(), more)
}

// matrix is the size of the matrices. Larger ones are hardly faster. On the Go backend it is
// smaller, because the program may be built without vector instructions.
func (c Choice) matrix() int {
	switch c.kind {
	case cuda:
		return 8192
	case pureGo:
		return 1024
	}
	return 2048
}

// Peak is the FLOP/s that this many devices of the opened backend reach together in matrix
// products. One of them is measured for about a second.
func (c Choice) Peak(ctx context.Context, b compute.Backend, dtype dtypes.DType, devices int) (float64, error) {
	p, err := c.Products(ctx, b, dtype, 5)
	if err != nil {
		return 0, err
	}
	return c.together(p, devices), nil
}

// together is the FLOP/s of this many devices, one of which was measured. Virtual devices share the
// processor.
func (c Choice) together(p Products, devices int) float64 {
	if c.virtual() {
		devices = 1
	}
	return p.Best() * float64(devices)
}

func multiply(ctx context.Context, b compute.Backend, dtype dtypes.DType, n, more int) (Products, error) {
	p := Products{N: n}
	fill, err := NewExec(b, func(g *Graph) []*Node {
		// These are random as in a network, not zeros, because the power that a product takes, and
		// so its speed, depends on its numbers.
		random, x := RandomNormal(RNGStateFromSeedForGraph(g, 1), shapes.Make(dtypes.Float32, n, n))
		_, y := RandomNormal(random, shapes.Make(dtypes.Float32, n, n))
		return []*Node{ConvertDType(x, dtype), ConvertDType(y, dtype)}
	})
	if err != nil {
		return p, err
	}
	defer fill.Finalize()
	product, err := NewExec(b, func(x, y *Node) *Node { return MatMul(x, y) })
	if err != nil {
		return p, err
	}
	defer product.Finalize()
	factors, err := fill.Call()
	if err != nil {
		return p, fmt.Errorf("matrices of %d x %d: %w", n, n, err)
	}
	defer factors[0].FinalizeAll()
	defer factors[1].FinalizeAll()
	for range 1 + more {
		if err := context.Cause(ctx); err != nil {
			return p, err
		}
		start := time.Now()
		out, err := product.Call1(factors[0], factors[1]) // waits for the device
		if err != nil {
			return p, fmt.Errorf("product of %d x %d: %w", n, n, err)
		}
		p.Times = append(p.Times, time.Since(start))
		out.FinalizeAll()
	}
	return p, nil
}
