package published

import (
	"fmt"
	"strings"

	"mcvd/models/weights"
)

// traits describe a network in a few words, as far as the names and shapes of its tensors tell.
// Frames are counted times the channels of a frame, because to the network they are channels.
type traits struct {
	conditioning string
	width        int // channels at full size
	current      int // channels that the network returns
	given        int // channels of past and future
}

// traitsOf finds the traits of a network. ok is false if it isn't the U-Net. own says whether names
// and layouts are this project's.
func traitsOf(shapes map[string][]int, own bool) (t traits, ok bool) {
	in, out := 2, 3 // axes of a convolution's weight
	if !own {
		in, out = 1, 0
	}
	t.conditioning = "concat"
	first, last := []int(nil), []int(nil) // the convolutions that are layers of their own
	firstNumber, lastNumber := 0, 0
	for name, shape := range shapes {
		switch {
		case len(shape) != 4:
		case strings.HasSuffix(name, "/shared/w"), strings.HasSuffix(name, ".mlp_shared.0.weight"):
			t.conditioning, t.given = "spatin", shape[in]
		case own && name == "in/w":
			first = shape
		case own && name == "out/w":
			last = shape
		case !own && strings.Count(name, ".") == 3 && strings.HasSuffix(name, ".weight"): // unet.all_modules.N.weight
			n := moduleNumber(name)
			if first == nil || n < firstNumber {
				first, firstNumber = shape, n
			}
			if last == nil || n > lastNumber {
				last, lastNumber = shape, n
			}
		}
	}
	if first == nil || last == nil {
		return traits{}, false
	}
	t.width, t.current = first[out], last[out]
	if t.conditioning == "concat" {
		t.given = first[in] - t.current
	}
	return t, true
}

func (t traits) String() string {
	return fmt.Sprintf("%s, width %d, %d current frames and %d of past and future, times channels", t.conditioning, t.width, t.current, t.given)
}

// mismatch is the error for a file whose weights don't belong to the configuration. It first says
// what each of the two networks looks like, if that differs, then the problems.
func (c *Checkpoint) mismatch(places []located, problems []string) error {
	file, here := map[string][]int{}, map[string][]int{}
	for name, t := range c.weights.tensors {
		file[name] = t.Shape()
	}
	for _, p := range places {
		here[p.Name] = p.Layout.Shape(p.Shape)
	}
	got, ok := traitsOf(file, c.own)
	want, also := traitsOf(here, c.own)
	looks := ""
	if ok && also && got != want {
		looks = fmt.Sprintf(": the file looks like %s; the configuration says %s", got, want)
	}
	return fmt.Errorf("%s: not the weights of this configuration%s:%s", c.path, looks, weights.List(problems))
}
