package diffusion

import (
	"math"

	. "github.com/gomlx/gomlx/core/graph"

	"mcvd/configs"
)

// VariancePath is where the choice of the reverse process's variances stands.
const VariancePath = "diffusion.variance"

// variance says whether a network learns the variances of the reverse process.
type variance interface {
	// bound is the weight of the variational bound in the loss, 0 if nothing is learned by it.
	bound() float64
}

// variances are the values of diffusion.variance, each with the defaults of its options.
var variances = map[string]variance{
	"fixed":   fixedVariance{},
	"learned": learnedVariance{Weight: 0.001},
}

// Variances lists the ways to find the variances of the reverse process.
func Variances() []string { return configs.Names(variances) }

// fixedVariance leaves the variances to the sampler.
type fixedVariance struct{}

func (fixedVariance) bound() float64 { return 0 }

// learnedVariance lets the network give a number v for each value of a frame, which says where the
// variance lies between that of the posterior and beta: see [StepVariance]. They are learned by L_hybrid =
// L_simple + lambda L_vlb (Nichol and Dhariwal 2021, Improved DDPM, eq. 16), where no gradient of
// L_vlb flows to the predicted mean.
//
// L_vlb is T times the bound's term at the level that was drawn, in nats, summed over the values of a
// clip. So its expectation over uniform levels is the whole bound of the clip but for L_T, which no
// weight changes. The paper's code has the mean over values in bits beside the mean squared error,
// and this loss has half the squared error: the same lambda weighs L_vlb 2 ln 2 = 1.39 times as much
// here.
type learnedVariance struct {
	Weight float64 `yaml:"vlb_weight" range:"(0, 100]" doc:"What the variational bound of a clip, in nats, is multiplied by in the loss, from which the variances are learned (lambda of Nichol and Dhariwal 2021, section 3.1)."`
}

func (l learnedVariance) bound() float64 { return l.Weight }

// LearnsVariance says whether the network gives a number for the variance beside each value.
func (p *Process) LearnsVariance() bool { return p.variance.bound() > 0 }

// StepVariances are two variances of the level to given x at the noisier level from. beta is that of
// the forward step from to to from, and posterior is what remains of it when x0 is known, too (DDPM,
// eqs. 2 and 7). posterior is 0 where to has no noise.
func StepVariances(from, to Level) (beta, posterior float64) {
	kept := from.Signal / to.Signal * to.Noise
	beta = from.Noise*from.Noise - kept*kept
	return beta, beta * to.Noise * to.Noise / (from.Noise * from.Noise)
}

// Gain is the weight of the squared error of x0 in the step between two levels of the bound, half of
// what the step adds to the signal-to-noise ratio. Two posteriors that expect x0 and another value
// have means that differ by the weight of x0 in the mean (Ho et al. 2020, eqs. 6, 7), and Kingma et
// al. 2021 (VDM, eq. 13) show that the rest cancels. The level to has noise.
func Gain(from, to Level) float64 { return (snr(to) - snr(from)) / 2 }

// snr is the signal-to-noise ratio.
func snr(l Level) float64 { return l.Signal * l.Signal / (l.Noise * l.Noise) }

// StepVariance interpolates between the logarithms of two variances: share log beta + (1 - share) log
// posterior is the logarithm of the result (Nichol and Dhariwal 2021, eq. 15). The share is 1 for beta
// and 0 for the posterior's variance; a learned one may lie beyond both.
func StepVariance(share, logBeta, logPosterior float64) float64 {
	return math.Exp(share*logBeta + (1-share)*logPosterior)
}

// LogVarianceGraph is the logarithm of [StepVariance] in a graph.
func LogVarianceGraph(share, logBeta, logPosterior *Node) *Node {
	return Add(logPosterior, Mul(share, Sub(logBeta, logPosterior)))
}

// ShareOfV is where a variance lies of which the network says v: (v + 1)/2. Without any training, v is
// near 0, and the variance is the geometric mean of beta and the posterior's.
func ShareOfV(v *Node) *Node { return MulScalar(AddScalar(v, 1), 0.5) }

// boundRow is what [BoundGraph] needs of a level: log beta and log of the posterior's variance in the
// step to the next less noisy timestep, the step's [Gain], and the weight of the bound in the loss. At
// the least noisy timestep, where the posterior has no variance, that of the step before stands, as in
// Nichol and Dhariwal 2021; its gain is 0, which says that the term is the decoder's. All are 0
// unless variances are learned.
func (p *Process) boundRow(l Level) []float64 {
	s, discrete := p.Schedule.(*Discrete)
	if !discrete || !p.LearnsVariance() {
		return make([]float64, boundColumns)
	}
	t := max(0, min(int(math.Ceil(float64(s.Steps()-1)-l.Label)), s.Steps()-1))
	to, gain := Clean, 0.0
	if t > 0 {
		to = s.At(t - 1)
		gain = Gain(l, to)
	}
	beta, posterior := StepVariances(l, to)
	if t == 0 {
		_, posterior = StepVariances(s.At(1), l)
	}
	return []float64{math.Log(beta), math.Log(posterior), gain, p.variance.bound() * float64(s.Steps())}
}

// BoundGraph is the bound's term at a level for each frame, in nats, [batch, frames]: L_(t-1) of Ho et
// al. 2020, eq. 5, which is the divergence of the posterior from the step whose mean is that of the
// predicted clean frames and whose variance has the given share. At the least noisy timestep it is
// the decoder's, L_0. No gradient flows to the predicted frames. All are [batch, frames, height, width,
// channels].
func BoundGraph(x0, predicted, share *Node, l LevelNodes) *Node {
	predicted = StopGradient(predicted)
	logVariance := LogVarianceGraph(share, l.LogBeta, l.LogPosterior)
	logRatio := Sub(l.LogPosterior, logVariance)
	spread := MulScalar(Sub(AddScalar(Exp(logRatio), -1), logRatio), 0.5)
	step := Add(spread, Mul(Mul(Exp(logRatio), l.Gain), Square(Sub(x0, predicted))))
	decoder := Neg(LogGreyGraph(x0, predicted, Exp(MulScalar(logVariance, 0.5))))
	gain := BroadcastToDims(l.Gain, x0.Shape().Dimensions...)
	return sumFrames(Where(GreaterThan(gain, ZerosLike(gain)), step, decoder))
}
