package eval

import (
	"context"
	"testing"
	"time"

	"github.com/gomlx/gomlx/ml/model"

	"mcvd/configs"
	"mcvd/configs/experiment"
	"mcvd/data"
	"mcvd/data/clips"
	"mcvd/eval/metric"
	"mcvd/models"
	"mcvd/models/backend/backendtest"
)

// So many times as asked for, more than a plan has steps, that add up to no more than the whole
// took.
func TestBenchmarkTimesEachStepOnce(t *testing.T) {
	c := config()
	c.Sampler = configs.Sampler{Name: "ddpm", Spacing: "uniform", Steps: 2, Clip: true}
	for _, steps := range []int{1, c.Diffusion.Steps, 2*c.Diffusion.Steps + 3} {
		began := time.Now()
		window, times, err := Benchmark(context.Background(), backendtest.Open(t), c, 2, steps)
		if err != nil || len(times) != steps || window <= 0 {
			t.Fatalf("%d times and %v for a window, want %d; error %v", len(times), window, steps, err)
		}
		var sum time.Duration
		for i, took := range times {
			if sum += took; took <= 0 {
				t.Errorf("step %d took %v", i, took)
			}
		}
		if all := time.Since(began); sum > all {
			t.Errorf("%d steps took %v of %v", steps, sum, all)
		}
	}
}

// BenchmarkSamplingStep is a network evaluation of sampling with the networks of configs/bench;
// "window" is what each window needs before.
func BenchmarkSamplingStep(b *testing.B) {
	for _, name := range []string{"concat32", "spatin32"} {
		b.Run(name, func(b *testing.B) {
			c, err := experiment.Load("../configs/bench/" + name + ".yml")
			if err != nil {
				b.Fatal(err)
			}
			window, times, err := Benchmark(context.Background(), backendtest.Open(b), c, c.Train.Batch, 1+b.N)
			if err != nil {
				b.Fatal(err)
			}
			total := 0.0
			for _, t := range times[1:] {
				total += float64(t)
			}
			b.ReportMetric(total/float64(b.N), "ns/op")
			b.ReportMetric(float64(window), "ns/window")
		})
	}
}

// BenchmarkScoring is the time that a video of 8 frames of 16x16 takes outside of sampling, by all
// metrics without a network: real frames stand in the place of generated ones.
func BenchmarkScoring(b *testing.B) {
	c := config()
	c.Data.Size, c.Data.Options = 16, configs.Options{"digits": 1}
	m, err := models.New(c)
	if err != nil {
		b.Fatal(err)
	}
	ds, err := data.Open(b.Context(), c, clips.Test, c.Frames.Past+8, nil)
	if err != nil {
		b.Fatal(err)
	}
	g, err := NewGenerator(backendtest.Open(b), model.NewStore(), m, c.Sampler, 1, 16, 1)
	if err != nil {
		b.Fatal(err)
	}
	defer g.Close()
	metrics, err := metric.Open([]string{"psnr", "ssim", "mmd", "digit"}, metric.Needs{})
	if err != nil {
		b.Fatal(err)
	}
	e, err := NewEvaluation(g, ds, Protocol{Name: "clean", Task: "predict", Clips: 1 << 20, Trajectories: 10, Frames: 8, Seed: 1}, metrics)
	if err != nil {
		b.Fatal(err)
	}
	e.generate = func(_ context.Context, _ uint64, cases []Case, _ func()) (made []Frames, err error) {
		for _, c := range cases {
			made = append(made, clips.ToFloat(c.Real))
		}
		return made, nil
	}
	parts, videos := e.Parts(), 0
	for b.Loop() {
		if _, err := e.Part(b.Context(), parts[videos/80], nil); err != nil {
			b.Fatal(err)
		}
		videos += 80
	}
	b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(videos), "ms/video")
}
