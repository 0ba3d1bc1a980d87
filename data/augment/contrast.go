package augment

import (
	"math/rand/v2"

	"mcvd/configs"
)

// contrast multiplies the distance of all values from the mean grey of the clip by a factor.
func contrast(rng *rand.Rand, a configs.Augment) func(numbers) {
	f := factor(rng, a.Contrast)
	return func(n numbers) {
		sum := 0.0
		for i := 0; i < len(n.pix); i += n.Channels {
			sum += float64(luma(n.pix[i:][:n.Channels]))
		}
		mean := float32(sum / float64(len(n.pix)/n.Channels))
		for i, x := range n.pix {
			n.pix[i] = mean + f*(x-mean)
		}
	}
}
