package digits

import (
	"fmt"

	"mcvd/data/clips"
	"mcvd/data/idx"
)

// mnistGlyphs reads the images of a split from a folder with MNIST's files. Training and validation
// share a file, but no image. The test file is for the test alone.
func mnistGlyphs(dir string, split clips.Split) ([]glyph, error) {
	images, err := idx.Of(dir, split)
	if err != nil {
		return nil, fmt.Errorf("data.options.mnist: %w", err)
	}
	glyphs := make([]glyph, len(images.Pix))
	for i, pix := range images.Pix {
		glyphs[i] = glyph{images.Side, pix}
	}
	return glyphs, nil
}
