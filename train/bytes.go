package train

import (
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
)

// numbers are the values of frames as networks take them, in [-1, 1]. Bytes become what [clips.Float]
// makes of them, bit for bit; float32 stays as it is. It takes float64, because XLA replaces a division
// by a constant with a product, which in float32 is off by a bit for some bytes.
func numbers(frames *Node) *Node {
	if frames.DType() != dtypes.Uint8 {
		return frames
	}
	return AddScalar(ConvertDType(MulScalar(ConvertDType(frames, dtypes.Float64), 1/127.5), dtypes.Float32), -1)
}
