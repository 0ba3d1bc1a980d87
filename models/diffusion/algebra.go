package diffusion

import . "github.com/gomlx/gomlx/core/graph"

// The algebra of a level: x_t = signal x0 + noise eps, and every other quantity follows from two of
// these. In all functions x0, eps, v, score and x_t are [batch, frames, height, width, channels];
// signal and noise are scalars or [batch, 1 or frames, 1, 1, 1]. Nothing here assumes that signal^2
// + noise^2 is 1.

// AddNoise samples q(x_t | x_0) for a given eps (DDPM, eq. 4).
func AddNoise(x0, eps, signal, noise *Node) *Node { return Add(Mul(signal, x0), Mul(noise, eps)) }

// X0FromEps solves [AddNoise] for x0 (DDPM, eq. 15). Errors in eps grow by noise/signal.
func X0FromEps(xt, eps, signal, noise *Node) *Node { return Div(Sub(xt, Mul(noise, eps)), signal) }

// EpsFromX0 solves [AddNoise] for eps.
func EpsFromX0(xt, x0, signal, noise *Node) *Node { return Div(Sub(xt, Mul(signal, x0)), noise) }

// V is the velocity, signal eps - noise x0 (Salimans and Ho 2022, section 4).
func V(x0, eps, signal, noise *Node) *Node { return Sub(Mul(signal, eps), Mul(noise, x0)) }

// X0FromV solves [AddNoise] and [V] for x0: (signal x_t - noise v) / (signal^2 + noise^2). It is
// finite also where the signal is 0.
func X0FromV(xt, v, signal, noise *Node) *Node {
	return Div(Sub(Mul(signal, xt), Mul(noise, v)), Add(Square(signal), Square(noise)))
}

// EpsFromV solves [AddNoise] and [V] for eps: (noise x_t + signal v) / (signal^2 + noise^2).
func EpsFromV(xt, v, signal, noise *Node) *Node {
	return Div(Add(Mul(noise, xt), Mul(signal, v)), Add(Square(signal), Square(noise)))
}

// Score is the gradient of log q(x_t | x_0), -eps/noise (Song et al. 2021, section 3).
func Score(eps, noise *Node) *Node { return Neg(Div(eps, noise)) }

// EpsFromScore solves [Score] for eps.
func EpsFromScore(score, noise *Node) *Node { return Neg(Mul(noise, score)) }
