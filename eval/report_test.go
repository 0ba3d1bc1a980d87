package eval

import (
	"strings"
	"testing"

	"mcvd/configs"
	"mcvd/eval/metric"
)

// The tables say what was scored, by what, and how well; scores that were skipped say why.
func TestWriteText(t *testing.T) {
	summary := metric.Summary{Mean: 18.5, Low: 17.75, High: 19.25, N: 24}
	score := Score{Unit: "dB", Best: summary, Mean: metric.Summary{Mean: 17, Low: 16.5, High: 17.5, N: 24}, MeanByFrame: []float64{18, 16}}
	skipped := Score{Skipped: "too small"}
	set := Score{Set: &SetScore{Value: 0.01234, Real: 24, Made: 72}}
	r := Report{Header: Header{
		Protocol: Protocol{Name: "clean", Task: "predict", Clips: 24, Trajectories: 3, Frames: 2, Advance: 1, Split: "test", Seed: 7},
		Dataset:  "folder", Videos: 12, Checkpoint: "a.safetensors", Step: 9, NFE: 21, NFEPerFrame: 10.5, SecondsPerClip: 0.5, SecondsPerFrame: 0.25,
		Sampler: configs.Sampler{Name: "ddpm", Steps: 20}, Backend: "go",
		Metrics: []metric.Info{{Name: "psnr", Unit: "dB", HigherIsBetter: true, Digits: 2}, {Name: "mmd", Digits: 4}, {Name: "ssim", HigherIsBetter: true, Digits: 4}}},
		Results: []Result{
			{Method: modelMethod, Scores: map[string]Score{"psnr": score, "mmd": set, "ssim": skipped}},
			{Method: "copy last", Scores: map[string]Score{"psnr": score, "mmd": set, "ssim": skipped}},
		},
	}
	var out strings.Builder
	if err := r.WriteText(&out); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(out.String(), "\n")
	for i := range lines {
		lines[i] = strings.Join(strings.Fields(lines[i]), " ")
	}
	text := strings.Join(lines, "\n")
	for _, want := range []string{
		"predict 2 frames: 24 clips of the 12 videos of folder/test, trajectories: 3 each, advance 1, seed 7\n",
		"a.safetensors (step 9), ddpm with 20 steps, 21 network evaluations and 0.5 s a video (10.5 network evaluations and 0.25 s a frame), backend go\n",
		"mean over clips [95 % interval] psnr dB mmd ssim\n",
		"model, best of 3 18.50 [17.75, 19.25] - -\n",
		"model, mean of 3 17.00 [16.50, 17.50] 0.0123 -\n",
		"copy last 17.00 [16.50, 17.50] 0.0123 -\n",
		"higher is better: psnr, ssim; lower is better: mmd\n",
		"psnr dB by frame 1 2\nmodel 18.00 16.00\ncopy last 18.00 16.00\n",
		"mmd: of 24 real and 72 generated clips\n",
		"ssim: skipped: too small\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("want %q in\n%s", want, text)
		}
	}
}
