package runs

import "math"

// maxPoints is how many points a curve has at most: about as many as a wide screen has pixels.
const maxPoints = 2048

// Point is a point of a curve, the mean of one or more values that follow each other.
type Point struct {
	Step  int     // of the last of them
	Time  float64 // of the last of them, in seconds since 1970; 0 if that is not known
	Value float64 // the mean of those that are finite; NaN if none is

	finite int // how many are
}

// Curve is the course of a quantity, thinned for display. If there are too many values, each point
// is the mean of Width of them; the last point may have fewer.
type Curve struct {
	Points []Point
	Width  int
	// Values is how many values there are; Last is the last one.
	Values int
	Last   float64

	filled int // how many values the last point is of
}

func (c *Curve) add(p Point) {
	c.Last, c.Width = p.Value, max(c.Width, 1)
	c.Values++
	if p.finite = 1; math.IsNaN(p.Value) || math.IsInf(p.Value, 0) {
		p.Value, p.finite = math.NaN(), 0
	}
	if n := len(c.Points); n > 0 && c.filled < c.Width {
		c.Points[n-1] = merge(c.Points[n-1], p)
		c.filled++
		return
	}
	if len(c.Points) == maxPoints {
		c.halve()
	}
	c.Points, c.filled = append(c.Points, p), 1
}

// halve makes one point of two.
func (c *Curve) halve() {
	half := c.Points[:0]
	for i := 0; i+1 < len(c.Points); i += 2 {
		half = append(half, merge(c.Points[i], c.Points[i+1]))
	}
	c.Points, c.Width = half, 2*c.Width
}

// merge is one point of two that follow each other.
func merge(a, b Point) Point {
	n := a.finite + b.finite
	switch {
	case b.finite == 0:
		b.Value = a.Value
	case a.finite > 0:
		b.Value = a.Value*(float64(a.finite)/float64(n)) + b.Value*(float64(b.finite)/float64(n))
	}
	b.finite = n
	return b
}

// Smooth is an exponential moving average of values. Its weights sum up to 1 from the first value
// on, so it doesn't begin at 0. Weight, in [0, 1), is that of the values before. Values that are
// NaN are left out and stay NaN.
func Smooth(values []float64, weight float64) []float64 {
	smooth := make([]float64, len(values))
	sum, total := 0.0, 0.0
	for i, x := range values {
		smooth[i] = x
		if !math.IsNaN(x) {
			sum, total = weight*sum+(1-weight)*x, weight*total+(1-weight)
			smooth[i] = sum / total
		}
	}
	return smooth
}
