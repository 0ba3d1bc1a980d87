package backend

import (
	"cmp"
	"context"
	"errors"
	"math"
	"os"
	"testing"
	"time"

	"github.com/gomlx/compute/dtypes"
)

// A product of two 1000 x 1000 matrices in two seconds is 10^9 FLOP/s, whatever the first one took,
// which compiles.
func TestSpeedIsThatOfTheFastestProductAfterTheFirst(t *testing.T) {
	p := Products{N: 1000, Times: []time.Duration{time.Second, 3 * time.Second, 2 * time.Second, 5 * time.Second}}
	if got := p.Best(); !(math.Abs(got-1e9) <= 1) {
		t.Errorf("%g FLOP/s, want 1e9", got)
	}
}

// The CPU plugin's devices are not faster together; CUDA's are, by their number.
func TestSpeedOfSeveralDevices(t *testing.T) {
	r := newTree(t)
	r.write("dev/nvidia0", "")
	r.plugin(ownCPU)
	r.plugin(ownCUDA)
	for name, want := range map[string]float64{"xla-cpu": 1e9, "xla:" + r.root + "/" + ownCPU: 1e9, "xla-cuda": 3e9, "xla:cuda": 3e9} {
		c, err := r.look().choose(name)
		if err != nil {
			t.Fatal(err)
		}
		one := Products{N: 1000, Times: []time.Duration{time.Second, 2 * time.Second}} // 10^9 FLOP/s
		if got := c.together(one, 3); !(math.Abs(got-want) <= 1) {
			t.Errorf("3 devices of %s: %g FLOP/s, want %g", name, got, want)
		}
	}
}

// On the backend that tests run on, in all types that it computes in.
func TestProductsAreTimedOneByOne(t *testing.T) {
	name := cmp.Or(os.Getenv("MCVD_TEST_BACKEND"), "go")
	b, err := Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Finalize()
	types := []dtypes.DType{dtypes.Float32}
	if name != "go" {
		types = append(types, dtypes.BFloat16)
	}
	for _, dtype := range types {
		p, err := multiply(context.Background(), b, dtype, 64, 3)
		if err != nil || p.N != 64 || len(p.Times) != 4 || !(p.Best() > 0) || math.IsInf(p.Best(), 1) {
			t.Errorf("%s: %+v, %g FLOP/s, error %v", dtype, p, p.Best(), err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if p, err := multiply(ctx, b, dtypes.Float32, 64, 3); !errors.Is(err, context.Canceled) || len(p.Times) > 0 {
		t.Errorf("after the end of its context: %+v, error %v", p, err)
	}
}
