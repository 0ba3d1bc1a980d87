package metric

import (
	"fmt"
	"slices"

	"mcvd/data/clips"
	"mcvd/eval/metric/features"
)

// inception describes each frame by the 2048 pooled features of Inception-v3, for the Fréchet
// inception distance (FID; Heusel et al., 2017) and the kernel inception distance (KID; Binkowski
// et al., 2018). It sees frames, not videos: their order doesn't matter to it.
type inception struct {
	network *features.Inception
	weightsSum
	batch int // frames that it sees at a time, which bounds memory
}

func openInception(needs Needs) (Sets, error) {
	params, sum, err := readWeights(needs, "inception")
	if err != nil {
		return nil, err
	}
	network, err := features.OpenInception(needs.Backend, params)
	if err != nil {
		return nil, err
	}
	return inception{network, sum, 8}, nil
}

func (n inception) Close() error { return n.network.Close() }

// Features has a vector for each frame, clip by clip.
func (n inception) Features(list []clips.Clip) ([][]float32, error) {
	var rows [][]float32
	for i, c := range list {
		for first := 0; first < c.Frames; first += n.batch {
			some := c.Slice(first, min(first+n.batch, c.Frames))
			// Zeros fill the batch, because a program is compiled for one size.
			values := append(clips.ToFloat(some), make([]float32, (n.batch-some.Frames)*c.FrameSize())...)
			made, err := n.network.Features(values, n.batch, c.Height, c.Width, c.Channels)
			if err != nil {
				return nil, fmt.Errorf("clip %d: %w", i, err)
			}
			width := len(made) / n.batch
			rows = append(rows, slices.Collect(slices.Chunk(made[:some.Frames*width], width))...)
		}
	}
	return rows, nil
}
