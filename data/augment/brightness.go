package augment

import (
	"math/rand/v2"

	"mcvd/configs"
)

// brightness multiplies all values by a factor.
func brightness(rng *rand.Rand, a configs.Augment) func(numbers) {
	f := factor(rng, a.Brightness)
	return func(n numbers) {
		for i := range n.pix {
			n.pix[i] *= f
		}
	}
}
