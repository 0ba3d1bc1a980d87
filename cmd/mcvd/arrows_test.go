package main

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// arrows says which of our own packages each package may import: those named, and those below names
// that end in "/...". Imports point downwards and never back; data and models do not know each
// other, nor do train and eval. A new package belongs into a line here.
var arrows = map[string][]string{
	"cmd/mcvd":                   {"configs/...", "data/...", "models/...", "train/...", "eval/..."},
	"train":                      {"configs/...", "data", "data/clips", "models/...", "train/optimizer", "train/ranks", "train/runs", "train/tensorboard"},
	"train/tensorboard":          {"configs/atomicfile", "train/runs"},
	"train/watch":                {"configs", "configs/atomicfile", "configs/webpage", "train/runs"},
	"train/plot":                 {"configs", "configs/atomicfile", "train/runs"},
	"train/runs":                 {"configs", "configs/experiment"},
	"train/optimizer":            {"configs", "models", "models/nn"},
	"train/ranks":                {"configs"},
	"eval":                       {"configs", "configs/atomicfile", "configs/regular", "data", "data/augment", "data/clips", "data/video", "models/...", "eval/metric", "train/ranks"},
	"eval/page":                  {"configs", "configs/atomicfile", "configs/webpage", "data/clips", "data/video", "eval", "eval/metric", "models/guidance"},
	"eval/cloud":                 {"configs/atomicfile", "eval"},
	"eval/metric":                {"data/clips", "data/digits", "eval/metric/features"},
	"eval/metric/features":       {"models/nn", "models/weights", "models/weights/torch"},
	"eval/metric/rows":           {"configs/regular", "data/npy", "models/weights"},
	"configs/experiment":         {"configs", "data", "models", "models/guidance", "models/network", "models/sampler", "train/optimizer", "train/ranks"},
	"models":                     {"configs", "models/guidance", "models/network", "models/sampler", "models/mask", "models/diffusion", "models/nn", "models/weights"},
	"models/likelihood":          {"configs", "models/devices", "models/diffusion", "models/sampler"},
	"models/network":             {"configs", "models/mask", "models/nn"},
	"models/guidance":            {"configs", "models/diffusion", "models/mask", "models/sampler"},
	"models/sampler":             {"configs", "models/diffusion", "models/devices"},
	"models/devices":             {},
	"models/mask":                {"configs", "models/nn"},
	"models/diffusion":           {"configs"},
	"models/nn":                  {"models/backend/xlakernels"},
	"models/weights":             {"configs/atomicfile", "configs/regular"},
	"models/weights/torch":       {"configs/regular", "models/weights"},
	"models/backend":             {"configs", "models/backend/compiled", "models/backend/xlakernels"},
	"models/backend/xlakernels":  {"models/backend/compiled"},
	"models/backend/compiled":    {"configs/atomicfile", "configs/regular"},
	"models/backend/backendtest": {"models/backend"},
	"models/published":           {"models", "models/diffusion", "models/weights", "models/weights/torch"},
	"models/published/schema":    {"configs", "configs/experiment", "models/diffusion", "models/network"},
	"models/paritytest":          {"models/weights"},
	"data":                       {"configs", "configs/atomicfile", "configs/regular", "data/arrays", "data/augment", "data/bair", "data/cityscapes", "data/clips", "data/converted", "data/digits", "data/folder", "data/kinetics", "data/kth", "data/lerobot", "data/points", "data/shards", "data/smmnist", "data/ucf101", "data/video", "data/webdataset"},
	"data/augment":               {"configs", "data/clips"},
	"data/bair":                  {"configs", "data/clips", "data/tfrecord"},
	"data/npy":                   {"data/clips"},
	"data/webdataset":            {"configs", "configs/regular", "data/clips", "data/decoded", "data/npy", "data/video"},
	"data/arrays":                {"configs", "configs/regular", "data/clips", "data/npy"},
	"data/tfrecord":              {"configs/regular"},
	"data/digits":                {"configs", "data/clips", "data/idx"},
	"data/points":                {"configs", "data/clips"},
	"data/converted":             {"configs", "configs/atomicfile", "configs/regular", "data/clips", "data/store", "data/video"},
	"data/export":                {"configs/atomicfile", "data/clips", "data/hdf5", "data/video"},
	"data/stats":                 {"configs/atomicfile", "data/clips"},
	"data/decoded":               {"configs/atomicfile", "configs/regular", "data/clips", "data/store", "data/video"},
	"data/folder":                {"configs", "data/clips", "data/decoded", "data/video"},
	"data/kth":                   {"configs", "configs/regular", "data/clips", "data/decoded", "data/resize", "data/video"},
	"data/ucf101":                {"configs", "configs/regular", "data/clips", "data/decoded", "data/resize", "data/video"},
	"data/cityscapes":            {"configs", "data/clips", "data/decoded", "data/resize", "data/video"},
	"data/kinetics":              {"configs", "configs/regular", "data/clips", "data/decoded", "data/video"},
	"data/lerobot":               {"configs", "configs/regular", "data/clips", "data/decoded", "data/video"},
	"data/idx":                   {"configs/regular", "data/clips"},
	"data/smmnist":               {"configs", "data/clips", "data/idx", "data/resize"},
	"data/hdf5":                  {"configs/regular"},
	"data/shards":                {"configs", "configs/regular", "data/clips", "data/hdf5"},
	"data/store":                 {"configs/atomicfile", "configs/regular"},
	"data/clips":                 {},
	"data/video":                 {"configs", "configs/atomicfile", "configs/regular", "data/clips", "data/resize"},
	"data/resize":                {},
	"configs":                    {},
	"configs/atomicfile":         {},
	"configs/regular":            {},
	"configs/webpage":            {},
	"configs/webpage/pagetest":   {},
	"scripts/release":            {},
	"scripts/scale":              {},
	"cmd/torture":                {"train/ranks"},
}

func TestImportsPointDownwards(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", "{{.ImportPath}}:{{join .Imports \" \"}}", "mcvd/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	seen := 0
	for line := range strings.Lines(string(out)) {
		pkg, imports, _ := strings.Cut(strings.TrimSpace(line), ":")
		pkg = strings.TrimPrefix(pkg, "mcvd/")
		allowed, ok := arrows[pkg]
		if !ok {
			t.Errorf("%s: not in the table of arrows", pkg)
			continue
		}
		seen++
		for imported := range strings.FieldsSeq(imports) {
			own, ok := strings.CutPrefix(imported, "mcvd/")
			if !ok {
				continue
			}
			if !slices.ContainsFunc(allowed, func(a string) bool {
				below, tree := strings.CutSuffix(a, "...")
				return own == a || tree && strings.HasPrefix(own+"/", below)
			}) {
				t.Errorf("%s imports %s: this arrow must not be", pkg, own)
			}
		}
	}
	if seen != len(arrows) {
		t.Errorf("%d packages seen, the table has %d: remove what is gone", seen, len(arrows))
	}
}

// The list of packages in docs/architecture.md has all of them but those for tests, each above what
// it imports.
func TestArchitectureListsPackagesFromTopToBottom(t *testing.T) {
	text, err := os.ReadFile("../../docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(string(text), "stand below it in this list:\n\n")
	list, _, _ = strings.Cut(list, "\n\n")
	var order []string
	for line := range strings.Lines(list) {
		names, _, _ := strings.Cut(strings.TrimSpace(line), "  ")
		order = append(order, strings.Split(names, ", ")...)
	}
	out, err := exec.Command("go", "list", "-f", "{{.ImportPath}}:{{join .Imports \" \"}}", "mcvd/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for line := range strings.Lines(string(out)) {
		pkg, imports, _ := strings.Cut(strings.TrimSpace(line), ":")
		pkg = strings.TrimPrefix(pkg, "mcvd/")
		if strings.HasSuffix(pkg, "test") {
			continue
		}
		at := slices.Index(order, pkg)
		if at < 0 {
			t.Errorf("docs/architecture.md doesn't list %s", pkg)
		}
		for imported := range strings.FieldsSeq(imports) {
			if own, ok := strings.CutPrefix(imported, "mcvd/"); ok && slices.Index(order, own) <= at {
				t.Errorf("docs/architecture.md: %s imports %s, which does not stand below it", pkg, own)
			}
		}
	}
}
