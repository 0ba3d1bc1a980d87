package train

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gomlx/gomlx/core/tensors"

	"mcvd/configs"
	"mcvd/data/clips"
	"mcvd/models"
)

// A classifier learns from the labels of clips. They go to its programs with the levels of the
// clips.

// labelled adds the labels of clips to their table of levels, if that is what an objective learns
// from.
func labelled(steps objective, table *tensors.Tensor, labels [][]string) *tensors.Tensor {
	if c, ok := steps.(models.Classifier); ok {
		return c.Label(table, labels)
	}
	return table
}

// labelledDraws are draws with the labels of each batch in their tables.
func labelledDraws(steps objective, draws func(batch int) (random, levels *tensors.Tensor), labels [][][]string) func(batch int) (random, levels *tensors.Tensor) {
	return func(batch int) (random, levels *tensors.Tensor) {
		random, levels = draws(batch)
		return random, labelled(steps, levels, labels[batch])
	}
}

// checkClasses reports classes that no video of a data set can show, for a model that is a
// classifier.
func checkClasses(m *models.Model, c *configs.Config, ds clips.Dataset) error {
	const path = "model.options.classes"
	if m.Classes() == nil {
		return nil
	}
	known := clips.Classes(ds)
	if known == nil {
		return configs.Problem{Path: "data.name", Text: fmt.Sprintf("%s, whose videos have no labels, want a data set that has some: see docs/data.md", c.Data.Name)}
	}
	var errs []error
	for i, class := range m.Classes() {
		if !slices.Contains(known, class) {
			errs = append(errs, configs.Problem{Path: fmt.Sprintf("%s[%d]", path, i), Text: fmt.Sprintf("%q, want some of those of the data set: %s", class, strings.Join(known, ", "))})
		}
	}
	return errors.Join(errs...)
}
