package train

import (
	"context"
	"fmt"
)

// round is what a rank has done since all ranks had the same weights, where each makes steps by itself.
type round struct {
	made    []result
	updates int   // of the steps made, those that changed the weights
	means   means // what the log has not had yet, with this rank's own steps
}

// begun says whether this rank has weights of its own.
func (r *round) begun() bool { return len(r.made) > 0 }

// ofRound is what a rank comes with to the end of a round.
type ofRound struct {
	Made    []result
	Without bool // it has no batches for the next step
	Ends    bool // it is told to end
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
			if !made.Skipped {
				r.updates++
			}
		}
	}
	if err == nil && !own.Without && !t.endsRound() && !t.Ranks.Lost() {
		t.tell(r.means)
		return false, nil
	}
	all, err := meet(t, ofRound{r.made, own.Without, own.Ends}, err)
	if err != nil {
		return false, t.keep(err)
	}
	ends := false
	for _, of := range all {
		if ends = ends || of.Ends; of.Without { // its data hang
			return false, t.stopped()
		}
	}
	if err := t.endRound(all); err != nil {
		return false, err
	}
	return ends || p.Step >= t.Config.Train.Steps, t.due(ctx)
}

// endsRound says whether all ranks get the same weights after the step that was just made.
func (t *trainer) endsRound() bool {
	return t.progress.Step%t.exchange.outer.Every == 0 || t.progress.Step >= t.Config.Train.Steps
}

// endRound gives all ranks the same weights, and takes down what all of them made.
func (t *trainer) endRound(all []ofRound) error {
	p := &t.progress
	n := len(t.round.made)
	for i := range n {
		t.note(p.Step-n+1+i, madeByAll(all, i))
	}
	t.Watchdog.begin(fmt.Sprintf("sharing the weights of step %d with the other ranks", p.Step))
	if err := t.exchange.weights(t.store); err != nil {
		return fmt.Errorf("step %d: %w", p.Step, err)
	}
	t.round = round{}
	return t.report(p.Step - n)
}

// madeByAll is what all ranks made of a round's i-th step: means, of no finite loss if one rank had none.
func madeByAll(all []ofRound, i int) (whole result) {
	n := float64(len(all))
	for _, of := range all {
		r := of.Made[i]
		whole.Loss += r.Loss / n
		whole.GradientNorm += r.GradientNorm / n
		whole.LearningRate += r.LearningRate / n
		whole.Skipped = whole.Skipped || r.Skipped
		whole.Replaced += r.Replaced
		whole.Losses = appended(whole.Losses, r.Losses)
	}
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
