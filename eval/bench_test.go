package eval

import (
	"context"
	"testing"

	"mcvd/configs"
	"mcvd/models/backend/backendtest"
)

// BenchmarkSamplingStep is a network evaluation of sampling with the networks of configs/bench; "window" is what each window needs before.
func BenchmarkSamplingStep(b *testing.B) {
	for _, name := range []string{"concat32", "spatin32"} {
		b.Run(name, func(b *testing.B) {
			c, err := configs.Load("../configs/bench/" + name + ".yml")
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
