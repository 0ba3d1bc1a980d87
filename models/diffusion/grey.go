package diffusion

import (
	"math"

	. "github.com/gomlx/gomlx/core/graph"
)

// GreyStep is the distance between two levels of grey: there are 256 in [-1, 1].
const GreyStep = 2 / 255.0

// LogGrey is the logarithm of the probability that a normal distribution gives to a level of grey:
// to the interval around it, which reaches to infinity for black and white (Ho et al. 2020, eq. 13).
func LogGrey(x, mean, std float64) float64 {
	low, high := (x-GreyStep/2-mean)/std, (x+GreyStep/2-mean)/std
	if x < -1+GreyStep/2 {
		low = math.Inf(-1)
	}
	if x > 1-GreyStep/2 {
		high = math.Inf(1)
	}
	return logInterval(low, high)
}

// logInterval is the logarithm of the probability that a standard normal variable lies between low and
// high. It is exact far out, too, where both tails are 0 in float64.
func logInterval(low, high float64) float64 {
	if low+high < 0 {
		low, high = -high, -low // the same by symmetry, with the near end first
	}
	if low < 20 {
		return math.Log((math.Erfc(low/math.Sqrt2) - math.Erfc(high/math.Sqrt2)) / 2)
	}
	ratio := low / high * math.Exp((low-high)*(low+high)/2) // of the tails
	return -low*low/2 - math.Log(low*math.Sqrt(2*math.Pi)) - math.Log1p(1/(low*low)) + math.Log1p(-ratio)
}

// LogGreyGraph is [LogGrey] in a graph, in float32, for values that are all of one shape. It and its
// gradient are finite wherever the mean is.
func LogGreyGraph(x, mean, std *Node) *Node {
	low, high := Div(Sub(AddScalar(x, -GreyStep/2), mean), std), Div(Sub(AddScalar(x, GreyStep/2), mean), std)
	black := LessThan(x, scalar(x, -1+GreyStep/2))
	white := GreaterThan(x, scalar(x, 1-GreyStep/2))
	far := LessThan(Add(low, high), ScalarZero(x.Graph(), x.DType()))
	near, end := Where(far, Neg(high), low), Where(far, Neg(low), high)
	inside := Log(MaxScalar(OneMinus(Add(Exp(logTail(Neg(near))), Exp(logTail(end)))), smallest))
	// Where near is not above 0, the interval has the mean in it.
	aside := logTail(near)
	outside := Add(aside, Log(MaxScalar(OneMinus(Exp(Sub(logTail(end), aside))), smallest)))
	between := Where(LessThan(near, ScalarZero(x.Graph(), x.DType())), inside, outside)
	return Where(black, logBeyond(Neg(high)), Where(white, logBeyond(low), between))
}

// smallest keeps logarithms finite where float32 rounds a difference to 0.
const smallest = 1e-7

// logBeyond is the logarithm of the probability that a standard normal variable is above x.
func logBeyond(x *Node) *Node {
	return Where(LessThan(x, ScalarZero(x.Graph(), x.DType())), Log1p(Neg(Exp(logTail(Neg(x))))), logTail(x))
}

// logTail is [logBeyond] for x from 0 on, and its value at 0 below. erfc(z) = t exp(-z^2 + a
// polynomial in t) with t = 1/(1 + z/2) is right to 1.2e-7 of itself at any z from 0 on (Press et al.
// 1992, Numerical Recipes, section 6.2).
func logTail(x *Node) *Node {
	z := DivScalar(MaxScalar(x, 0.0), math.Sqrt2)
	t := Reciprocal(OnePlus(MulScalar(z, 0.5)))
	polynomial := ScalarZero(x.Graph(), x.DType())
	for _, c := range []float64{0.17087277, -0.82215223, 1.48851587, -1.13520398, 0.27886807, -0.18628806, 0.09678418, 0.37409196, 1.00002368, -1.26551223} {
		polynomial = AddScalar(Mul(polynomial, t), c)
	}
	return AddScalar(Sub(Add(Log(t), polynomial), Square(z)), -math.Ln2)
}

// scalar is a constant of the type of x.
func scalar(x *Node, value float64) *Node { return Scalar(x.Graph(), x.DType(), value) }
