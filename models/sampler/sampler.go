// Package sampler turns noise into frames: the reverse processes, their table, and the loop that
// drives them.
package sampler

import (
	"errors"

	. "github.com/gomlx/gomlx/core/graph"

	"mcvd/configs"
	"mcvd/models/diffusion"
)

// Denoiser builds the network's prediction for x at a level. Conditioning frames and masks are
// already bound.
type Denoiser func(x *Node, at diffusion.LevelNodes) diffusion.Prediction

// Step is one step of the reverse process.
type Step struct {
	From, To diffusion.Level
	// At are the levels at which the step evaluates the network, in order.
	At []diffusion.Level
	// Clip says whether predicted clean frames are kept in [-1, 1].
	Clip bool
}

// Sampler is a reverse process: its steps in [Sampler.Steps], its scalars in [Sampler.Coefs], its
// formula in [Sampler.StepGraph].
type Sampler interface {
	// Steps are the steps through levels of s, from the noisiest to [diffusion.Clean], which is the
	// last.
	Steps(levels []diffusion.Level, s diffusion.Schedule) []Step
	// History is the number of tensors shaped like x that a step hands to the next one. They are
	// zeros for the first step.
	History() int
	// Noisy says whether steps use State.Noise.
	Noisy() bool
	// Coefs returns the scalars of steps[i], computed on the host in float64, with the same names
	// for every step. There are no steps before the first and after the last of steps.
	Coefs(steps []Step, i int) Coefs
	// StepGraph builds one step. Scalars are inputs, so one compiled program serves every step with
	// as many evaluations.
	StepGraph(denoise Denoiser, in State, c CoefNodes) (x *Node, history []*Node)
}

// Coefs are a step's scalars by name, CoefNodes the same in a graph.
type (
	Coefs     map[string]float64
	CoefNodes map[string]*Node
)

// State is what a step starts from. Noise is standard normal, shaped like X, and nil unless the
// sampler is Noisy.
type State struct {
	X, Noise *Node
	At       []diffusion.LevelNodes // of Step.At, scalars
	History  []*Node
}

// samplers are the values of sampler.name, each with the defaults of its options.
var samplers = map[string]Sampler{
	ConsistencyName:   Consistency{},
	"ddim":            DDIM{},
	"ddpm":            DDPM{Variance: Posterior},
	"dpmpp_2m":        DPMSolver2M{},
	"dpmpp_2m_sde":    DPMSolver2MSDE{Eta: 1},
	"dpmpp_2s":        DPMSolver2S{},
	"dpmpp_3m":        DPMSolver3M{},
	"dpmpp_3m_sde":    DPMSolver3MSDE{Eta: 1},
	"euler":           Euler{},
	"euler_ancestral": EulerAncestral{Eta: 1},
	"heun":            Heun{},
	"heun_churn":      DefaultHeunChurn(),
	"langevin":        DefaultLangevin(),
	"lms":             LMS{Order: 4},
	"pc":              PC{Ratio: 0.16},
	"pndm":            PNDM{},
	"restart":         DefaultRestart(),
	"unipc":           UniPC{Order: 3, Variant: "bh2"},
}

// optionsPath is where the options of samplers stand. Spacings may have some there, too.
const optionsPath = "sampler.options"

// New returns the sampler that the configuration names, with its options.
func New(c configs.Sampler) (Sampler, error) {
	s, _, err := choose(c)
	return s, err
}

// choose returns the sampler and the spacing that the configuration names. Their options stand in
// one section, so they are read together.
func choose(c configs.Sampler) (Sampler, spacing, error) {
	s, samplerErr := configs.Pick(samplers, "sampler.name", c.Name)
	space, spacingErr := configs.Pick(spacings, "sampler.spacing", c.Spacing)
	if err := errors.Join(samplerErr, spacingErr); err != nil {
		return nil, nil, err
	}
	ofSampler, getSampler := configs.Copy(s)
	ofSpacing, getSpacing := configs.Copy(space)
	if err := c.Options.Decode(optionsPath, ofSampler, ofSpacing); err != nil {
		return nil, nil, err
	}
	s, space = getSampler(), getSpacing()
	if of, ok := s.(checked); ok {
		err := of.check()
		return s, space, err
	}
	return s, space, nil
}

// checked is a sampler whose options may contradict each other.
type checked interface{ check() error }

// Tables are the tables of this package with their options.
func Tables() []configs.Table {
	return []configs.Table{
		configs.TableOf("sampler.name", optionsPath, samplers),
		configs.TableOf("sampler.spacing", optionsPath, spacings),
	}
}

// Names lists the samplers.
func Names() []string { return configs.Names(samplers) }

// single is embedded in samplers that evaluate the network once a step, where the step begins.
type single struct{}

// Steps is one step from each level to the next.
func (single) Steps(levels []diffusion.Level, _ diffusion.Schedule) []Step {
	var steps []Step
	for i, from := range levels[:len(levels)-1] {
		steps = append(steps, Step{From: from, To: levels[i+1], At: []diffusion.Level{from}})
	}
	return steps
}

// Sum adds its terms, so that a formula reads from left to right.
func Sum(first *Node, rest ...*Node) *Node {
	for _, term := range rest {
		first = Add(first, term)
	}
	return first
}
