package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"mcvd/models/diffusion"
	"mcvd/models/sampler"
)

// distances is the energy distance of points that a run generates to data, and what is expected of a
// second draw of data.
func distances(t *testing.T, line string) (generated, drawn float64) {
	t.Helper()
	stdout, _ := mustCall(t, "points "+line+" --backend go --points 300")
	_, numbers, _ := strings.Cut(stdout, "points: ")
	words := strings.Fields(numbers)
	if _, err := fmt.Sscan(words[0], &generated); err != nil {
		t.Fatal(err, stdout)
	}
	fmt.Sscan(words[len(words)-1], &drawn)
	if !(drawn > 0) {
		t.Fatalf("no second number in %q", stdout)
	}
	return generated, drawn
}

// near checks that generated points are so many times as far from data as other data are, at most.
// 300 points: of more, one could tell that the training was short.
func near(t *testing.T, what, line string, times float64) {
	t.Helper()
	generated, drawn := distances(t, line)
	t.Logf("%s: %.5f, %.5f of a second draw", what, generated, drawn)
	if !(generated <= times*drawn) {
		t.Errorf("%s: energy distance %.5f, want at most %g times that of a second draw of data, %.5f", what, generated, times, drawn)
	}
}

// Every sampler generates points that are nearly as close to data as other data are, after a small part
// of the toy's training. Those with noise are a draw of their own, which may be twice as far by chance.
func TestTheToyIsLearned(t *testing.T) {
	inNewFolder(t)
	mustCall(t, "train -c configs/toy/scurve.yml -o run --backend go --set train.steps=2000 --set train.batch=150")
	for _, name := range sampler.Names() {
		if name == sampler.ConsistencyName {
			continue // for students: see the test below
		}
		near(t, name, "run --sampler "+name, 2.5)
	}
	near(t, "ddim", "run --sampler ddim", 1.5)
}

// With one evaluation students of either kind generate points that are far closer to the data than those
// of their teacher with one.
func TestTheToyIsDistilled(t *testing.T) {
	inNewFolder(t)
	mustCall(t, "train -c configs/toy/scurve.yml -o run --backend go --set train.steps=1000 --set train.batch=150 --set diffusion.target=v")
	teacher, _ := distances(t, "run --sampler ddim --steps 1")
	for folder, kind := range map[string]string{"fast/steps-1": "progressive --until 1", "fast/consistency": "consistency"} {
		mustCall(t, "distill run -o fast --backend go --from 8 --set train.steps=250 --kind "+kind)
		if student, _ := distances(t, folder); !(student <= teacher/5) {
			t.Errorf("%s: energy distance %.5f with one evaluation, the teacher's is %.5f", folder, student, teacher)
		} else {
			t.Logf("%s: energy distance %.5f with one evaluation, the teacher's is %.5f", folder, student, teacher)
		}
	}
}

// With every target, a hundredth of the training gets most of the way.
func TestTheToyIsLearnedWithEveryTarget(t *testing.T) {
	inNewFolder(t)
	for _, target := range diffusion.Targets() {
		mustCall(t, "train -c configs/toy/scurve.yml -o "+target+" --backend go --set train.steps=800 --set train.batch=50 --set diffusion.target="+target)
		near(t, target, target+" --sampler ddim", 6)
	}
}

func TestPointsAreDrawn(t *testing.T) {
	inNewFolder(t)
	mustCall(t, "train -c configs/toy/moons.yml -o moons --backend go --set train.steps=10")
	stdout, _ := mustCall(t, "points moons --backend go --points 100 --rows 3 --steps 5 -o out/moons.png")
	if info, err := os.Stat("out/moons.png"); err != nil || info.Size() < 1000 || !strings.HasSuffix(stdout, "out/moons.png\n") {
		t.Errorf("no picture: %v: %s", err, stdout)
	}
	generated, drawn := distances(t, "moons")
	t.Logf("without training: %.5f, %.5f of a second draw", generated, drawn)
	if !(generated > 15*drawn) {
		t.Errorf("energy distance %.5f of a network that has learned nothing, %.5f of a second draw of data", generated, drawn)
	}
	mustCall(t, "train -c configs/tiny.yml -o tiny --backend go --set train.steps=1")
	for want, line := range map[string]string{
		"want data.name points and 2 values":   "points tiny --backend go",
		"want a name that ends in .png":        "points moons -o out/moons.jpg",
		"want 2 to 10000":                      "points moons --points 1",
		"lies in the run folder, moons":        "points moons --backend go -o moons/checkpoints/a.png",
		"--devices 3: share a batch of 100 vi": "points moons --points 100 --devices 3",
	} {
		if status, _, stderr := call(t, strings.Fields(line)...); status == 0 || !strings.Contains(stderr, want) {
			t.Errorf("%s: status %d, %s, want %s", line, status, stderr, want)
		}
	}
}
