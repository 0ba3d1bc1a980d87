package devices

import (
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"mcvd/models/backend/backendtest"
)

func TestDevicesThatCannotShareABatchAreRefused(t *testing.T) {
	b := backendtest.Open(t)
	if _, err := Open(b, b.NumDevices()+1, 8); err == nil || !strings.Contains(err.Error(), "but this backend has") {
		t.Errorf("more devices than there are: %v", err)
	}
	if b.NumDevices() > 1 {
		if _, err := Open(b, 2, 3); err == nil || !strings.Contains(err.Error(), "a batch of 3, want a multiple of the 2 devices") {
			t.Errorf("a batch of 3 on 2 devices: %v", err)
		}
	}
	if d, err := Open(b, 0, 8*b.NumDevices()); err != nil || d.Number() != b.NumDevices() {
		t.Errorf("all devices: %+v, %v", d, err)
	}
}

// Values go to the devices and come back whole; a program gives on any number of them what it gives
// on one, also when it sums over the batch.
func TestPrograms(t *testing.T) {
	b := backendtest.Open(t)
	for n := 1; n <= b.NumDevices(); n *= 2 {
		d, err := Open(b, n, 4)
		if err != nil {
			t.Fatal(err)
		}
		exec, err := model.NewExec(b, model.NewStore(), func(_ *model.Scope, in []*Node) []*Node {
			return []*Node{Add(in[0], in[1]), Add(in[0], ReduceAllSum(in[0]))}
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, donate := range []bool{false, true} {
			parts, errParts := d.Put(tensors.FromValue([]float32{1, 2, 3, 4}), Parts)
			copies, errCopies := d.Put(tensors.FromScalar(float32(10)), Copies)
			if errParts != nil || errCopies != nil {
				t.Fatal(errParts, errCopies)
			}
			p, err := d.Program(exec, Parts, Parts, Copies)
			if err != nil {
				t.Fatal(err)
			}
			if got := copies.Scalar(); got != 10 {
				t.Errorf("%d devices: a scalar is %g, want 10", n, got)
			}
			call := p.Call
			if donate {
				call = p.CallDonating
			}
			out, err := call(parts, copies)
			if err != nil {
				t.Fatal(err)
			}
			for i, want := range [][]float32{{11, 12, 13, 14}, {11, 12, 13, 14}} {
				whole, err := out[i].Tensor()
				if err != nil {
					t.Fatal(err)
				}
				if got := tensors.MustCopyFlatData[float32](whole); !slices.Equal(got, want) {
					t.Errorf("%d devices, donating %t: output %d is %v, want %v", n, donate, i, got, want)
				}
			}
		}
		exec.Finalize()
	}
}

// A program that was prepared is not built again, and one that is closed at once is closed.
func TestPreparedPrograms(t *testing.T) {
	b := backendtest.Open(t)
	d, err := Open(b, 1, 4)
	if err != nil {
		t.Fatal(err)
	}
	for _, called := range []bool{true, false} {
		built := 0
		exec, err := model.NewExec(b, model.NewStore(), func(_ *model.Scope, in []*Node) []*Node {
			built++
			return []*Node{Add(in[0], in[0])}
		})
		if err != nil {
			t.Fatal(err)
		}
		p, err := d.Program(exec, Parts, Parts)
		if err != nil {
			t.Fatal(err)
		}
		p.Prepare(shapes.Make(dtypes.Float32, 4))
		if called {
			x, err := d.Put(tensors.FromValue([]float32{1, 2, 3, 4}), Parts)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := p.Call(x); err != nil {
				t.Fatal(err)
			}
		}
		p.Close()
		if built != 1 {
			t.Errorf("called %v: it was built %d times, want once", called, built)
		}
	}
}
