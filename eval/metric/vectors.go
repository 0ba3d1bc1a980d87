package metric

import "slices"

// Comparison compares two sets of vectors, whatever network they are the features of. Less is
// better.
type Comparison struct {
	Name    string
	Digits  int // significant digits after the point
	Compare Compare
	Doc     string
}

// vectors are the comparisons of any vectors.
var vectors = []Comparison{
	{"frechet", 4, FrechetOf, "the Fréchet distance of normal distributions, as FID and FVD are"},
	{"kid", 6, KID, "the unbiased squared MMD with the kernel (x·y/d + 1)^3, as KID is"},
	{"jedi", 6, JEDi, "100 times the biased squared MMD with the kernel (x·y/d)^2, as JEDi is"},
}

// VectorComparisons lists the comparisons of any vectors.
func VectorComparisons() []Comparison { return slices.Clone(vectors) }
