package data

import (
	"fmt"
	"slices"
	"strings"

	"mcvd/configs"
)

// overridable are the settings that can be changed for a trained model. They say where its videos
// come from, not what its weights mean. Options may be changed, too.
var overridable = []string{"data.name", "data.path", "data.fps", "data.stride", "data.on_error", "data.options."}

// CheckOverrides reports the first override of a setting that isn't about where a trained model's
// videos come from.
func CheckOverrides(overrides []string) error {
	if o := notAmong(overridable, overrides); o != "" {
		return fmt.Errorf("%s: can't be changed for weights that are trained, want %s", o, listed(overridable))
	}
	return nil
}

// notAmong is the first override whose setting isn't one of those, or "".
func notAmong(settings, overrides []string) string {
	at := slices.IndexFunc(overrides, func(o string) bool {
		key, _, _ := strings.Cut(o, "=")
		return !slices.ContainsFunc(settings, func(s string) bool {
			return s == key || strings.HasSuffix(s, ".") && strings.HasPrefix(key, s)
		})
	})
	if at < 0 {
		return ""
	}
	return overrides[at]
}

// listed words settings.
func listed(settings []string) string {
	last := len(settings) - 1
	return strings.Join(settings[:last], ", ") + " or " + strings.TrimSuffix(settings[last], ".")
}

// Override is a trained model's experiment with other data. overrides are settings such as
// "data.path=clips". If they name another data set, the path, the frame rate and the options of the
// experiment are dropped. It fails at a setting that doesn't say where videos come from, and at
// what [Check] reports.
func Override(c *configs.Config, overrides []string) (*configs.Config, error) {
	if len(overrides) == 0 {
		return c, nil
	}
	if err := CheckOverrides(overrides); err != nil {
		return nil, err
	}
	stored := *c
	for _, o := range overrides {
		key, value, _ := strings.Cut(o, "=")
		if key == "data.name" && value != c.Data.Name {
			stored.Data.Path, stored.Data.FPS, stored.Data.Options = "", 0, nil
		}
	}
	changed, err := configs.Catalogue{Tables: Tables(), Check: Check}.Parse("the run's configuration", stored.YAML(), overrides...)
	return changed, err
}
