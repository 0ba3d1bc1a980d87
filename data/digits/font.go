package digits

import (
	"fmt"

	"mcvd/data/clips"
)

// Font is the built-in digits, 0 to 9, in square boxes of one size.
type Font struct{ glyphs []glyph }

// NewFont draws the built-in digits in boxes of that many pixels; 4 or more.
func NewFont(box int) (Font, error) {
	if box < 4 {
		return Font{}, fmt.Errorf("digits in boxes of %d pixels, want 4 or more", box)
	}
	glyphs, err := fontGlyphs(box)
	return Font{glyphs}, err
}

// Digits is how many digits the font has.
func (f Font) Digits() int { return len(f.glyphs) }

// Draw draws a digit in white into a clip of one frame, with the corner of its box at (x, y) in
// pixels. The box must lie inside.
func (f Font) Draw(frame clips.Clip, digit int, x, y float64) {
	f.glyphs[digit].draw(frame, x, y, [3]float64{1, 1, 1})
}
