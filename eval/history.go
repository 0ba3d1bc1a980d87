package eval

import (
	"context"
	"fmt"

	"github.com/gomlx/gomlx/core/tensors"

	"mcvd/models/diffusion"
	"mcvd/models/sampler"
)

// Moment is a block of each of several videos at a noise level: what the forward process makes of
// real ones, and what the reverse process has made of noise so far.
type Moment struct {
	Level            diffusion.Level
	Forward, Reverse []Frames // one block a video, [frames, height, width, channels]
}

// History generates one block of as many videos as the generator generates at a time, from noise
// alone, and returns the moments before each of its steps and after the last. real are the blocks
// that the forward process adds noise to. Its noise is the same at all levels.
func (g *Generator) History(ctx context.Context, real []Frames) ([]Moment, error) {
	cases := make([]Case, g.batch)
	for i := range cases {
		cases[i].Clip = i
	}
	b, err := g.newBatch(Generate, cases, nil)
	if err != nil {
		return nil, err
	}
	size := b.model.Frames.Current * b.size
	for i, r := range real {
		if len(r) != size {
			return nil, fmt.Errorf("real block %d has %d values, want %d", i, len(r), size)
		}
	}
	start, steps, _ := b.begin(nil)
	moments := make([]Moment, len(steps)+1)
	take := func(i int, x *tensors.Tensor) error {
		values, err := tensors.CopyFlatData[float32](x)
		for k := range cases {
			moments[i].Reverse = append(moments[i].Reverse, values[k*size:(k+1)*size])
		}
		return err
	}
	if err := take(0, start); err != nil {
		return nil, err
	}
	watched := *g
	watched.loop = g.loop.Watched(func(step int, x *tensors.Tensor) error { return take(step+1, x) })
	b.Generator = &watched
	if _, err := b.block(ctx, Window{}, make([]Frame, b.wide.Past+b.wide.Future)); err != nil {
		return nil, err
	}
	for i := range moments {
		moments[i].Level = diffusion.Clean
		if i < len(steps) {
			moments[i].Level = steps[i].From
		}
	}
	g.addNoise(moments, real)
	return moments, nil
}

// addNoise brings real blocks to the level of each moment.
func (g *Generator) addNoise(moments []Moment, real []Frames) {
	for k, r := range real {
		noise := make([]float32, len(r))
		g.draw(Case{Clip: k, Trajectory: 1}, 0, 0, noise) // not that of the generated ones
		for i := range moments {
			moments[i].Forward = append(moments[i].Forward, sampler.AddNoise(moments[i].Level, r, noise))
		}
	}
}
