package experiment

import (
	"strings"
	"testing"
)

// The future has the scale of the past if it is not set, and a scale of frames that a model doesn't
// have is refused if somebody wrote it for this model.
func TestScalesOfGuidance(t *testing.T) {
	const on, past, future = "sampler.guidance.name=frames", "sampler.guidance.options.past_scale=", "sampler.guidance.options.future_scale="
	for _, tt := range []struct {
		set          []string
		past, future any
		want         string // of the error
	}{
		{[]string{on}, 1.5, 1.5, ""},
		{[]string{on, past + "2"}, 2.0, 2.0, ""},
		{[]string{on, future + "3"}, 1.5, 3.0, ""},
		{[]string{on, future + "3", "frames.past=0"}, 3.0, 3.0, ""},
		{[]string{on, past + "2", "frames.future=0"}, 2.0, 2.0, ""},
		{[]string{on, past + "2", "frames.future=0", future + "3"}, nil, nil, "future_scale: 3 has no effect because the model has no such frames"},
		{[]string{on, "frames.future=0", "frames.past=0"}, nil, nil, `name: "frames", want none`},
	} {
		c, err := Load(write(t, ""), tt.set...)
		if tt.want != "" {
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%q: error %v, want %s", tt.set, err, tt.want)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", tt.set, err)
			continue
		}
		if o := c.Sampler.Guidance.Options; o["past_scale"] != tt.past || o["future_scale"] != tt.future {
			t.Errorf("%q: %v, want %v and %v", tt.set, o, tt.past, tt.future)
		}
	}
	stored, err := Load(write(t, "frames: {future: 0}\n"), on)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Parse("stored", stored.YAML(), past+"2"); err != nil {
		t.Errorf("the other scale is that of a stored experiment: %v", err)
	}
}
