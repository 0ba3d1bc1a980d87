package main

import (
	"fmt"
	"io"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/ml/model"

	"mcvd/configs"
	"mcvd/models"
	"mcvd/train"
)

// dryRun prints what training would do, without doing any of it.
func dryRun(out io.Writer, b compute.Backend, c *configs.Config) error {
	m, err := models.New(c)
	if err != nil {
		return err
	}
	size, err := m.Declare(b, model.NewStore().Scope("/"+models.WeightsScope), 1)
	if err != nil {
		return err
	}
	memory, err := train.Memory(b, m, c)
	if err != nil {
		return err
	}
	maps := ""
	if size.Cached > 0 {
		maps = fmt.Sprintf("# sampling     %.1f MB a video for what the network makes of the conditioning frames once a window\n", float64(size.Cached)*4/1e6)
	}
	_, err = fmt.Fprintf(out, `%s
# parameters   %.2f million
# forward pass %.2f GFLOP a clip; a training step of %d clips about %.1f GFLOP
# memory       %.1f MB weights, average, Adam and gradients; a batch of %d clips about %.0f MB more on this backend
%s`, c.YAML(), float64(size.Parameters)/1e6, size.FLOPs/1e9, c.Train.Batch*c.Train.Accumulate,
		size.TrainingFLOPs(c.Train.Batch*c.Train.Accumulate, c.Train.Teacher != "")/1e9,
		float64(memory.State)/1e6, c.Train.Batch, float64(memory.Activations)/1e6, maps)
	return err
}
