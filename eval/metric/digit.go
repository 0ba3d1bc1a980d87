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

func openDigit(Needs) (Pairs, error) { return eachPair((&digitReader{}).score), nil }

// score is 1 for each frame that shows the real video's digit, and 0 for each that does not. The
// video's score is the share of frames that do.
func (d *digitReader) score(real, made clips.Clip) (s Score, err error) {
	if s.Frames, err = d.frames(real, made); err != nil {
		return s, err
	}
	for _, right := range s.Frames {
		s.Value += right / float64(len(s.Frames))
	}
	return s, nil
}

func (d *digitReader) frames(real, made clips.Clip) ([]float64, error) {
	if real.Channels != 1 || real.Height != real.Width {
		return nil, Skipped{fmt.Sprintf("frames of %dx%d with %d channels, want square grey ones", real.Width, real.Height, real.Channels)}
	}
	real, made = shrink(real), shrink(made)
	box, digit, clear, err := d.readVideo(real)
	if err != nil {
		return nil, err
	}
	if !(clear >= clearDigit) {
		return nil, Skipped{fmt.Sprintf("the real video isn't one digit of the built-in font: correlation %.2f, want %g or more", clear, clearDigit)}
	}
	templates, err := d.templates(real.Height, box)
	if err != nil {
		return nil, err
	}
	right := make([]float64, made.Frames)
	for i := range right {
		if best, _ := largest(templates.correlate(made.Slice(i, i+1))); best == digit {
			right[i] = 1
		}
	}
	return right, nil
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
	values     []float64 // size x size
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
	p := patch{digit: digit, size: size, rows: places(y), cols: places(x)}
	squares := 0.0
	for _, v := range frame.Pix {
		p.values = append(p.values, float64(v))
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
// patch outside of the frame count as 0.
func (p patch) product(frame clips.Clip, row, col int) float64 {
	sum := 0.0
	high, wide := min(p.size, frame.Height-row), min(p.size, frame.Width-col)
	for y := range high {
		pixels := frame.Pix[(row+y)*frame.Width+col:][:wide]
		values := p.values[y*p.size:][:wide]
		for x, v := range values {
			sum += v * float64(pixels[x])
		}
	}
	return sum
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
