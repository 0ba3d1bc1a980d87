package metric

import (
	"math"

	"mcvd/data/clips"
)

const (
	flowRadius     = 3    // a window has 7x7 pixels
	flowCoarsest   = 16   // pixels: smaller frames are not halved
	flowIterations = 15   // steps at each size, at most
	flowPrecise    = 0.01 // pixels: a step below ends the search
	// flowDamping is added to the squared gradients of a window. Where there is no texture but
	// noise of a grey level, points stay where they are.
	flowDamping = (2*flowRadius + 1) * (2*flowRadius + 1)
)

// picture is a grey frame or another number for each pixel, row-major. Pixels beyond the border are
// like those at it.
type picture struct {
	height, width int
	pix           []float64
}

func newPicture(height, width int) picture {
	return picture{height, width, make([]float64, height*width)}
}

// at is the value between the centres of pixels, bilinear.
func (p picture) at(y, x float64) float64 {
	y, x = min(max(y, 0), float64(p.height-1)), min(max(x, 0), float64(p.width-1))
	top, left := int(y), int(x)
	bottom, right := min(top+1, p.height-1), min(left+1, p.width-1)
	fy, fx := y-float64(top), x-float64(left)
	return (1-fy)*((1-fx)*p.pix[top*p.width+left]+fx*p.pix[top*p.width+right]) +
		fy*((1-fx)*p.pix[bottom*p.width+left]+fx*p.pix[bottom*p.width+right])
}

// half has half the height and width. Each pixel is the mean of four.
func (p picture) half() picture {
	h := newPicture(p.height/2, p.width/2)
	for i := range h.pix {
		at := 2*(i/h.width)*p.width + 2*(i%h.width)
		h.pix[i] = (p.pix[at] + p.pix[at+1] + p.pix[at+p.width] + p.pix[at+p.width+1]) / 4
	}
	return h
}

// slopes are the central differences along height and width.
func (p picture) slopes() (dy, dx picture) {
	dy, dx = newPicture(p.height, p.width), newPicture(p.height, p.width)
	for i := range p.pix {
		y, x := float64(i/p.width), float64(i%p.width)
		dy.pix[i] = (p.at(y+1, x) - p.at(y-1, x)) / 2
		dx.pix[i] = (p.at(y, x+1) - p.at(y, x-1)) / 2
	}
	return dy, dx
}

// flowLevel is a frame at one size, with its slopes.
type flowLevel struct{ grey, dy, dx picture }

// pyramid is a frame at its own size, at half of it, and so on.
func pyramid(frame clips.Clip) (levels []flowLevel) {
	p := newPicture(frame.Height, frame.Width)
	for i := range p.pix {
		p.pix[i] = grey(frame.Pix[i*frame.Channels : (i+1)*frame.Channels])
	}
	for {
		dy, dx := p.slopes()
		levels = append(levels, flowLevel{p, dy, dx})
		if min(p.height, p.width) < 2*flowCoarsest {
			return levels
		}
		p = p.half()
	}
}

// place is a point of a frame or how far one moves, in pixels.
type place struct{ y, x float64 }

// follow finds where the point p of one frame is in the next one (Lucas and Kanade, 1981, in the
// inverse compositional form of Baker and Matthews, 2004): how far its window has to move so that
// it looks the same. Large movements are found at small sizes first (Bouguet, 2001). The point
// stays in the frame.
func follow(from, to []flowLevel, p place) place {
	var moved place // at the size before, which is half of the next one
	for level := len(from) - 1; level >= 0; level-- {
		scale := math.Ldexp(1, -level)
		at := place{(p.y+0.5)*scale - 0.5, (p.x+0.5)*scale - 0.5}
		moved = newWindow(from[level], at).match(to[level].grey, place{2 * moved.y, 2 * moved.x})
	}
	return place{p.y + moved.y, p.x + moved.x}
}

// window is what surrounds a point.
type window struct {
	at         place
	values     []float64
	dy, dx     []float64
	yy, yx, xx float64 // sums of products of slopes
}

func newWindow(l flowLevel, at place) *window {
	w := &window{at: at, yy: flowDamping, xx: flowDamping}
	w.each(place{}, func(y, x float64) {
		dy, dx := l.dy.at(y, x), l.dx.at(y, x)
		w.values, w.dy, w.dx = append(w.values, l.grey.at(y, x)), append(w.dy, dy), append(w.dx, dx)
		w.yy, w.yx, w.xx = w.yy+dy*dy, w.yx+dy*dx, w.xx+dx*dx
	})
	return w
}

// each calls f with the places of a moved window's pixels.
func (w *window) each(moved place, f func(y, x float64)) {
	for i := -flowRadius; i <= flowRadius; i++ {
		for j := -flowRadius; j <= flowRadius; j++ {
			f(w.at.y+moved.y+float64(i), w.at.x+moved.x+float64(j))
		}
	}
}

// match is how far the window moves to look most like the next frame, from a first guess on. It
// goes on while the squared difference becomes less.
func (w *window) match(next picture, moved place) (best place) {
	least := math.Inf(1)
	for range flowIterations {
		// The point stays in the frame.
		moved.y = min(max(moved.y, -w.at.y), float64(next.height-1)-w.at.y)
		moved.x = min(max(moved.x, -w.at.x), float64(next.width-1)-w.at.x)
		var squares, y, x float64 // of the difference, and its products with the slopes
		i := 0
		w.each(moved, func(row, column float64) {
			d := next.at(row, column) - w.values[i]
			squares, y, x = squares+d*d, y+d*w.dy[i], x+d*w.dx[i]
			i++
		})
		if !(squares < least) {
			return best
		}
		best, least = moved, squares
		determinant := w.yy*w.xx - w.yx*w.yx // above 0 by the damping
		step := place{(w.xx*y - w.yx*x) / determinant, (w.yy*x - w.yx*y) / determinant}
		moved = place{moved.y - step.y, moved.x - step.x}
		if math.Hypot(step.y, step.x) < flowPrecise {
			return best
		}
	}
	return best
}
