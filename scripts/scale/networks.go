package main

// published is what a training step of a published network needs, as `mcvd train --dry-run` counts it.
type published struct {
	name     string
	millions float64 // parameters
	gflop    float64 // of a forward pass of one clip; training takes three times as much
	batch    int     // clips
}

// networks are those of docs/reproduce.md that differ in size.
var networks = []published{
	{"smmnist-concat", 27.94, 19.69, 64},
	{"smmnist-spatin", 53.95, 57.36, 64},
	{"kth-concat", 62.83, 42.95, 64},
	{"kth-spatin", 367.65, 334.40, 64},
	{"bair-concat", 251.17, 166.39, 64},
	{"bair-spatin", 328.60, 277.89, 64},
	{"cityscapes-concat", 262.13, 345.20, 32},
	{"cityscapes-spatin", 579.16, 1075.48, 16},
	{"ucf101-concat", 564.99, 370.00, 32},
	{"ucf101-spatin", 739.44, 621.56, 32},
}

// flop are the operations of a training step on one batch.
func (p published) flop() float64 { return 3 * p.gflop * 1e9 * float64(p.batch) }

func (p published) values() int { return int(p.millions*1e6 + 0.5) }
