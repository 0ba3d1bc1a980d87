package shards

import (
	"maps"
	"path/filepath"
	"slices"

	"mcvd/data/clips"
)

// inFolders lists the videos of BAIR and Cityscapes: training and test have folders of their own.
func inFolders(root string, split clips.Split, valid float64) ([]*shard, []video, error) {
	if split == clips.Test {
		return openAll(root, "test")
	}
	opened, all, err := openAll(root, "train")
	return opened, clips.Part(all, split, valid), err
}

// byCount lists the videos of UCF-101. The first num_train videos of all shards are for training.
// Of the num_test videos after them, the published code takes every tenth for the test.
func byCount(root string, split clips.Split, valid float64) ([]*shard, []video, error) {
	opened, all, err := openAll(root, ".")
	if err != nil {
		return opened, nil, err
	}
	train, err := opened[0].count("num_train", len(all))
	if err != nil {
		return opened, nil, err
	}
	test, err := opened[0].count("num_test", len(all)-train)
	if err != nil {
		return opened, nil, err
	}
	if split != clips.Test {
		return opened, clips.Part(all[:train], split, valid), nil
	}
	var out []video
	for k := range test / 10 {
		out = append(out, all[train+10*k])
	}
	return opened, out, nil
}

// byPerson lists the videos of KTH: those of persons 1 to 20 are for training, those of 21 to 25
// for the test, person by person. Validation has persons of its own.
func byPerson(root string, split clips.Split, valid float64) ([]*shard, []video, error) {
	opened, all, err := openAll(root, ".")
	if err != nil {
		return opened, nil, err
	}
	numbers, err := readPersons(filepath.Join(root, "persons.pkl"), len(all))
	if err != nil {
		return opened, nil, err
	}
	there := slices.DeleteFunc(slices.Sorted(maps.Keys(numbers)), func(person int) bool { return len(numbers[person]) == 0 })
	var out []video
	for _, person := range clips.Persons(there, split, valid) {
		for _, number := range numbers[person] {
			v := all[number]
			v.person = person
			out = append(out, v)
		}
	}
	return opened, out, nil
}
