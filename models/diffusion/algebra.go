package diffusion

import . "github.com/gomlx/gomlx/core/graph"

// AddNoise samples q(x_t | x_0) for a given eps (DDPM, eq. 4).
//
// x0 and eps are [batch, frames, height, width, channels]; signal and noise are scalars or [batch, 1, 1, 1, 1].
func AddNoise(x0, eps, signal, noise *Node) *Node { return Add(Mul(signal, x0), Mul(noise, eps)) }

// X0FromEps solves [AddNoise] for x0 (DDPM, eq. 15). Errors in eps grow by noise/signal.
func X0FromEps(xt, eps, signal, noise *Node) *Node { return Div(Sub(xt, Mul(noise, eps)), signal) }

// EpsFromX0 solves [AddNoise] for eps.
func EpsFromX0(xt, x0, signal, noise *Node) *Node { return Div(Sub(xt, Mul(signal, x0)), noise) }
