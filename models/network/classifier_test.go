package network

import (
	"strings"
	"testing"

	"mcvd/configs"
)

func TestClassifiersThatCannotBe(t *testing.T) {
	for want, change := range map[string]func(*configs.Config){
		"model.options.classes: [], want names":                      func(c *configs.Config) { c.Model.Options["classes"] = []any{} },
		`model.options.classes[1]: "a", want a name, each once`:      func(c *configs.Config) { c.Model.Options["classes"] = []any{"a", "a"} },
		`model.options.classes[0]: "", want a name, each once`:       func(c *configs.Config) { c.Model.Options["classes"] = []any{"", "a"} },
		"frames.past: 2, want 0, because a classifier":               func(c *configs.Config) { c.Frames.Past = 2 },
		"frames.future: 1, want 0, because a classifier":             func(c *configs.Config) { c.Frames.Future = 1 },
		`diffusion.loss: "l1", want l2, the default`:                 func(c *configs.Config) { c.Diffusion.Loss = "l1" },
		`diffusion.variance: "learned", want fixed`:                  func(c *configs.Config) { c.Diffusion.Variance = "learned" },
		"data.size: 30, want a multiple of 4":                        func(c *configs.Config) { c.Data.Size = 30 },
		"model.options.level_per_frame: unknown key":                 func(c *configs.Config) { c.Model.Options["level_per_frame"] = true },
		"model.options.head_channels: 20, want a divisor of the 128": func(c *configs.Config) { c.Model.Options["head_channels"] = 20 },
	} {
		c := with(configs.Options{"classes": []any{"a", "b"}})
		c.Model.Network, c.Frames = "classifier", configs.Frames{Current: 1}
		if _, err := New(c); err != nil {
			t.Fatal(err)
		}
		change(c)
		if _, err := New(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}
