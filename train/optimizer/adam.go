package optimizer

import (
	"math"

	. "github.com/gomlx/gomlx/core/graph"

	"mcvd/configs"
	"mcvd/models"
)

// adamW is Adam (Kingma and Ba 2015, algorithm 1) with weight decay that is decoupled from the
// gradients (Loshchilov and Hutter 2019, algorithm 2), for gradients g:
//
//	mean   = beta1 mean + (1-beta1) g
//	square = beta2 square + (1-beta2) g^2
//	w      = (1 - rate decay) w - rate mean/(1-beta1^t) / (sqrt(square/(1-beta2^t)) + epsilon)
type adamW struct{ configs.Optimizer }

func newAdamW(o configs.Optimizer) optimizer { return adamW{o} }

func (adamW) state() []string { return []string{models.AdamMeanScope, models.AdamSquareScope} }

func (a adamW) coefs(update int, rate, clip float64) []float64 {
	correct1, correct2 := 1-math.Pow(a.Beta1, float64(update)), 1-math.Pow(a.Beta2, float64(update))
	return []float64{clip * (1 - a.Beta1), clip * clip * (1 - a.Beta2), rate / correct1, 1 / math.Sqrt(correct2), 1 - rate*a.WeightDecay, a.Beta1, a.Beta2, a.Epsilon}
}

func (adamW) kernel() string { return "adamw" }

func (a adamW) updateGraph(w, gradient *Node, state, coefs []*Node) (*Node, []*Node) {
	ofGradient, ofSquare, rate, correct, keep, beta1, beta2, epsilon := coefs[0], coefs[1], coefs[2], coefs[3], coefs[4], coefs[5], coefs[6], coefs[7]
	mean := Add(Mul(state[0], beta1), Mul(gradient, ofGradient))
	square := Add(Mul(state[1], beta2), Mul(Square(gradient), ofSquare))
	if a.WeightDecay > 0 {
		w = Mul(w, keep)
	}
	w = Sub(w, Div(Mul(mean, rate), Add(Mul(Sqrt(square), correct), epsilon)))
	return w, []*Node{mean, square}
}

// adam is Adam whose weight decay is added to the gradients, g + decay w after clipping, as
// PyTorch's Adam does it. Without weight decay it is the same as [adamW].
type adam struct {
	adamW // without weight decay
	decay float64
}

func newAdam(o configs.Optimizer) optimizer {
	decay := o.WeightDecay
	o.WeightDecay = 0
	if decay == 0 {
		return adamW{o}
	}
	return adam{adamW{o}, decay}
}

func (a adam) coefs(update int, rate, clip float64) []float64 {
	return append(a.adamW.coefs(update, rate, 1), clip)
}

func (adam) kernel() string { return "" }

func (a adam) updateGraph(w, gradient *Node, state, coefs []*Node) (*Node, []*Node) {
	clip := coefs[len(coefs)-1]
	return a.adamW.updateGraph(w, Add(Mul(gradient, clip), MulScalar(w, a.decay)), state, coefs)
}
