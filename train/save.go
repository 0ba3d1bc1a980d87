package train

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"mcvd/configs"
	"mcvd/models/weights"
	"mcvd/train/runs"
)

// Metadata is what a checkpoint's metadata says.
func Metadata(c *configs.Config, p Progress) (map[string]string, error) {
	progress, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	return map[string]string{progressKey: string(progress), ConfigKey: string(c.YAML())}, nil
}

// save writes a checkpoint under a name, unless a value in it is not finite or the folder is no longer
// this process's.
func (r *Run) save(name string, entries []weights.Entry, p Progress) error {
	metadata, err := Metadata(r.Config, p)
	if err != nil {
		return err
	}
	if r.data != nil {
		text, err := json.Marshal(r.data)
		if err != nil {
			return err
		}
		metadata[dataKey] = string(text)
	}
	path := filepath.Join(r.Dir, runs.CheckpointsDir, name)
	err = r.guard()
	if err == nil {
		err = weights.Write(path, metadata, r.guarded(entries))
	}
	if err == nil && r.Config.Train.VerifyCheckpoints {
		err = readBack(path)
	}
	if err != nil {
		// Whatever failed, a folder that is gone is why.
		return fmt.Errorf("checkpoint of step %d: %w", p.Step, cmp.Or(r.guard(), err))
	}
	return nil
}

// readBack verifies a checkpoint that was just written, and removes it if it is not whole.
func readBack(path string) error {
	f, _, err := openCheckpoint(path)
	if err != nil {
		return errors.Join(fmt.Errorf("read back: %w", err), os.Remove(path))
	}
	return f.Close()
}

// saveStep writes the checkpoint of a step and removes those that are not to be kept any more.
func (r *Run) saveStep(entries []weights.Entry, p Progress) error {
	if err := r.save(runs.CheckpointName(p.Step), entries, p); err != nil {
		return err
	}
	return r.tidy(r.Config.Train)
}

// guarded are the entries for a checkpoint of this run. Each one asks again whether the folder is still
// this process's: the first is read when the temporary file is there already. If the folder is replaced
// later than that, the file is not in the new one, and can't be renamed.
func (r *Run) guarded(entries []weights.Entry) []weights.Entry {
	all := make([]weights.Entry, len(entries))
	for i, e := range entries {
		all[i] = weights.Entry{Tensor: e.Tensor, Data: func() ([]byte, error) {
			if err := r.guard(); err != nil {
				return nil, err
			}
			return finiteData(e)
		}}
	}
	return all
}

// finiteData are the bytes of a tensor. It is a [weights.NotFiniteError] if a value is not finite.
func finiteData(e weights.Entry) ([]byte, error) {
	data, err := e.Data()
	if err != nil {
		return nil, err
	}
	if n := weights.NotFinite(data, e.DType); n > 0 {
		return nil, weights.NotFiniteError{Count: n, Of: len(data) / e.DType.Width()}
	}
	return data, nil
}
