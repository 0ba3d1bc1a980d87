package train

import (
	"context"
	"testing"

	"mcvd/configs/experiment"
	"mcvd/models/backend/backendtest"
)

// BenchmarkStep is a training step of the networks of configs/bench: the first, which compiles, is
// not counted.
func BenchmarkStep(b *testing.B) {
	for _, name := range []string{"concat32", "spatin32"} {
		b.Run(name, func(b *testing.B) {
			c, err := experiment.Load("../configs/bench/" + name + ".yml")
			if err != nil {
				b.Fatal(err)
			}
			times, err := Benchmark(context.Background(), backendtest.Open(b), c, 1+b.N)
			if err != nil {
				b.Fatal(err)
			}
			total := 0.0
			for _, t := range times[1:] {
				total += float64(t)
			}
			b.ReportMetric(total/float64(b.N), "ns/op")
		})
	}
}
