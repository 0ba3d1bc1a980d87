package train

import (
	"context"
	"fmt"
	"slices"

	"mcvd/train/ranks"
)

// round is what a rank has done since all ranks had the same weights, where each makes steps by itself.
type round struct {
	made    []result
	updates int   // of the steps made, those that changed the weights
	skipped int   // the steps in a row before the next one that changed nothing, also of rounds before
	means   means // what the log has not had yet, with this rank's own steps
}

// begun says whether this rank has weights of its own.
func (r *round) begun() bool { return len(r.made) > 0 }

// ofRound is what a rank comes with to the end of a round.
type ofRound struct {
	Made     []result
	Without  bool // it has no batches for the next step, because its data hang
	Diverged bool // it made no update in so many steps in a row that it ends before the others
	Ends     bool // it is told to end
}

// stepOfRound updates the weights by the gradients of this rank alone. It meets the others, and so waits for
// them, only at the end of a round, or if it can't go on. err is why there are no gradients.
func (t *trainer) stepOfRound(ctx context.Context, gradients summed, own found, err error) (done bool, _ error) {
	p, r := &t.progress, &t.round
	if !r.begun() {
		r.means = p.Unlogged
	}
	if err == nil && !own.Without {
		var made result
		if made, err = t.update(p.Updates+r.updates+1, gradients); err == nil {
			made.Replaced = own.Replaced
			r.made = append(r.made, made)
			r.means.add(made)
			if r.skipped++; !made.Skipped {
				r.updates, r.skipped = r.updates+1, 0
			}
		}
	}
	diverged := r.skipped >= maxSkipped
	if err == nil && !own.Without && !diverged && p.Step%t.exchange.outer.Every != 0 && !t.Ranks.Lost() {
		t.tell(r.means)
		return false, nil
	}
	all, err := meet(t, ofRound{r.made, own.Without, diverged, own.Ends}, err)
	if err != nil {
		return false, t.keep(err)
	}
	if err := t.broken(all); err != nil {
		return false, err
	}
	ends := slices.ContainsFunc(all, func(of ofRound) bool { return of.Ends })
	if err := t.endRound(all); err != nil {
		return false, err
	}
	return ends || p.Step >= t.Config.Train.Steps, t.due(ctx)
}

// broken is why a round does not come to its end. All ranks find the same.
func (t *trainer) broken(all []ofRound) error {
	at := t.progress
	began := at.Step - len(t.round.made)
	for _, of := range all {
		at.Step = max(at.Step, began+len(of.Made))
	}
	for k, of := range all {
		switch {
		case of.Without:
			return ranks.Agreed(t.Ranks, fmt.Errorf("%w: rank %d has no data for step %d; the same command goes on from the newest checkpoint", ErrHangs, k, began+len(of.Made)+1))
		case of.Diverged:
			return ranks.Agreed(t.Ranks, diverged{at, fmt.Errorf("rank %d, step %d: loss or gradients were not finite in %d steps in a row", k, began+len(of.Made), maxSkipped)})
		}
	}
	return nil
}

// endRound gives all ranks the same weights, and takes down what all of them made.
func (t *trainer) endRound(all []ofRound) error {
	p := &t.progress
	n := len(t.round.made)
	for i := range n {
		step := p.Step - n + 1 + i
		t.note(step, madeByAll(all, i))
		if step%logEvery == 0 && step < p.Step {
			if err := t.write(p.Unlogged.line(step)); err != nil {
				return err
			}
			p.Unlogged = means{}
		}
	}
	t.Watchdog.begin(fmt.Sprintf("sharing the weights of step %d with the other ranks", p.Step))
	if err := t.exchange.weights(t.store); err != nil {
		return fmt.Errorf("step %d: %w", p.Step, err)
	}
	t.round = round{skipped: t.round.skipped}
	return t.report()
}

// madeByAll is what all ranks made of a round's i-th step: means over those that did not skip it. It is
// skipped if all did.
func madeByAll(all []ofRound, i int) (whole result) {
	made := 0.0
	for _, of := range all {
		r := of.Made[i]
		whole.Replaced += r.Replaced
		whole.Losses = appended(whole.Losses, r.Losses)
		if !r.Skipped {
			whole.Loss, whole.GradientNorm, whole.LearningRate = whole.Loss+r.Loss, whole.GradientNorm+r.GradientNorm, whole.LearningRate+r.LearningRate
			made++
		}
	}
	whole.Skipped = made == 0
	whole.Loss, whole.GradientNorm, whole.LearningRate = whole.Loss/made, whole.GradientNorm/made, whole.LearningRate/made
	return whole
}

// appended are the losses of the clips of each batch, with those of another part of it behind them.
func appended(losses, others [][]float32) [][]float32 {
	for batch, of := range others {
		if batch == len(losses) {
			losses = append(losses, nil)
		}
		losses[batch] = append(losses[batch], of...)
	}
	return losses
}
