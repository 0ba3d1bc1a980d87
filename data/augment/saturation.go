package augment

import (
	"math/rand/v2"

	"mcvd/configs"
)

// saturation multiplies the distance of each colour from the grey of its pixel by a factor.
func saturation(rng *rand.Rand, a configs.Augment) func(numbers) {
	f := factor(rng, a.Saturation)
	return func(n numbers) {
		for i := 0; i < len(n.pix); i += n.Channels {
			pixel := n.pix[i:][:n.Channels]
			grey := luma(pixel)
			for k, x := range pixel {
				pixel[k] = grey + f*(x-grey)
			}
		}
	}
}
