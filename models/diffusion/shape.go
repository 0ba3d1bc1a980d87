package diffusion

import "math"

// Shape are changes to a finished discrete schedule.
type Shape struct {
	Shift        float64 `yaml:"shift" range:"[0.01, 100]" doc:"How many times as much noise there is for the signal. More than 1 suits larger frames, whose neighbouring pixels tell more: size/64 makes up for it. 1 changes nothing."`
	ZeroTerminal bool    `yaml:"zero_terminal" doc:"Whether the noisiest timestep is rescaled to have no signal at all. It needs another diffusion.target than eps."`
}

// unshaped changes nothing.
var unshaped = Shape{Shift: 1}

// of makes the changes: noise/signal times the shift (Hoogeboom et al. 2023, simple diffusion, eq. 4),
// and then a linear map of the signal that keeps it at t = 0 and makes it 0 at t = T-1 (Lin et al.
// 2024, algorithm 1).
func (s Shape) of(d *Discrete, err error) (Schedule, error) {
	if err != nil {
		return nil, err
	}
	if s.Shift != 1 {
		for t, a := range d.AlphaBar {
			d.AlphaBar[t] = a / (a + (1-a)*s.Shift*s.Shift)
		}
	}
	if s.ZeroTerminal {
		first, last := math.Sqrt(d.AlphaBar[0]), math.Sqrt(d.AlphaBar[len(d.AlphaBar)-1])
		for t, a := range d.AlphaBar {
			signal := (math.Sqrt(a) - last) * first / (first - last)
			d.AlphaBar[t] = signal * signal
		}
	}
	return d, nil
}

// sigmoid has an alphaBar that falls as a logistic function (Jabri et al. 2023, algorithm 4).
type sigmoid struct {
	Start       float64 `yaml:"sigmoid_start" range:"[-20, 0]" doc:"Where on the logistic function t = 0 lies, times the temperature."`
	End         float64 `yaml:"sigmoid_end" range:"[0.1, 20]" doc:"Where on the logistic function t = T lies, times the temperature."`
	Temperature float64 `yaml:"sigmoid_temperature" range:"[0.05, 20]" doc:"How flat the logistic function is."`
	Shape       `yaml:",inline"`
}

// maxSigmoidBeta keeps some signal at the last timestep, where the formula has none.
const maxSigmoidBeta = 0.999

func (g sigmoid) schedule(steps int) (Schedule, error) {
	logistic := func(t float64) float64 { return 1 / (1 + math.Exp(-(g.Start+t*(g.End-g.Start))/g.Temperature)) }
	alphaBar := func(t int) float64 {
		return (logistic(1) - logistic(float64(t)/float64(steps))) / (logistic(1) - logistic(0))
	}
	betas := make([]float64, steps)
	for t := range betas {
		betas[t] = min(1-alphaBar(t+1)/alphaBar(t), maxSigmoidBeta)
	}
	return g.of(ofBetas("sigmoid", betas))
}
