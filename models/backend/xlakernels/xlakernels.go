// Package xlakernels gives XLA's CPU plugin kernels of its own, without a change to any library: 3x3
// convolutions by Winograd's F(4x4,3x3) (arXiv 1509.09308), 1x1 convolutions, group norm with SiLU, attention, and their
// gradients.
//
// [Register] hands go-xla the plugin's own table of functions with one of them replaced, the one that
// compiles. That one replaces operations in the text of a program by custom calls ([Rewrite]) and
// passes the program on. XLA calls the kernels, in C, while it runs the program. README.md in this
// folder says more.
package xlakernels

import (
	"log/slog"
	"maps"
	"sync"
	"time"

	"mcvd/models/backend/compiled"
)

// What says in a few words what has kernels.
const What = "convolutions (3x3 by Winograd, 1x1), norms with SiLU, attention, random numbers, AdamW"

// Prefix begins the names of functions in a program that stand for a kernel: Prefix, a name of [Calls],
// "__" and anything. The function's body says what it computes, and the kernel computes the same, so a
// program means the same with and without kernels.
const Prefix = "mcvd_kernel_"

// Calls are the kernels that functions stand for. x is [B,H,W,C], v is like x, and the coefficients k
// are [B,n,C]; C is a multiple of [Channels], and all are float32:
//
//	sums(x)          [B,2,C]: the sums over pixels of x and of its square
//	sums(x, v, k)    the sums of v' x and of v', where v' is v, in sums_silu times the slope of SiLU at x k0 + k1
//	affine(x, k)     x k0 + k1, in affine_silu SiLU of that
//	affine(x, v, k)  v' k0 + k2 + x k3
//
// gain and bias are like x:
//
//	spatial(x, gain, bias, k)  (x k0 + k1) gain + bias, times k2, plus k3, in spatial_silu SiLU of that
//
// w is [3,3,C,O] or [1,1,C,O], bias [O] and to [B,H,W,O]; O is a multiple of [Channels], too:
//
//	conv_bias(x, w, bias)      x convolved with w, plus bias
//	conv_bias(x, w, bias, to)  that plus to, by sqrt(2)
//
// q, k and v and the adjoint dy are [B,P,heads,D]; P and D are multiples of [Channels]:
//
//	attention(q, k, v)               for each pixel the sum of v, weighed by softmax(q k / sqrt(D))
//	attention_gradient(q, k, v, dy)  [3,B,P,heads,D]: the adjoints of q, k and v
//
// Arrays of any shape, all alike, and the numbers k [10]:
//
//	adamw(g, k, w, mean, square, average)  the last four after an update by the gradients g:
//	    mean = k7 mean + k2 g, square = k8 square + k3 g^2, w = k6 w - k4 mean / (k5 sqrt(square) + k9),
//	    average = k0 average + k1 w
var Calls = map[string]bool{
	"conv_bias": true, "sums": true, "sums_silu": true, "affine": true, "affine_silu": true,
	"spatial": true, "spatial_silu": true, "attention": true, "attention_gradient": true, "adamw": true,
}

// Channels divides the number of channels of images that kernels serve, those of a convolution on both
// sides: they are a line of the cache, one or two vectors.
const Channels = 16

// Vectors are the processor's vectors for which kernels were compiled; the number is that of their
// floats.
type Vectors int

const (
	None   Vectors = 0 // no kernels
	AVX2   Vectors = 8 // with FMA
	AVX512 Vectors = 16
)

// String is the name that processors' makers give them.
func (v Vectors) String() string {
	return map[Vectors]string{None: "none", AVX2: "AVX2", AVX512: "AVX-512"}[v]
}

// Options say what a plugin gets.
type Options struct {
	// Kernels serve its programs, or none.
	Kernels Vectors
	// Cache has the executables of programs that were compiled before; nil for none.
	Cache *compiled.Cache
	// Machine says on what, besides plugin and program, an executable depends: the processor, the
	// environment. Executables of other machines in the cache are not used.
	Machine string
}

// Report is what has become of programs since the process began.
type Report struct {
	Programs  int            // given to Rewrite
	Rewritten map[string]int // operations, by kernel
	Kept      map[string]int // convolutions, calls of functions and random numbers that no kernel serves
	Time      time.Duration  // spent rewriting
	Refused   int            // rewritten programs that XLA refused, so that the plain ones ran
	Refusal   string         // why, of the last
	Loaded    int            // executables that came from the cache
	Stored    int            // executables that went into it
	Lost      int            // executables that couldn't be kept or loaded
}

var totals = struct {
	sync.Mutex
	Report
}{Report: Report{Rewritten: map[string]int{}, Kept: map[string]int{}}}

// Totals is the report so far.
func Totals() Report {
	totals.Lock()
	defer totals.Unlock()
	r := totals.Report
	r.Rewritten, r.Kept = maps.Clone(r.Rewritten), maps.Clone(r.Kept)
	return r
}

// add counts a program.
func (r *Report) add(rewritten, kept map[string]int, took time.Duration) {
	r.Programs++
	for kernel, n := range rewritten {
		r.Rewritten[kernel] += n
	}
	for what, n := range kept {
		r.Kept[what] += n
	}
	r.Time += took
}

// refuse counts a program that was refused, and warns of the first: such a program is slower, and a
// user who knows can report it.
func refuse(why string) {
	totals.Lock()
	defer totals.Unlock()
	if totals.Refused == 0 {
		slog.Warn("XLA refused a program with the kernels of mcvd, which now runs without them, more slowly; MCVD_KERNELS=off avoids this warning", "reason", why)
	}
	totals.Refused++
	totals.Refusal = why
}
