package clips

import (
	"fmt"
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
