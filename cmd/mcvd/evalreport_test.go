package main

import (
	"os"
	"strings"
	"testing"
)

// evaluated trains a tiny run and evaluates it, with a report and its page.
func evaluated(t *testing.T, more ...string) {
	t.Helper()
	inNewFolder(t)
	if status, _, stderr := call(t, "train", "-c", "configs/tiny.yml", "-o", "run", "--set", "train.steps=1"); status != 0 {
		t.Fatal(stderr)
	}
	args := append([]string{"eval", "run", "--clips", "5", "--metrics", "psnr,ssim", "--steps", "2", "-o", "out/report.json", "--html", "out/page.html"}, more...)
	if status, _, stderr := call(t, args...); status != 0 {
		t.Fatal(stderr)
	}
}

func readText(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

const otherVideo = "This is not exactly the video that was scored"

// A page has videos that have their recorded scores, whether it was written with the report or later,
// with the sampler, the seeds and the checkpoint that were evaluated.
func TestThePageOfAnEvaluation(t *testing.T) {
	evaluated(t, "--trajectories", "2", "--seeds", "3,4")
	first := readText(t, "out/page.html")
	if n := strings.Count(first, "data:image/png"); n != 9 || strings.Contains(first, otherVideo) {
		t.Errorf("%d films, want a real and two generated ones of three clips, as they were scored", n)
	}
	status, stdout, stderr := call(t, "eval", "report", "out/report.json", "--run", "run", "--batch", "1", "-o", "out/again.html")
	if status != 0 || stdout != "out/again.html\n" {
		t.Fatal(stdout, stderr)
	}
	if readText(t, "out/again.html") != first {
		t.Error("the page that is made later is another one")
	}
	if status, _, stderr := call(t, "eval", "report", "out/report.json", "-o", "out/plain.html"); status != 0 {
		t.Fatal(stderr)
	}
	plain := readText(t, "out/plain.html")
	if strings.Contains(plain, "data:image/png") || !strings.Contains(plain, "mcvd eval report REPORT.json --run run -o PAGE.html") {
		t.Error("a page without a run has films, or doesn't say how to get them")
	}

	// Other noise gives other videos, and the page says so.
	edited := strings.ReplaceAll(readText(t, "out/report.json"), `"seed": 3`, `"seed": 5`)
	if err := os.WriteFile("out/edited.json", []byte(edited), 0o644); err != nil {
		t.Fatal(err)
	}
	if status, _, stderr := call(t, "eval", "report", "out/edited.json", "--run", "run", "-o", "out/edited.html"); status != 0 {
		t.Fatal(stderr)
	}
	if !strings.Contains(readText(t, "out/edited.html"), otherVideo) {
		t.Error("videos of other noise are shown as those that were scored")
	}
}

// Samples of the task generate are beside their nearest training clips.
func TestThePageOfSamples(t *testing.T) {
	inNewFolder(t)
	if status, _, stderr := call(t, "train", "-c", "configs/tiny.yml", "-o", "run", "--set", "train.steps=1"); status != 0 {
		t.Fatal(stderr)
	}
	if status, _, stderr := call(t, "eval", "run", "--task", "generate", "--clips", "3", "--steps", "2", "--html", "page.html"); status != 0 {
		t.Fatal(stderr)
	}
	text := readText(t, "page.html")
	if n := strings.Count(text, "data:image/png"); n != 6 {
		t.Errorf("%d films, want three samples and three neighbours", n)
	}
	for _, want := range []string{"grey levels away", "clips of the training split, which has more", "3 held-out clips are "} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

func TestMistakesInPages(t *testing.T) {
	evaluated(t)
	if status, _, stderr := call(t, "train", "-c", "configs/tiny.yml", "-o", "other", "--set", "train.steps=1", "--set", "seed=9"); status != 0 {
		t.Fatal(stderr)
	}
	report := readText(t, "out/report.json")
	for name, text := range map[string]string{"text.json": "no report", "nan.json": strings.Replace(report, `"step": 1`, `"step": NaN`, 1),
		"huge.json": strings.Replace(report, `"nfe": `, `"nfe": 1e99`, 1), "part.json": `{"results": []}`,
		"gone.json":    strings.ReplaceAll(report, "step-00000001", "step-00000007"),
		"video.json":   strings.ReplaceAll(report, `"video": "`, `"video": "x`),
		"sampler.json": strings.Replace(report, `"name": "ddim"`, `"name": "magic"`, 1)} {
		if text == report {
			t.Fatalf("%s is not edited", name)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	before := listing(t)
	for _, c := range []struct {
		args   string
		status int
		want   string
	}{
		{"eval report", 2, "0 arguments, want a report"},
		{"eval report out/report.json", 2, "no file for the page: give --out FILE.html"},
		{"eval report out/report.json -o new.pdf", 2, "--out new.pdf: want a name that ends in .html or .htm"},
		{"eval report out/report.json -o new.html --backend go", 2, "--backend has no effect without --run"},
		{"eval report out/report.json -o new.html --batch 2", 2, "--batch has no effect without --run"},
		{"eval report out/report.json -o new.html --run run --batch 0", 2, "--batch 0: want 1 to"},
		{"eval report out/report.json -o new.html --set data.path=x", 2, "--set has no effect without --run"},
		{"eval report missing.json -o new.html", 1, "missing.json: no such file"},
		{"eval report text.json -o new.html", 1, "text.json: not a report of an evaluation"},
		{"eval report nan.json -o new.html", 1, "nan.json: not a report of an evaluation"},
		{"eval report huge.json -o new.html", 1, "huge.json: not a report of an evaluation"},
		{"eval report part.json -o new.html", 1, "part.json: not a report of an evaluation"},
		{"eval report out/report.json -o run/new.html --run run", 1, "--out run/new.html: lies in the run folder"},
		{"eval report out/report.json --run missing -o new.html", 1, "missing: no such run folder"},
		{"eval report out/report.json --run other -o new.html", 1, "was evaluated: these are other weights"},
		{"eval report gone.json --run run -o new.html", 1, "step-00000007.safetensors: no such file"},
		{"eval report video.json --run run -o new.html", 1, "these are not the data that were evaluated"},
		{"eval report sampler.json --run run -o new.html", 1, `sampler.name: unknown "magic"`},
		{"eval report out/report.json --run run --set data.options.digits=1 -o new.html", 1, "these are not the data that were evaluated"},
		{"eval run --html page.txt", 2, "--html page.txt: want a name that ends in .html or .htm"},
		{"eval run --html a.html -o a.html", 2, "--html a.html: is --out, too"},
		{"eval run --html run/page.html", 1, "--html run/page.html: lies in the run folder"},
		{"eval run --html records/page.html --records records", 1, "--html records/page.html: lies in the folder of records"},
		{"eval run --records records --shard 0/2 --html a.html", 2, "has no report of all clips for --out, --html or --json"},
		{"eval merge records --html a.txt", 2, "--html a.txt: want a name that ends in"},
	} {
		status, stdout, stderr := call(t, strings.Fields(c.args)...)
		if status != c.status || stdout != "" || !strings.Contains(stderr, c.want) || strings.Contains(stderr, "goroutine") {
			t.Errorf("%s: status %d, %q, want %d and a line that says %q", c.args, status, stdout+stderr, c.status, c.want)
		}
	}
	if after := listing(t); after != before {
		t.Errorf("mistakes left files:\n%s\nbefore:\n%s", after, before)
	}
}
