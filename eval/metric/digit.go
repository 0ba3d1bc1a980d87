package metric

import (
	"fmt"
	"math"
	"sync"

	"mcvd/data/clips"
	"mcvd/data/digits"
)

const (
	// digitSide is the most pixels in height and width at which frames are compared. Larger ones
	// are first halved by averaging. This is enough to read a digit, and the cost of the search
	// grows with the fourth power.
	digitSide = 31
	// smallestDigit is the smallest box that is searched for, in pixels; a digit is 5/7 as high.
	// Smaller ones can't be told apart.
	smallestDigit = 6
	// clearDigit is the least mean correlation of a real video's frames with its digit. Below it,
	// the video shows something else.
	clearDigit = 0.8
)

// digitReader reads which digit a frame shows: the one whose picture, at the best place, correlates
// best with the frame. It is for videos of one digit of package digits' built-in font, such as the
// demo's.
type digitReader struct {
	pictures sync.Map // by [2]int{side, box}: a function that makes its templates once
}

func openDigit(Needs) (Pairs, error) { return &digitReader{}, nil }

// Score scores pair by pair. A real video that stands in several pairs, next to several generated
// ones, is read once: that takes longest, because the size of its digit isn't known.
func (d *digitReader) Score(real, made []clips.Clip) ([]Score, error) {
	var readings sync.Map // by the address of the first pixel: a function that reads once
	return eachPair(func(real, made clips.Clip) (Score, error) {
		read, _ := readings.LoadOrStore(&real.Pix[0], sync.OnceValues(func() (reading, error) { return d.read(real) }))
		r, err := read.(func() (reading, error))()
		if err != nil {
			return Score{}, err
		}
		return d.score(r, made)
	}).Score(real, made)
}

// score is 1 for each frame that shows the real video's digit, and 0 for each that does not. The
// video's score is the share of frames that do.
func (d *digitReader) score(r reading, made clips.Clip) (s Score, err error) {
	made = shrink(made)
	templates, err := d.templates(made.Height, r.box)
	if err != nil {
		return s, err
	}
	s.Frames = make([]float64, made.Frames)
	for i := range s.Frames {
		if best, _ := largest(templates.correlate(made.Slice(i, i+1))); best == r.digit {
			s.Frames[i] = 1
		}
		s.Value += s.Frames[i] / float64(made.Frames)
	}
	return s, nil
}

// reading is the digit that a video shows, and the size of its box in shrunk frames.
type reading struct{ box, digit int }

// read reads a real video. One that doesn't show a digit clearly is [Skipped].
func (d *digitReader) read(real clips.Clip) (r reading, err error) {
	if real.Channels != 1 || real.Height != real.Width {
		return r, Skipped{fmt.Sprintf("frames of %dx%d with %d channels, want square grey ones", real.Width, real.Height, real.Channels)}
	}
	var clear float64
	if r.box, r.digit, clear, err = d.readVideo(shrink(real)); err != nil {
		return r, err
	}
	if !(clear >= clearDigit) {
		return r, Skipped{fmt.Sprintf("the real video isn't one digit of the built-in font: correlation %.2f, want %g or more", clear, clearDigit)}
	}
	return r, nil
}

// readVideo finds the size and the digit of a video of one digit: those with the largest mean
// correlation, which it returns, too.
func (d *digitReader) readVideo(video clips.Clip) (box, digit int, clear float64, err error) {
	clear = -1
	for size := smallestDigit; size < video.Height; size++ {
		templates, err := d.templates(video.Height, size)
		if err != nil {
			return 0, 0, 0, err
		}
		sums := make([]float64, templates.digits)
		for i := range video.Frames {
			for digit, c := range templates.correlate(video.Slice(i, i+1)) {
				sums[digit] += c / float64(video.Frames)
			}
		}
		if best, sum := largest(sums); sum > clear {
			box, digit, clear = size, best, sum
		}
	}
	return box, digit, clear, nil
}

// shrink halves a video of one channel until it has at most digitSide rows. Each pixel becomes the
// mean of four.
func shrink(c clips.Clip) clips.Clip {
	for c.Height > digitSide {
		half := clips.NewClip(c.Frames, c.Height/2, c.Width/2, 1)
		for i := range half.Pix {
			frame, row, col := i/half.FrameSize(), i%half.FrameSize()/half.Width, i%half.Width
			at := frame*c.FrameSize() + 2*row*c.Width + 2*col
			half.Pix[i] = uint8((int(c.Pix[at]) + int(c.Pix[at+1]) + int(c.Pix[at+c.Width]) + int(c.Pix[at+c.Width+1]) + 2) / 4)
		}
		c = half
	}
	return c
}

// templates are pictures of the digits at every place of a frame, half a pixel apart.
type templates struct {
	side, digits int
	patches      []patch
}

// patch is a digit shifted by a part of a pixel: its values, and how far it can move in the frame
// by whole pixels.
type patch struct {
	digit      int
	values     []uint8 // size x size
	size       int
	rows, cols int     // places
	sum, width float64 // the sum of the values, and the root of the sum of squares around the frame's mean
}

// templates makes the templates of boxes of a size in frames of side x side pixels, once for each.
func (d *digitReader) templates(side, box int) (*templates, error) {
	build, _ := d.pictures.LoadOrStore([2]int{side, box}, sync.OnceValues(func() (*templates, error) { return newTemplates(side, box) }))
	return build.(func() (*templates, error))()
}

func newTemplates(side, box int) (*templates, error) {
	font, err := digits.NewFont(box)
	if err != nil {
		return nil, err
	}
	t := &templates{side: side, digits: font.Digits()}
	for d := range font.Digits() {
		for _, y := range []float64{0, 0.5} {
			for _, x := range []float64{0, 0.5} {
				t.patches = append(t.patches, newPatch(font, d, side, box, x, y))
			}
		}
	}
	return t, nil
}

func newPatch(font digits.Font, digit, side, box int, x, y float64) patch {
	size := box + 1 // a digit between pixels reaches one pixel further
	frame := clips.NewClip(1, size, size, 1)
	font.Draw(frame, digit, x, y)
	places := func(part float64) int { return side - box + 1 - int(math.Ceil(part)) }
	p := patch{digit: digit, values: frame.Pix, size: size, rows: places(y), cols: places(x)}
	squares := 0.0
	for _, v := range frame.Pix {
		p.sum += float64(v)
		squares += float64(v) * float64(v)
	}
	p.width = math.Sqrt(squares - p.sum*p.sum/float64(side*side))
	return p
}

// correlate is, for each digit, its normalized correlation (Pearson's, over all pixels) with the
// frame at the best place: -1 to 1, and 0 for a frame of uniform brightness.
func (t *templates) correlate(frame clips.Clip) []float64 {
	sum, squares := 0.0, 0.0
	for _, v := range frame.Pix {
		sum += float64(v)
		squares += float64(v) * float64(v)
	}
	pixels := float64(t.side * t.side)
	width := math.Sqrt(max(0, squares-sum*sum/pixels))
	best := make([]float64, t.digits)
	if width == 0 {
		return best
	}
	for d := range best {
		best[d] = -1
	}
	for _, p := range t.patches {
		for row := range p.rows {
			for col := range p.cols {
				c := (p.product(frame, row, col) - p.sum*sum/pixels) / (p.width * width)
				best[p.digit] = max(best[p.digit], c)
			}
		}
	}
	return best
}

// product is the sum of products with the frame, with the patch's corner at a pixel. Parts of the
// patch outside of the frame count as 0. It is where nearly all time goes: sums of integers need not
// wait for each other as long as those of floating-point numbers.
func (p patch) product(frame clips.Clip, row, col int) float64 {
	sum := 0
	high, wide := min(p.size, frame.Height-row), min(p.size, frame.Width-col)
	for y := range high {
		pixels := frame.Pix[(row+y)*frame.Width+col:][:wide]
		values := p.values[y*p.size:][:wide]
		for x, v := range values {
			sum += int(v) * int(pixels[x])
		}
	}
	return float64(sum)
}

// largest is the place of the largest value, and the value. The place is -1 if all are equal, as
// for a frame of uniform brightness.
func largest(values []float64) (at int, value float64) {
	at, value = 0, values[0]
	same := true
	for i, v := range values {
		same = same && v == values[0]
		if v > value {
			at, value = i, v
		}
	}
	if same {
		return -1, value
	}
	return at, value
}
