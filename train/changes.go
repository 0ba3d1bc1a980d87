package train

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"

	"mcvd/configs"
	"mcvd/configs/experiment"
	"mcvd/data"
	"mcvd/data/clips"
	"mcvd/models/weights"
	"mcvd/train/optimizer"
	"mcvd/train/runs"
)

// A checkpoint says in which experiment, and on which data, its weights were trained. Training goes on
// from it only with the same, but for [MayChange]. Other changes must be accepted, and the log keeps
// them.

// MayChange names the settings that a run may change when it is resumed: how long it is trained, on
// what it is computed, and where files are. They change steps by rounding at most.
const MayChange = "train.steps, train.devices, train.gradient_checkpointing, train.keep, train.keep_steps, train.keep_hours, train.verify_checkpoints, train.patience, train.on_divergence, train.scores, train.tensorboard and data.path"

// forbidden lists, a line each, the changes with which a run must not go on: of all settings that
// are not in [MayChange]. With them, the steps to come would not belong to the same experiment.
func forbidden(was, is *configs.Config) []string {
	same := *was
	same.Train.Steps, same.Train.Devices, same.Train.Keep = is.Train.Steps, is.Train.Devices, is.Train.Keep
	same.Train.GradientCheckpointing, same.Train.TensorBoard = is.Train.GradientCheckpointing, is.Train.TensorBoard
	same.Train.KeepSteps, same.Train.KeepHours = is.Train.KeepSteps, is.Train.KeepHours
	same.Train.VerifyCheckpoints, same.Train.Patience = is.Train.VerifyCheckpoints, is.Train.Patience
	same.Train.OnDivergence, same.Train.Scores, same.Data.Path = is.Train.OnDivergence, is.Train.Scores, is.Data.Path
	return configs.Diff(&same, is)
}

// settings is the experiment that a checkpoint was trained in.
func settings(f *weights.File) (*configs.Config, error) {
	return experiment.Parse(f.Path()+": "+ConfigKey, []byte(f.Metadata()[ConfigKey]))
}

// splits are the data of a run, by the names of the splits.
type splits map[clips.Split]data.Fingerprint

// splitsOf are those of what is trained on and, if there is a validation, what is validated on.
func splitsOf(o Options) splits {
	s := splits{clips.Train: data.FingerprintOf(o.Train)}
	if o.Config.Train.ValidateEvery > 0 {
		s[clips.Valid] = data.FingerprintOf(o.Valid)
	}
	return s
}

// changed lists, a line each, in what data differ from those of a checkpoint. Older checkpoints don't
// say what theirs were.
func (s splits) changed(f *weights.File) (lines []string, err error) {
	text, ok := f.Metadata()[dataKey]
	if !ok {
		return nil, nil
	}
	var was splits
	if err := json.Unmarshal([]byte(text), &was); err != nil {
		return nil, fmt.Errorf("%s: %s: %w", f.Path(), dataKey, err)
	}
	for _, split := range []clips.Split{clips.Train, clips.Valid} {
		before, known := was[split]
		now, used := s[split]
		if change := now.Changed(before); known && used && change != "" {
			lines = append(lines, fmt.Sprintf("data of split %s: %s", split, change))
		}
	}
	return lines, nil
}

// belongs says whether a checkpoint is of this experiment and its data.
func (r *Run) belongs(f *weights.File) bool {
	was, err := settings(f)
	if err != nil || len(forbidden(was, r.Config)) > 0 {
		return false
	}
	moved, err := r.data.changed(f)
	return err == nil && len(moved) == 0
}

// checkUnchanged reports settings that were edited since the checkpoint was written, and that must not
// change in a run.
func (r *Run) checkUnchanged(f *weights.File) error {
	was, err := settings(f)
	if err != nil {
		return err
	}
	if diff := forbidden(was, r.Config); len(diff) > 0 {
		return fmt.Errorf("%s: other settings than those that %s was trained with; restore the first value of each, train in another folder, or give `mcvd train` --accept-changes if they are meant (only %s may change without it):\n  %s",
			filepath.Join(r.Dir, runs.ConfigFile), filepath.Base(f.Path()), MayChange, strings.Join(diff, "\n  "))
	}
	return nil
}

// checkChanges reports settings and data that must not change, unless accept, and logs those that may.
// changes are what was accepted.
func (r *Run) checkChanges(f *weights.File, p Progress, accept bool, log *slog.Logger) (changes []string, err error) {
	was, err := settings(f)
	if err != nil {
		return nil, err
	}
	moved, err := r.data.changed(f)
	if err != nil {
		return nil, err
	}
	if !accept {
		if err := r.checkUnchanged(f); err != nil {
			return nil, err
		}
		if len(moved) > 0 {
			return nil, fmt.Errorf("%s: other data than those that %s was trained with; restore them, train in another folder, or give `mcvd train` --accept-changes if that is meant:\n  %s",
				r.Dir, filepath.Base(f.Path()), strings.Join(moved, "\n  "))
		}
	}
	changes = append(forbidden(was, r.Config), moved...)
	all := append(configs.Diff(was, r.Config), moved...)
	switch {
	case len(all) == 0:
	case p.Step >= r.Config.Train.Steps && len(changes) > 0:
		return nil, fmt.Errorf("%s: no step is left in which these changes would have an effect; take them back, or raise train.steps, too:\n  %s", r.Dir, strings.Join(changes, "\n  "))
	case p.Step >= r.Config.Train.Steps:
		log.Warn("these changes have no effect, because no step is left: " + strings.Join(all, ", "))
		return nil, nil
	default:
		log.Info("going on with changed settings: " + strings.Join(all, ", "))
	}
	rate, err := optimizer.ChangedRate(was, r.Config, p.Updates+1)
	if rate != "" {
		log.Warn(rate)
	}
	return changes, err
}
