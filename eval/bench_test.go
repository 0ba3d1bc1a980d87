package eval

import (
	"context"
	"testing"
	"time"

	"mcvd/configs"
	"mcvd/configs/experiment"
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
