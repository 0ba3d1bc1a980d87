package clips

import (
	"fmt"
	"math"
)

// Float maps a byte to the networks' range: 0 to -1, 255 to 1.
func Float(v uint8) float32 { return float32(v)/127.5 - 1 }

// Byte is the inverse of [Float]: it clamps to [-1, 1] and rounds to the nearest byte. NaN becomes
// 0, black, so that the result is the same on every processor.
func Byte(x float32) uint8 {
	v := (float64(x) + 1) * 127.5
	switch {
	case v >= 255:
		return 255
	case v > 0:
		return uint8(math.Floor(v + 0.5))
	}
	return 0
}

// Floor is the published code's inverse of [Float]: it maps [-1, 1] to [0, 1] and takes the floor of
// 255 times that, all in float32. It makes 63 of the 256 bytes that went through Float darker by
// one.
func Floor(x float32) uint8 {
	v := float32((x+1)/2) * 255
	switch {
	case v >= 255:
		return 255
	case v > 0:
		return uint8(v)
	}
	return 0
}

// ToFloat returns the clip's values in [-1, 1], row-major [frames, height, width, channels].
func ToFloat(c Clip) []float32 {
	out := make([]float32, len(c.Pix))
	for i, v := range c.Pix {
		out[i] = Float(v)
	}
	return out
}

// ToClip makes a clip of values in [-1, 1], row-major [frames, height, width, channels], by [Byte].
// It fails if pix doesn't hold that many values.
func ToClip(pix []float32, frames, height, width, channels int) (Clip, error) {
	return Quantize(pix, frames, height, width, channels, Byte)
}

// Quantize is [ToClip] by another rule than [Byte].
func Quantize(pix []float32, frames, height, width, channels int, rule func(float32) uint8) (Clip, error) {
	c := Clip{Frames: frames, Height: height, Width: width, Channels: channels}
	if len(pix) != frames*c.FrameSize() {
		return Clip{}, fmt.Errorf("clip of %d frames of %dx%dx%d: %d values, want %d",
			frames, height, width, channels, len(pix), frames*c.FrameSize())
	}
	c.Pix = make([]uint8, len(pix))
	for i, x := range pix {
		c.Pix[i] = rule(x)
	}
	return c, nil
}
