package metric

import (
	"encoding/binary"
	"errors"
	"math"
	"path/filepath"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"mcvd/data/clips"
	"mcvd/models/backend/backendtest"
	"mcvd/models/weights"
)

// weighted is a metric with a network and weights, as LPIPS is one: the mean over a frame of w
// (real - made)^2, with a weight for each channel from a file, computed for a whole batch on a
// backend.
type weighted struct{ exec *graph.Exec }

// line is its line in the table.
var line = Metric{Info: Info{Name: "weighted", Digits: 3}, OpenPairs: openWeighted}

func openWeighted(needs Needs) (Pairs, error) {
	path, err := needs.File("weighted.safetensors", "scripts/get-weighted.sh")
	if err != nil {
		return nil, err
	}
	file, err := weights.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	w, err := file.Float32s("w")
	if err != nil {
		return nil, err
	}
	exec, err := graph.NewExec(needs.Backend, func(real, made *graph.Node) *graph.Node {
		scale := graph.Reshape(graph.Const(real.Graph(), w), 1, 1, 1, 1, len(w))
		return graph.ReduceMean(graph.Mul(graph.Square(graph.Sub(real, made)), scale), 2, 3, 4) // [batch, frames]
	})
	return weighted{exec}, err
}

func (m weighted) Close() error { m.exec.Finalize(); return nil }

func (m weighted) Score(real, made []clips.Clip) ([]Score, error) {
	batch := func(list []clips.Clip) *tensors.Tensor {
		var values []float32
		for _, c := range list {
			values = append(values, clips.ToFloat(c)...)
		}
		c := list[0]
		return tensors.FromFlatDataAndDimensions(values, len(list), c.Frames, c.Height, c.Width, c.Channels)
	}
	out, err := m.exec.Call(batch(real), batch(made))
	if err != nil {
		return nil, err
	}
	values, err := tensors.CopyFlatData[float32](out[0])
	scores := make([]Score, len(real))
	for i := range scores {
		for _, v := range values[i*real[i].Frames : (i+1)*real[i].Frames] {
			scores[i].Frames = append(scores[i].Frames, float64(v))
			scores[i].Value += float64(v) / float64(real[i].Frames)
		}
	}
	return scores, err
}

// A metric with a network is one file and one line: it is skipped without its weights, and scores
// with them.
func TestAMetricWithANetworkFits(t *testing.T) {
	needs := Needs{Backend: backendtest.Open(t), Weights: t.TempDir()}
	if o, err := line.Open(needs); err != nil || o.Pairs != nil || o.Skipped == "" {
		t.Fatalf("without weights: %+v, %v, want it skipped", o, err)
	}
	data := binary.LittleEndian.AppendUint32(nil, math.Float32bits(1))
	data = binary.LittleEndian.AppendUint32(data, math.Float32bits(0))
	data = binary.LittleEndian.AppendUint32(data, math.Float32bits(3))
	path := filepath.Join(needs.Weights, "weighted.safetensors")
	entry := weights.Entry{Tensor: weights.Tensor{Name: "w", DType: weights.F32, Shape: []int{3}}, Data: func() ([]byte, error) { return data, nil }}
	if err := weights.Write(path, nil, []weights.Entry{entry}); err != nil {
		t.Fatal(err)
	}
	o, err := line.Open(needs)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := Close([]Opened{o}); err != nil {
			t.Error(err)
		}
	}()
	real, made := clips.NewClip(2, 4, 4, 3), clips.NewClip(2, 4, 4, 3)
	for i := 16 * 3; i < len(made.Pix); i++ { // the second frame, by a fifth of the range
		made.Pix[i] = 51
	}
	scores, err := o.Pairs.Score([]clips.Clip{real, real}, []clips.Clip{made, real})
	if err != nil {
		t.Fatal(err)
	}
	want := (1 + 0 + 3) / 3.0 * 0.16
	if s := scores[0]; s.Frames[0] != 0 || !(math.Abs(s.Frames[1]-want) <= 1e-6) || !(math.Abs(s.Value-want/2) <= 1e-6) {
		t.Errorf("score %+v, want 0 and %g", s, want)
	}
	if scores[1].Value != 0 {
		t.Errorf("equal clips: %+v, want 0", scores[1])
	}
	if err := weights.Write(path, nil, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := line.Open(needs); err == nil || errors.As(err, new(Skipped)) {
		t.Errorf("broken weights: %v, want a failure, no skip", err)
	}
}
