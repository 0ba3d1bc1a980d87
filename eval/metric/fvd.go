package metric

import (
	"fmt"

	"mcvd/data/clips"
	"mcvd/eval/metric/features"
)

// fvd describes clips for the Fréchet video distance (Unterthiner et al., 2018): by the 400 logits
// of I3D or the 1024 numbers before them, of frames that are resized to 224x224, grey ones repeated
// to RGB.
type fvd struct {
	network *features.I3D
	weightsSum
}

func openFVD(output features.I3DOutput) func(Needs) (Sets, error) {
	return func(needs Needs) (Sets, error) {
		params, sum, err := readWeights(needs, "i3d")
		if err != nil {
			return nil, err
		}
		network, err := features.OpenI3D(needs.Backend, params, output)
		if err != nil {
			return nil, err
		}
		return fvd{network, sum}, nil
	}
}

func (f fvd) Close() error { return f.network.Close() }

// Features are those of one clip at a time.
func (f fvd) Features(list []clips.Clip) ([][]float32, error) {
	var rows [][]float32
	for i, c := range list {
		row, err := f.Unrounded(clips.ToFloat(c), c)
		if _, ok := Reason(err); err != nil && !ok {
			err = fmt.Errorf("clip %d: %w", i, err)
		}
		if err != nil {
			return nil, err
		}
		rows = append(rows, row...)
	}
	return rows, nil
}

// Unrounded are those of a clip of numbers, as the published results have them of generated clips.
// Clips of less than nine frames are [Skipped]: nothing is left of them in the network's depth.
func (f fvd) Unrounded(values []float32, size clips.Clip) ([][]float32, error) {
	if size.Frames < features.MinI3DFrames {
		return nil, Skipped{fmt.Sprintf("fvd needs clips of %d frames or more, with the given ones, got %d", features.MinI3DFrames, size.Frames)}
	}
	row, err := f.network.Features(values, 1, size.Frames, size.Height, size.Width, size.Channels)
	return [][]float32{row}, err
}
