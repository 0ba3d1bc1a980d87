// Package resize scales frames as the programs do that made the published data sets, to the byte.
// They filter the rows and then the columns, with weights in fixed-point numbers.
package resize

import (
	"fmt"
	"math"
)

// Filter is how the pixels of a frame become those of one of another size.
type Filter string

const (
	// Bilinear is PIL's BILINEAR: a triangle that covers, when a frame is made smaller, all pixels that
	// fall into one.
	Bilinear Filter = "bilinear"
	// Lanczos is PIL's LANCZOS: a sinc of three lobes, as wide as the frame is made smaller.
	Lanczos Filter = "lanczos"
	// OpenCV is OpenCV's INTER_LINEAR. It mixes the two nearest pixels however much smaller the frame is
	// made, so that others are skipped.
	OpenCV Filter = "opencv"
)

// Check reports a filter that there is not.
func (f Filter) Check() error {
	if f != Bilinear && f != Lanczos && f != OpenCV {
		return fmt.Errorf("filter: unknown %q, want %s, %s or %s", string(f), Bilinear, Lanczos, OpenCV)
	}
	return nil
}

// Frame is an 8-bit frame, row-major [height, width, channels].
type Frame struct {
	Pix                     []uint8
	Height, Width, Channels int
}

// NewFrame makes a black frame.
func NewFrame(height, width, channels int) Frame {
	return Frame{make([]uint8, height*width*channels), height, width, channels}
}

// Middle is a part of a size in the middle. Where sides differ by an odd number, it lies half a pixel to
// the left or above.
func (f Frame) Middle(height, width int) Frame {
	top, left := (f.Height-height)/2, (f.Width-width)/2
	out := NewFrame(height, width, f.Channels)
	line := width * f.Channels
	for y := range height {
		copy(out.Pix[y*line:][:line], f.Pix[((top+y)*f.Width+left)*f.Channels:])
	}
	return out
}

// Resizer scales frames of one size to another.
type Resizer struct {
	height, width int // of the frames that it reads
	rows, columns []taps
	passes        func(r *Resizer, in, out Frame)
}

// New makes a resizer from height x width to newHeight x newWidth, all 1 or more. f must be one of the
// filters.
func New(f Filter, height, width, newHeight, newWidth int) *Resizer {
	r := &Resizer{height: height, width: width, passes: (*Resizer).pil}
	make := weighted(f)
	if f == OpenCV {
		make, r.passes = nearest, (*Resizer).openCV
	}
	r.rows, r.columns = make(height, newHeight), make(width, newWidth)
	return r
}

// Into scales in, which has the size that the resizer was made for, into out, which has the other.
func (r *Resizer) Into(in, out Frame) {
	if in.Height != r.height || in.Width != r.width || out.Height != len(r.rows) || out.Width != len(r.columns) {
		panic(fmt.Sprintf("resize: %dx%d to %dx%d, want %dx%d to %dx%d", in.Height, in.Width, out.Height, out.Width,
			r.height, r.width, len(r.rows), len(r.columns)))
	}
	r.passes(r, in, out)
}

// taps are the pixels of a line that one new pixel is made of: the number of the first, and the weights
// in units of 1 over a power of two.
type taps struct {
	first   int
	weights []int32
}

// pilBits is how many binary digits PIL's weights have after the point.
const pilBits = 32 - 8 - 2

// weighted makes the taps of one of PIL's filters.
func weighted(f Filter) func(from, to int) []taps {
	support, weight := 1.0, triangle
	if f == Lanczos {
		support, weight = 3, lanczos
	}
	return func(from, to int) []taps {
		scale := float64(from) / float64(to)
		stretch := max(scale, 1) // a frame that is made larger is interpolated
		out := make([]taps, to)
		for i := range out {
			center := (float64(i) + 0.5) * scale
			first := max(0, int(center-support*stretch+0.5))
			end := min(from, int(center+support*stretch+0.5))
			weights, sum := make([]float64, end-first), 0.0
			for k := range weights {
				weights[k] = weight((float64(first+k) - center + 0.5) * (1 / stretch))
				sum += weights[k]
			}
			t := taps{first, make([]int32, len(weights))}
			for k, w := range weights {
				if sum != 0 {
					w /= sum
				}
				t.weights[k] = int32(math.Trunc(w*(1<<pilBits) + math.Copysign(0.5, w)))
			}
			out[i] = t
		}
		return out
	}
}

func triangle(x float64) float64 { return max(0, 1-math.Abs(x)) }

func lanczos(x float64) float64 {
	if !(-3 <= x && x < 3) {
		return 0
	}
	return sinc(x) * sinc(x/3)
}

func sinc(x float64) float64 {
	if x == 0 {
		return 1
	}
	return math.Sin(x*math.Pi) / (x * math.Pi)
}

// pil filters the rows and then the columns, each rounded to bytes. A direction that keeps its size is
// not filtered.
func (r *Resizer) pil(in, out Frame) {
	wide := in
	if len(r.columns) != in.Width {
		wide = NewFrame(in.Height, out.Width, in.Channels)
		for y := range in.Height {
			from, to := in.Pix[y*in.Width*in.Channels:], wide.Pix[y*wide.Width*in.Channels:]
			mix(to, from, r.columns, in.Channels, in.Channels, in.Channels)
		}
	}
	if len(r.rows) == in.Height {
		copy(out.Pix, wide.Pix)
		return
	}
	line := out.Width * out.Channels
	mix(out.Pix, wide.Pix, r.rows, line, line, line)
}

// mix makes each new position of to from those of from that its taps name. Positions are step values
// apart in from, and stride in to; count values, one behind the other, are mixed alike.
func mix(to, from []uint8, all []taps, step, stride, count int) {
	for i, t := range all {
		for c := range count {
			sum := int32(1 << (pilBits - 1))
			at := t.first*step + c
			for _, w := range t.weights {
				sum += int32(from[at]) * w
				at += step
			}
			to[i*stride+c] = uint8(min(255, max(0, sum>>pilBits)))
		}
	}
}

// openCVBits is how many binary digits OpenCV's weights have after the point.
const openCVBits = 11

// nearest makes the taps of OpenCV's INTER_LINEAR. The first or the second of them may lie outside of
// the line.
func nearest(from, to int) []taps {
	scale := float64(from) / float64(to)
	out := make([]taps, to)
	for i := range out {
		at := float32((float64(i)+0.5)*scale - 0.5)
		first := int(math.Floor(float64(at)))
		share := at - float32(first)
		fixed := func(x float32) int32 { return int32(math.RoundToEven(float64(x * (1 << openCVBits)))) }
		out[i] = taps{first, []int32{fixed(1 - share), fixed(share)}}
	}
	return out
}

// pair are the positions of two taps in a line of n pixels, whose ends go on outside of it.
func (t taps) pair(n int) (first, second int) {
	return min(max(t.first, 0), n-1), min(max(t.first+1, 0), n-1)
}

// openCV mixes the columns without rounding, and then the rows with the rounding of OpenCV's code for
// vectors, which drops digits on the way.
func (r *Resizer) openCV(in, out Frame) {
	wide := make([]int32, in.Height*out.Width*in.Channels)
	line := out.Width * in.Channels
	for y := range in.Height {
		row := in.Pix[y*in.Width*in.Channels:][:in.Width*in.Channels]
		for x, t := range r.columns {
			first, second := t.pair(in.Width)
			for c := range in.Channels {
				wide[y*line+x*in.Channels+c] = int32(row[first*in.Channels+c])*t.weights[0] + int32(row[second*in.Channels+c])*t.weights[1]
			}
		}
	}
	for y, t := range r.rows {
		first, second := t.pair(in.Height)
		above, below := wide[first*line:][:line], wide[second*line:][:line]
		for x := range line {
			a, b := t.weights[0]*(above[x]>>4)>>16, t.weights[1]*(below[x]>>4)>>16
			out.Pix[y*line+x] = uint8(min(255, max(0, (a+b+2)>>2)))
		}
	}
}
