package train

import (
	"context"
	"math"
	"slices"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"mcvd/configs"
	"mcvd/data/clips"
	"mcvd/models"
	"mcvd/models/backend/backendtest"
	"mcvd/models/network"
	"mcvd/models/nn"
)

func newToyValidator(t *testing.T, c *configs.Config, net network.Network) (*validator, *model.Store) {
	t.Helper()
	b := backendtest.Open(t)
	m, err := models.New(c)
	if err != nil {
		t.Fatal(err)
	}
	store, err := firstState(b, m, c)
	if err != nil {
		t.Fatal(err)
	}
	if net != nil {
		m.Network = net
	}
	v, err := newValidator(b, store, m, c, waves{c.Data.Size, 9}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.close)
	return v, store
}

func TestValidationGivesTheSameNumbersEveryTime(t *testing.T) {
	v, store := newToyValidator(t, toy(), nil) // dropout is above 0 in training
	r, err := v.run(context.Background(), func() {})
	loss, bins := r.loss, r.bins
	if err != nil {
		t.Fatal(err)
	}
	if !finite(loss) || len(bins) != noiseBins {
		t.Errorf("loss %g, bins %v", loss, bins)
	}
	again, err := v.run(context.Background(), func() {})
	if err != nil || again.loss != loss || again.x0 != r.x0 || !slices.Equal(again.bins, bins) {
		t.Errorf("%+v, error %v the second time, want %+v", again, err, r)
	}
	// Other averaged weights give other numbers, in the same program; other weights do not.
	for scope, changes := range map[string]bool{models.WeightsScope: false, models.EMAScope: true} {
		bias := store.GetVariable("/" + scope + "/out/b")
		if err := bias.SetValue(tensors.FromValue([]float32{1})); err != nil {
			t.Fatal(err)
		}
		v, err := v.run(context.Background(), func() {})
		got := v.loss
		if err != nil || (got != loss) != changes {
			t.Errorf("%s changed: loss %g, before %g, error %v", scope, got, loss, err)
		}
		loss = got
	}
}

// told is a network whose eps is a thousand times its timestep: the l1 loss is then that, but for
// the noise.
type told struct{ first float64 } // the label of t = 0

func (told) Caches() bool { return false }

func (n told) Graph(_ *nn.Builder, _ *model.Scope, in network.Input) *Node {
	t := AddScalar(Neg(in.Label), n.first)
	return Mul(OnesLike(in.X), MulScalar(Reshape(t, -1, 1, 1, 1, 1), 1000))
}

func TestBinsCoverAllTimesteps(t *testing.T) {
	for _, steps := range []int{5, 100, 1000} {
		for _, batch := range []int{2, 48, 200} {
			c := toy()
			c.Diffusion.Steps, c.Diffusion.Loss, c.Diffusion.Options = steps, "l1", nil
			c.Train.Batch = batch
			v, _ := newToyValidator(t, c, told{float64(steps - 1)})
			r, err := v.run(context.Background(), func() {})
			loss, bins := r.loss, r.bins
			if err != nil {
				t.Fatal(err)
			}
			// Each bin is a fifth of the timesteps, the first the least noisy; noise and the steps
			// between the timesteps that are looked at move its mean a little.
			for i, got := range bins {
				if want := float64(steps) * (float64(i) + 0.5) / noiseBins; !(math.Abs(float64(got)/1000-(want-0.5)) <= 0.5+0.01*float64(steps)) {
					t.Errorf("%d steps, batch %d: mean timestep of bin %d is %g, want %g", steps, batch, i, got/1000, want-0.5)
				}
			}
			if want := float64(steps-1) / 2; !(math.Abs(loss/1000-want) <= 0.5+0.005*float64(steps)) {
				t.Errorf("%d steps, batch %d: mean timestep %g, want %g", steps, batch, loss/1000, want)
			}
		}
	}
}

func TestBinsWithoutTimestepsHaveNoLoss(t *testing.T) {
	c := toy()
	c.Diffusion.Steps = 2
	v, _ := newToyValidator(t, c, nil)
	r, err := v.run(context.Background(), func() {})
	loss, bins := r.loss, r.bins
	if err != nil || !finite(loss) {
		t.Fatalf("loss %g, error %v", loss, err)
	}
	for i, has := range []bool{true, false, true, false, false} { // t = 0 and t = 1
		if finite(float64(bins[i])) != has {
			t.Errorf("bin %d is %g, want a number: %t", i, bins[i], has)
		}
	}
}

func TestValidationEndsWithItsContext(t *testing.T) {
	v, _ := newToyValidator(t, toy(), nil)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := v.run(ctx, func() {}); err != context.Canceled {
		t.Errorf("error %v, want that of the context", err)
	}
}

// counted notes which videos are looked at.
type counted struct {
	waves
	seen map[int]bool
}

func (c counted) Clip(i, start, frames int) (clips.Clip, error) {
	c.seen[i] = true
	return c.waves.Clip(i, start, frames)
}

func TestValidationLooksAtAllVideosOfASmallSplit(t *testing.T) {
	c := toy()
	v, _ := newToyValidator(t, c, nil)
	ds := counted{waves{8, 50}, map[int]bool{}}
	v.dataset = ds
	if _, err := v.run(context.Background(), func() {}); err != nil {
		t.Fatal(err)
	}
	if len(ds.seen) != 50 {
		t.Errorf("%d videos of 50", len(ds.seen))
	}
}
