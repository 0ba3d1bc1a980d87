package configs_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// The networks that scripts/bench times in PyTorch are those of bench/, by name.
func TestBenchmarksAreOfTheSameNetworks(t *testing.T) {
	text, err := os.ReadFile("../scripts/bench/networks.json")
	if err != nil {
		t.Fatal(err)
	}
	var peers map[string]json.RawMessage // each is a configuration: JSON is YAML
	if err := json.Unmarshal(text, &peers); err != nil {
		t.Fatal(err)
	}
	files := glob(t, "bench/*.yml")
	if len(files) != len(peers) || len(files) < 7 {
		t.Errorf("%d files in bench, %d networks there", len(files), len(peers))
	}
	for _, path := range files {
		name := strings.TrimSuffix(filepath.Base(path), ".yml")
		peer, ok := peers[name]
		if !ok {
			t.Errorf("%s: not in networks.json", name)
			continue
		}
		ours, theirs := mustLoad(t, path), mustLoad(t, write(t, string(peer)))
		for what, pair := range map[string][2]any{
			"model":  {ours.Model, theirs.Model},
			"frames": {[]int{ours.Frames.Past, ours.Frames.Current, ours.Frames.Future}, []int{theirs.Frames.Past, theirs.Frames.Current, theirs.Frames.Future}},
			"data":   {[]int{ours.Data.Size, ours.Data.Channels}, []int{theirs.Data.Size, theirs.Data.Channels}},
			"batch":  {ours.Train.Batch, theirs.Train.Batch},
		} {
			if !reflect.DeepEqual(pair[0], pair[1]) {
				t.Errorf("%s: %s is %+v, in networks.json %+v", name, what, pair[0], pair[1])
			}
		}
	}
}
