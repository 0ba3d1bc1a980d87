package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mcvd/models/weights"
)

// writeAlexNet writes files such as PyTorch users have, torchvision's AlexNet and LPIPS's linear
// layers, of zeros. The form is safetensors, which is read by its contents.
func writeAlexNet(t *testing.T) {
	t.Helper()
	write := func(path string, shapes map[string][]int) {
		var entries []weights.Entry
		for name, shape := range shapes {
			tensor := weights.Tensor{Name: name, DType: weights.F32, Shape: shape}
			size, err := tensor.Size()
			if err != nil {
				t.Fatal(err)
			}
			entries = append(entries, weights.Entry{Tensor: tensor, Data: func() ([]byte, error) { return make([]byte, size), nil }})
		}
		if err := weights.Write(path, nil, entries); err != nil {
			t.Fatal(err)
		}
	}
	write("alexnet-owt-7be5be79.pth", map[string][]int{
		"features.0.weight": {64, 3, 11, 11}, "features.0.bias": {64}, "features.3.weight": {192, 64, 5, 5}, "features.3.bias": {192},
		"features.6.weight": {384, 192, 3, 3}, "features.6.bias": {384}, "features.8.weight": {256, 384, 3, 3}, "features.8.bias": {256},
		"features.10.weight": {256, 256, 3, 3}, "features.10.bias": {256}, "classifier.1.bias": {4096},
	})
	write("alex.pth", map[string][]int{"lin0.model.1.weight": {1, 64, 1, 1}, "lin1.model.1.weight": {1, 192, 1, 1},
		"lin2.model.1.weight": {1, 384, 1, 1}, "lin3.model.1.weight": {1, 256, 1, 1}, "lin4.model.1.weight": {1, 256, 1, 1}})
}

// Weights are listed with the command that gets them, imported, listed with their origin, and named
// where they are damaged.
func TestWeights(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "new")
	t.Setenv(weightsVariable, folder)
	t.Chdir(t.TempDir())
	stdout, _ := mustCall(t, "weights list")
	if want := "not installed; `scripts/install-weights.sh lpips` gets them"; strings.Count(stdout, want) != 2 {
		t.Errorf("%s: want twice %q", stdout, want)
	}
	if status, _, stderr := call(t, "weights", "list", "i3d"); status != 1 || !strings.Contains(stderr, "i3d: not installed") {
		t.Errorf("a name that isn't installed: status %d, %s", status, stderr)
	}
	writeAlexNet(t)
	mustCall(t, "weights import alexnet-owt-7be5be79.pth alex.pth --as lpips-alex")
	stdout, _ = mustCall(t, "weights list lpips-alex --json")
	var states []state
	if err := json.Unmarshal([]byte(stdout), &states); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, "lpips-alex.safetensors")
	if s := states[0]; len(states) != 1 || s.Path != path || len(s.Sum) != 64 || s.Source != "alexnet-owt-7be5be79.pth, alex.pth" || s.Known || s.Problem != "" {
		t.Errorf("%+v", states)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text[:len(text)-1], 0o644); err != nil {
		t.Fatal(err)
	}
	status, stdout, stderr := call(t, "weights", "list")
	if status != 1 || !strings.Contains(stderr, "truncated") || !strings.Contains(stdout, "i3d") {
		t.Errorf("damaged weights: status %d, %s, %s", status, stdout, stderr)
	}
}

// eval looks for weights where --weights says, else where the variable says.
func TestEvalTakesWeightsFromAFolder(t *testing.T) {
	inNewFolder(t)
	t.Setenv(weightsVariable, "elsewhere")
	if err := os.Mkdir("mine", 0o755); err != nil {
		t.Fatal(err)
	}
	mustCall(t, "train -c configs/tiny.yml -o run --backend go --set train.steps=1 --set train.validate_every=0")
	for flag, want := range map[string]string{"": "elsewhere", " --weights mine": "mine"} {
		status, _, stderr := call(t, strings.Fields("eval run --backend go --clips 1 --metrics lpips"+flag)...)
		if want := "metric lpips: no weights (" + filepath.Join(want, "lpips-alex.safetensors") + ")"; status != 1 || !strings.Contains(stderr, want) {
			t.Errorf("%q: status %d, says\n%s\nwant 1 and %s", flag, status, stderr, want)
		}
	}
}
