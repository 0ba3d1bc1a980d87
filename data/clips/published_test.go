package clips

import (
	"slices"
	"testing"
)

// Person 20 is the last one for training, 21 the first one of the test, and each person is in one split.
func TestPersons(t *testing.T) {
	all := make([]int, LastPerson)
	for i := range all {
		all[i] = i + 1
	}
	train, valid, test := Persons(all, Train, 0.1), Persons(all, Valid, 0.1), Persons(all, Test, 0.1)
	if want := []int{21, 22, 23, 24, 25}; !slices.Equal(test, want) {
		t.Errorf("the test has %v, want %v", test, want)
	}
	if both := slices.Sorted(slices.Values(slices.Concat(train, valid))); !slices.Equal(both, all[:20]) || len(valid) != 2 {
		t.Errorf("training has %v and validation %v, want two of 1 to 20 in validation and the others in training", train, valid)
	}
}
