package clips

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// Split names a part of a data set: what is learned from, what is watched during training, or what
// is scored in the end.
type Split string

// The parts that every data set has.
const (
	Train Split = "train"
	Valid Split = "valid"
	Test  Split = "test"
)

// Splits lists all parts.
func Splits() []Split { return []Split{Train, Valid, Test} }

// Check reports a name that isn't one of [Splits].
func (s Split) Check() error {
	if !slices.Contains(Splits(), s) {
		return fmt.Errorf("split: unknown %q, want train, valid or test", string(s))
	}
	return nil
}

// Folder is where the videos of a split lie below root. If root has a folder train, valid or test,
// each split has its own. Otherwise it is ".", and all splits lie there together.
func Folder(root string, split Split) (below string, own bool) {
	for _, s := range Splits() {
		if info, err := os.Stat(filepath.Join(root, string(s))); err == nil && info.IsDir() {
			return string(split), true
		}
	}
	return ".", false
}

// Part is what training or validation has of all that is there for both, where a data set has no
// validation split of its own: validation has a fraction of it, evenly spread and at least one, and
// training the rest. If there is only one, training has it.
func Part[T any](all []T, split Split, valid float64) []T {
	n := len(all)
	k := min(max(1, int(valid*float64(n)+0.5)), n-1)
	var out []T
	for i, one := range all {
		if in := (i+1)*k/n > i*k/n; in == (split == Valid) {
			out = append(out, one)
		}
	}
	return out
}
