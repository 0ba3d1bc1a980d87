package main

import (
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/ml/model"

	"mcvd/configs/experiment"
	"mcvd/models"
	"mcvd/models/backend/backendtest"
)

// publishedSizes are the sizes of the networks in the paper and in its code: million parameters, and GFLOP
// of a forward pass, by an analytic count of the published layers.
var publishedSizes = map[string][2]float64{
	"smmnist-concat": {27.9, 19.7}, "smmnist-spatin": {54.0, 57.4}, "kth-concat": {62.8, 43.0}, "kth-spatin": {367.7, 334.6},
	"bair-concat": {251.2, 166.6}, "bair-spatin": {328.6, 278.1}, "cityscapes-concat": {262.1, 345.6}, "cityscapes-spatin": {579.2, 1076},
	"ucf101-concat": {565.0, 370.3}, "ucf101-spatin": {739.4, 621.8},
}

// Every published experiment has the published size, and docs/reproduce.md says it.
func TestPublishedExperimentsHaveTheirSizes(t *testing.T) {
	page, err := os.ReadFile("../../docs/reproduce.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string][]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `(.*)` \\| (.*) \\| (.*) \\| (.*) \\| .* \\| (.*) \\|$").FindAllStringSubmatch(string(page), -1) {
		rows[row[1]] = row[2:]
	}
	files, err := filepath.Glob("../../configs/published/*-*.yml")
	if err != nil || len(files) != len(rows) || len(files) < len(publishedSizes) {
		t.Fatalf("%d experiments, %d rows in docs/reproduce.md, error %v", len(files), len(rows), err)
	}
	b := backendtest.OpenGo(t)
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".yml")
		c, err := experiment.Load(file)
		if err != nil {
			t.Error(err)
			continue
		}
		m, err := models.New(c)
		if err != nil {
			t.Fatal(err)
		}
		size, err := m.Declare(b, model.NewStore().Scope("/"+models.WeightsScope), 1)
		if err != nil {
			t.Fatal(err)
		}
		parameters, flops := float64(size.Parameters)/1e6, size.FLOPs/1e9
		if want, ok := publishedSizes[name]; ok && (!(math.Abs(parameters-want[0]) <= 0.06) || !(math.Abs(flops/want[1]-1) <= 0.002)) {
			t.Errorf("%s: %.2f million parameters and %.2f GFLOP, published: %v", name, parameters, flops, want)
		}
		steps := strconv.Itoa(c.Train.Steps)
		f := c.Frames
		want := []string{fmt.Sprintf("%d/%d/%d", f.Past, f.Current, f.Future), fmt.Sprintf("%.2f", parameters), fmt.Sprintf("%.2f", flops), steps}
		if got := rows[name]; len(got) != 4 || strings.Join(got, " ") != strings.Join(want, " ") && strings.ReplaceAll(strings.Join(got, " "), ",", "") != strings.Join(want, " ") {
			t.Errorf("%s: docs/reproduce.md says %v, want %v", name, got, want)
		}
	}
}

// The commands of docs/reproduce.md and docs/samplers.md are those of the program, with flags that it
// has, and configurations that are there.
func TestCommandsOfThePagesAreUnderstood(t *testing.T) {
	found := 0
	for _, page := range []string{"reproduce.md", "samplers.md"} {
		text, err := os.ReadFile("../../docs/" + page)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range regexp.MustCompile(`(?m)^    bin/mcvd (.*)$`).FindAllStringSubmatch(string(text), -1) {
			found++
			cmd, rest, err := newRoot(io.Discard).Find(strings.Fields(line[1]))
			if err == nil {
				err = cmd.ParseFlags(rest)
			}
			if err == nil && cmd.Args != nil {
				err = cmd.Args(cmd, cmd.Flags().Args())
			}
			if err != nil {
				t.Errorf("%s: %s: %v", page, line[1], err)
				continue
			}
			if config := cmd.Flags().Lookup("config"); config != nil && config.Changed {
				if _, err := experiment.Load("../../" + config.Value.String()); err != nil {
					t.Errorf("%s: %v", page, err)
				}
			}
		}
	}
	if found < 40 {
		t.Errorf("%d commands found", found)
	}
}
