package main

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"mcvd/eval"
)

// A classifier is trained from a configuration and leads the videos of a model. Reports name it,
// and have the hash of its file. What can't lead is refused with a reason.
func TestAClassifierLeadsVideos(t *testing.T) {
	inNewFolder(t)
	const few = " --backend go --set train.validate_every=2 --set train.steps=2 --set train.sample_every=0"
	mustCall(t, "train -c configs/tiny.yml -o run"+few)
	_, stderr := mustCall(t, "train -c configs/digit-classifier.yml -o classifier --backend go --set frames.current=2 --set model.options.width=4 --set train.batch=4 --set train.steps=2 --set train.validate_every=2")
	if !strings.Contains(stderr, "validation clips classified right: ") || !strings.Contains(stderr, " %, by fifths of the noise levels") {
		t.Errorf("says %q", stderr)
	}
	const lead = "--backend go --steps 2 --guidance classifier --option classifier=classifier --option classes=[\"3\"]"
	mustCall(t, "eval run --clips 2 --metrics psnr -o led.json --option class_weight=2 "+lead)
	text, err := os.ReadFile("led.json")
	if err != nil {
		t.Fatal(err)
	}
	var report eval.Report
	if err := json.Unmarshal(text, &report); err != nil {
		t.Fatal(err)
	}
	if len(report.SecondSHA256) != 64 || report.Sampler.Guidance.Name != "classifier" {
		t.Errorf("the report has the hash %q and guidance %v", report.SecondSHA256, report.Sampler.Guidance)
	}
	for command, want := range map[string]string{
		"generate classifier --frames 2 -o out --backend go":                                               "classifier: model.network: classifier, which generates no videos",
		"distill classifier -o students --from 4":                                                          "classifier: model.network: classifier, which generates no videos",
		"export classifier --names published -o published.safetensors":                                     "the published code has no classifiers",
		"generate run --frames 2 -o out --backend go --guidance classifier":                                `options.classifier: "", want the run folder of a classifier`,
		"generate run --frames 2 -o out --backend go --guidance classifier --option classifier=classifier": "options.classes: [], want what videos should show",
		"generate run --frames 2 -o out " + strings.Replace(lead, `"3"`, `"x"`, 1):                         `options.classifier: classifier: no class "x", want some of 0, 1, 2`,
		"generate run --frames 2 -o out " + strings.Replace(lead, "=classifier", "=run", 1):                "options.classifier: run: not a classifier, want a run with model.network: classifier",
		"generate run --frames 2 -o out " + strings.Replace(lead, "=classifier", "=nowhere", 1):            "options.classifier: nowhere: no such run folder",
		"train -c configs/tiny.yml -o other --set sampler.guidance.name=classifier" + few:                  "want another in training",
		"train -c configs/digit-classifier.yml -o other --set model.options.classes=[\"a\"]" + few:         "train.sample_every: 0 has no effect because model.network is classifier",
		"train -c configs/digit-classifier.yml -o other --backend go --set model.options.classes=[\"a\"]":  `model.options.classes[0]: "a", want some of those of the data set: 0, 1, 2`,
	} {
		status, _, stderr := call(t, strings.Fields(command)...)
		if status == 0 || !strings.Contains(stderr, want) {
			t.Errorf("mcvd %s: status %d, says %q, want %q", command, status, stderr, want)
		}
	}
	if entries, err := os.ReadDir("."); err != nil || slices.ContainsFunc(entries, func(e os.DirEntry) bool { return e.Name() == "other" || e.Name() == "out" }) {
		t.Errorf("%v, error %v: a refused command left a folder", entries, err)
	}
}
