package published

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mcvd/configs/experiment"
	"mcvd/models"
	"mcvd/models/backend/backendtest"
	"mcvd/models/published/schema"
	"mcvd/models/weights"
)

// listed is the network of a fixture's configuration, with settings of its own.
func listed(t *testing.T, name string, set ...string) models.Listing {
	t.Helper()
	path := filepath.Join(filepath.Dir(fixture), name, "config.yml")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	c, _, err := schema.Translate(path, text)
	if err == nil {
		c, err = experiment.Parse(path, c.YAML(), set...)
	}
	if err != nil {
		t.Fatal(err)
	}
	m, err := models.New(c)
	if err != nil {
		t.Fatal(err)
	}
	l, err := m.List(backendtest.OpenGo(t))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// A checkpoint of another network is told in one sentence, by published names and by own ones; of
// the names, ten are listed.
func TestWhatACheckpointLooksLike(t *testing.T) {
	const (
		concat = "concat, width 8, 2 current frames and 3 of past and future, times channels"
		spatin = "spatin, width 8, 2 current frames and 3 of past and future, times channels"
		colour = "spatin, width 12, 9 current frames and 3 of past and future, times channels"
	)
	for _, tt := range []struct {
		file, config string
		set          []string
		looks, says  string // nothing: they agree as far as the sentence goes
	}{
		{"concat_past_future", "spatin_past_future", nil, concat, spatin},
		{"spatin_past_future", "concat_past_future", nil, spatin, concat},
		{"spatin_rgb_multihead", "concat_past_future", nil, colour, concat},
		{"concat_cond_emb", "concat_cond_emb", []string{"model.width=12", "model.head_channels=12"}, concat, strings.Replace(concat, "8", "12", 1)},
		{"concat_cond_emb", "concat_cond_emb", []string{"frames.current=5"}, concat, strings.Replace(concat, "2", "5", 1)},
		{"spatin_past_future", "spatin_past_future", []string{"frames.past=4"}, spatin, strings.Replace(spatin, "3", "5", 1)},
		{"concat_cond_emb", "concat_cond_emb", []string{"model.blocks=2"}, "", ""},
	} {
		t.Run(tt.file+" as "+tt.config+" "+strings.Join(tt.set, " "), func(t *testing.T) {
			l := listed(t, tt.config, tt.set...)
			checkpoint := filepath.Join(filepath.Dir(fixture), tt.file, "checkpoint.pt")
			own := filepath.Join(t.TempDir(), "own.safetensors")
			entries, err := opened(t, checkpoint).Entries(listed(t, tt.file))
			if err == nil {
				err = weights.Write(own, nil, entries)
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, path := range []string{checkpoint, own} {
				_, err := opened(t, path).Entries(l)
				if err == nil {
					t.Fatalf("%s: no error", path)
				}
				first, rest, _ := strings.Cut(err.Error(), ":\n")
				want := path + ": not the weights of this configuration"
				if tt.looks != "" {
					want += ": the file looks like " + tt.looks + "; the configuration says " + tt.says
				}
				if first != want {
					t.Errorf("says %q, want %q", first, want)
				}
				if lines := strings.Split(rest, "\n"); len(lines) > 11 || len(lines) == 11 && !strings.HasSuffix(lines[10], " more") {
					t.Errorf("%d lines, want ten and how many more there are:\n%s", len(lines), rest)
				}
			}
		})
	}
}

// Nothing is said of another network than the U-Net, whose tensors could be anything.
func TestNoTraits(t *testing.T) {
	for _, shapes := range []map[string][]int{nil, {"blocks/0/q/w": {4, 4}}, {"in/w": {3, 3, 4, 4}}, {"in/w": {4, 4}, "out/w": {4, 4}}} {
		if got, ok := traitsOf(shapes, true); ok {
			t.Errorf("%v: %s", shapes, got)
		}
	}
	if got, ok := traitsOf(map[string][]int{"a": {1, 1, 1, 1}, "unet.all_modules.0.Conv_0.weight": {1, 1, 1, 1}}, false); ok {
		t.Errorf("published names: %s", got)
	}
}
