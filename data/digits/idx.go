package digits

import (
	"fmt"

	"mcvd/data/clips"
	"mcvd/data/idx"
)

// mnistGlyphs reads the images of a split from a folder with MNIST's files. Training and validation
// share a file, but no image. The test file is for the test alone.
// digits are what they show, nil if there is no file of labels.
func mnistGlyphs(dir string, split clips.Split) (glyphs []glyph, digits []uint8, err error) {
	images, err := idx.Of(dir, split)
	if err != nil {
		return nil, nil, fmt.Errorf("data.options.mnist: %w", err)
	}
	glyphs = make([]glyph, len(images.Pix))
	for i, pix := range images.Pix {
		glyphs[i] = glyph{images.Side, pix}
	}
	return glyphs, images.Labels, nil
}
