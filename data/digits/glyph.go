package digits

import (
	"fmt"
	"image"
	"math"

	"golang.org/x/image/draw"
	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"

	"mcvd/data/clips"
)

// glyph is the picture of a digit: size x size bytes, 0 for background, 255 for ink.
type glyph struct {
	size int
	pix  []uint8
}

// fontGlyphs draws 0 to 9 in boxes of the given size. As in MNIST, the digits are 20/28 as high as
// their box and stand in its middle.
func fontGlyphs(size int) ([]glyph, error) {
	parsed, err := opentype.Parse(gobold.TTF)
	if err != nil {
		return nil, err
	}
	// The font is drawn big and averaged down. Small sizes of fonts are hinted for reading, not for
	// motion by parts of a pixel.
	face, err := opentype.NewFace(parsed, &opentype.FaceOptions{Size: 256, DPI: 72, Hinting: font.HintingNone})
	if err != nil {
		return nil, err
	}
	defer face.Close()
	glyphs := make([]glyph, 10)
	for i := range glyphs {
		letter := rune('0' + i)
		shape, _, ok := face.GlyphBounds(letter)
		if i == 0 {
			letter = 'O' // an O squeezed into the zero's shape, because the font's own zero has a slash
		}
		area, mask, corner, _, okMask := face.Glyph(fixed.Point26_6{}, letter)
		if !ok || !okMask {
			return nil, fmt.Errorf("digits: the font has no %q", letter)
		}
		from := image.Rectangle{Min: corner, Max: corner.Add(area.Size())}
		glyphs[i] = place(mask, from, float64(shape.Max.X-shape.Min.X)/float64(shape.Max.Y-shape.Min.Y), size)
	}
	return glyphs, nil
}

// place draws a part of mask into the middle of a box, 20/28 as high as the box and proportion
// times as wide as high.
func place(mask image.Image, from image.Rectangle, proportion float64, size int) glyph {
	high := max(2, (size*20+14)/28)
	wide := max(1, int(math.Round(float64(high)*proportion)))
	to := image.Rect(0, 0, wide, high).Add(image.Pt((size-wide)/2, (size-high)/2))
	out := image.NewAlpha(image.Rect(0, 0, size, size))
	draw.BiLinear.Scale(out, to, mask, from, draw.Src, nil)
	return glyph{size, out.Pix}
}

// resized is the glyph in a box of another size.
func (g glyph) resized(size int) glyph {
	if g.size == size {
		return g
	}
	out := image.NewAlpha(image.Rect(0, 0, size, size))
	in := &image.Alpha{Pix: g.pix, Stride: g.size, Rect: image.Rect(0, 0, g.size, g.size)}
	draw.BiLinear.Scale(out, out.Rect, in, in.Rect, draw.Src, nil)
	return glyph{size, out.Pix}
}

// draw draws the glyph into a clip of one frame with its corner at (x, y). It must lie inside.
// Where the frame is lighter, it stays as it is. A pixel of the glyph is a square that covers parts
// of up to four pixels of the frame, so motion is smooth and no light is lost.
func (g glyph) draw(frame clips.Clip, x, y float64, color [3]float64) {
	left, top := int(math.Floor(x)), int(math.Floor(y))
	right, down := x-float64(left), y-float64(top) // the share that falls on the next pixel
	for row := 0; row <= g.size && top+row < frame.Height; row++ {
		for col := 0; col <= g.size && left+col < frame.Width; col++ {
			light := (1-down)*((1-right)*g.at(row, col)+right*g.at(row, col-1)) +
				down*((1-right)*g.at(row-1, col)+right*g.at(row-1, col-1))
			pixel := frame.Pix[((top+row)*frame.Width+left+col)*frame.Channels:][:frame.Channels]
			for c := range pixel {
				pixel[c] = max(pixel[c], uint8(light*color[c]+0.5))
			}
		}
	}
}

// at is 0 outside the glyph.
func (g glyph) at(row, col int) float64 {
	if row < 0 || col < 0 || row >= g.size || col >= g.size {
		return 0
	}
	return float64(g.pix[row*g.size+col])
}
