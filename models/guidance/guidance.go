// Package guidance changes what a network predicts while videos are sampled, so that they follow
// the conditioning frames more closely, or less, or frames that the network has no input for. A
// guidance wraps the function that makes a prediction, so every sampler works with every guidance.
//
// Some evaluate the network several times at the same noisy frames, with other conditioning frames
// hidden each time, and add the predictions up. Others know some frames of the block, and replace
// them, or follow the gradient of a classifier.
//
// All scales have one convention: 1 is the network as it is, 0 is the network with those frames
// hidden, and more than 1 goes beyond the network. Weights are no scales: 0 is the network as it
// is.
package guidance

import (
	"fmt"
	"slices"
	"strings"

	"mcvd/configs"
)

// kind is a guidance: which predictions are added up, with which weights.
type kind interface {
	// branches are the predictions of the sum. Their weights add up to 1.
	branches(f configs.Frames) []branch
	// adjustment says where the sum is used, and how it is changed.
	adjustment() Adjust
	// check reports options that don't fit the model's frames.
	check(f configs.Frames) configs.Problems
}

// branch is one prediction of the sum.
type branch struct {
	visible []bool // which conditioning frames the network sees, the past's first
	weight  float64
	noise   float64 // the noise level of the past that it sees
}

// giver is a guidance that gives frames of a block.
type giver interface{ known() Known }

// reconstructing is a guidance with the weight of [Reconstruction].
type reconstructing interface{ reconstruction() float64 }

// comparing is a guidance that evaluates a second model, whose prediction has a weight in the sum.
type comparing interface {
	second() (weight float64, checkpoint string)
}

// leading is a guidance by a classifier: its weight, the run folder, and what videos should show.
type leading interface {
	leads() (weight float64, run string, classes []string)
}

// kinds are the values of sampler.guidance.name, each with the defaults of its options.
var kinds = map[string]kind{
	"none":           none{},
	"autoguidance":   Autoguidance{Scale: 1.5, Adjust: plain},
	"classifier":     Classifier{Weight: 1, Adjust: plain},
	"frames":         Frames{Past: 1.5, Future: 1.5, Adjust: plain},
	"history":        History{Scale: 1.5, Adjust: plain},
	"reconstruction": Reconstruction{Known: Known{Future: 1}, Weight: 1},
	"replacement":    Replacement{Known: Known{Future: 1}},
}

const (
	choicePath  = "sampler.guidance.name"
	optionsPath = "sampler.guidance.options"
)

// Tables are the tables of this package with their options.
func Tables() []configs.Table {
	return []configs.Table{configs.TableOf(choicePath, optionsPath, kinds)}
}

// Names lists the guidances.
func Names() []string { return configs.Names(kinds) }

// Options lists the options of the guidance of that name, in alphabetical order; none if there is no
// such guidance.
func Options(name string) []string {
	k, known := kinds[name]
	if !known {
		return nil
	}
	return configs.Names(configs.OptionsOf(k))
}

// Describe says which guidance made a video: "guidance frames (future_scale 2, past_scale 2)".
// Beside the scales it names the options that change anything. It is "" without guidance.
func Describe(c configs.Guidance) string {
	if c.Off() {
		return ""
	}
	usual := configs.OptionsOf(plain)
	var options []string
	for _, name := range configs.Names(c.Options) {
		text := fmt.Sprint(c.Options[name])
		if value, adjusts := usual[name]; text != "[]" && !(adjusts && text == fmt.Sprint(value)) {
			options = append(options, name+" "+text)
		}
	}
	return fmt.Sprintf("guidance %s (%s)", c.Name, strings.Join(options, ", "))
}

// Check reports what is wrong with a guidance for a model of those frames, settings without effect
// among it.
func Check(c configs.Guidance, f configs.Frames) error {
	k, err := read(c)
	if err != nil {
		return err
	}
	return k.check(f).Err()
}

// read returns the guidance that the configuration names, with its options.
func read(c configs.Guidance) (kind, error) {
	if c.Off() {
		return none{}, nil
	}
	return configs.Build(kinds, choicePath, c.Name, optionsPath, c.Options)
}

// none is the network as it is.
type none struct{}

func (none) branches(f configs.Frames) []branch    { return []branch{{visible: everything(f), weight: 1}} }
func (none) adjustment() Adjust                    { return plain }
func (none) check(configs.Frames) configs.Problems { return nil }

// everything is a mask that hides nothing.
func everything(f configs.Frames) []bool {
	return slices.Repeat([]bool{true}, f.Past+f.Future)
}

// without is a mask that hides the past's frames before the last n of them, and the future's if
// future is false.
func without(f configs.Frames, n int, future bool) []bool {
	visible := everything(f)
	for i := range visible {
		if i < f.Past {
			visible[i] = i >= f.Past-n
		} else {
			visible[i] = future
		}
	}
	return visible
}
