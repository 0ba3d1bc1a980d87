package diffusion

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"sort"
)

// ByLoss is the value of diffusion.levels that draws levels by their recent losses.
const ByLoss = "by_loss"

const (
	// recent is how many losses of each level are remembered.
	recent = 10
	// uniformShare is the share of draws that is uniform, so that every level is drawn now and then,
	// and the weights that make up for the draws are bounded.
	uniformShare = 0.001
)

// Running is the recent losses of each level of a schedule. Levels are drawn in proportion to the root
// of their mean square (Nichol and Dhariwal 2021, eq. 18), and uniformly until each level has enough.
type Running struct {
	schedule *Discrete
	losses   []float32 // [levels, recent], the oldest first; NaN where there is none yet
}

// Running is without any losses yet. It is nil if training draws levels without regard to losses.
func (p *Process) Running() *Running {
	s, ok := p.Schedule.(*Discrete)
	if _, by := p.spread.(byLoss); !by || !ok {
		return nil
	}
	r := &Running{s, make([]float32, s.Steps()*recent)}
	for i := range r.losses {
		r.losses[i] = float32(math.NaN())
	}
	return r
}

// Draw draws the levels of n clips, and what each clip's loss is to be multiplied by: 1 / (T p) for a
// level of probability p among T. So the expectation of the loss is that of uniform draws.
func (r *Running) Draw(rng *rand.Rand, n int) (levels []Level, factors []float64) {
	sums, total := r.cumulative()
	for range n {
		u := rng.Float64() * total
		t := min(sort.Search(len(sums), func(t int) bool { return sums[t] > u }), len(sums)-1)
		weight := sums[t]
		if t > 0 {
			weight -= sums[t-1]
		}
		levels = append(levels, r.schedule.At(t))
		factors = append(factors, total/(weight*float64(len(sums))))
	}
	return levels, factors
}

// cumulative adds the weights of the levels up, in the order of timesteps.
func (r *Running) cumulative() (sums []float64, total float64) {
	n := r.schedule.Steps()
	weights, all := make([]float64, n), 0.0
	for t := range weights {
		square := 0.0
		for _, loss := range r.losses[t*recent : (t+1)*recent] {
			square += float64(loss) * float64(loss) / recent
		}
		weights[t] = math.Sqrt(square)
		all += weights[t]
	}
	for _, w := range weights {
		if !(all > 0) || math.IsInf(all, 1) { // NaN says that a level has too few losses
			total++
		} else {
			total += (1-uniformShare)*w/all + uniformShare/float64(n)
		}
		sums = append(sums, total)
	}
	return sums, total
}

// Add remembers the loss of a clip at a level, without the factor of [Running.Draw]. The oldest loss of
// the level is forgotten.
func (r *Running) Add(l Level, loss float64) {
	t := r.schedule.Steps() - 1 - int(l.Label)
	of := r.losses[t*recent : (t+1)*recent]
	copy(of, of[1:])
	of[recent-1] = float32(loss)
}

// Text is what is remembered, for a checkpoint: float32, little-endian, in base64.
func (r *Running) Text() string {
	b, _ := binary.Append(nil, binary.LittleEndian, r.losses)
	return base64.StdEncoding.EncodeToString(b)
}

// Restore goes on from the Text of a checkpoint, which is empty before the first loss.
func (r *Running) Restore(text string) error {
	if text == "" {
		return nil
	}
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return fmt.Errorf("recent losses of levels: %w", err)
	}
	if len(b) != 4*len(r.losses) {
		return fmt.Errorf("recent losses of levels: %d bytes, want the %d of %d levels", len(b), 4*len(r.losses), r.schedule.Steps())
	}
	_, err = binary.Decode(b, binary.LittleEndian, r.losses)
	return err
}

// byLoss draws uniformly where there are no losses.
type byLoss struct{}

func (byLoss) draw(rng *rand.Rand, n int, s Schedule) []Level {
	return byShare{independent}.draw(rng, n, s)
}
