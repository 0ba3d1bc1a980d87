package data

import (
	"fmt"
	"slices"
	"strings"

	"mcvd/configs"
)

// overridable are the settings that can be changed for a trained model: they say where its videos
// come from, not what its weights mean. Options may be changed, too.
var overridable = []string{"data.name", "data.path", "data.fps", "data.on_error"}

// Override is a trained model's experiment with other data. overrides are settings such as
// "data.path=clips"; the path, the frame rate and the options of the experiment are forgotten where
// another data set is named. It fails at every setting that isn't about where videos come from, and
// at what [Check] reports.
func Override(c *configs.Config, overrides []string) (*configs.Config, error) {
	if len(overrides) == 0 {
		return c, nil
	}
	stored := *c
	for _, o := range overrides {
		key, value, _ := strings.Cut(o, "=")
		if !slices.Contains(overridable, key) && !strings.HasPrefix(key, "data.options.") {
			return nil, fmt.Errorf("%s: can't be changed for weights that are trained, want %s or data.options", key, strings.Join(overridable, ", "))
		}
		if key == "data.name" && value != c.Data.Name {
			stored.Data.Path, stored.Data.FPS, stored.Data.Options = "", 0, nil
		}
	}
	changed, err := configs.Catalogue{Tables: Tables(), Check: Check}.Parse("the run's configuration", stored.YAML(), overrides...)
	return changed, err
}
