package configs_test

import (
	"fmt"
	"log"

	"mcvd/configs"
	"mcvd/configs/experiment"
)

// A file, and overrides as --set gives them. Package experiment has the catalogue of all
// implementations.
func ExampleCatalogue_Load() {
	c, err := experiment.Load("tiny.yml", "train.batch=2")
	if err != nil {
		log.Fatal(err)
	}
	f := c.Frames
	fmt.Printf("%d past, %d current and %d future frames, batches of %d\n", f.Past, f.Current, f.Future, c.Train.Batch)

	_, err = experiment.Load("tiny.yml", "train.batch=0", "frames.mask.past=2")
	fmt.Println(err)
	// Output:
	// 2 past, 2 current and 2 future frames, batches of 2
	// override "frames.mask.past=2": frames.mask.past: 2, want 0 to 1
	// override "train.batch=0": train.batch: 0, want 1 to 65536
}

// What separates two experiments.
func ExampleDiff() {
	a, b := configs.Default(), configs.Default()
	b.Diffusion.Target = "v"
	for _, line := range configs.Diff(a, b) {
		fmt.Println(line)
	}
	// Output:
	// diffusion.target: "eps" -> "v"
}
