package features

import (
	"math/rand/v2"
	"testing"

	"mcvd/models/backend/backendtest"
)

// benchWeights are numbers of the size that trained ones have.
func benchWeights(b *testing.B, name string) Params {
	b.Helper()
	n, err := Find(name)
	if err != nil {
		b.Fatal(err)
	}
	r := rand.New(rand.NewPCG(13, 14))
	p := Params{}
	for _, t := range n.Tensors() {
		size := 1
		for _, dim := range t.Shape {
			size *= dim
		}
		values := make([]float32, size)
		for i := range values {
			values[i] = 0.05 * r.Float32()
		}
		p[t.Name] = values
	}
	return p
}

func benchValues(n int) []float32 {
	r := rand.New(rand.NewPCG(15, 16))
	values := make([]float32, n)
	for i := range values {
		values[i] = 2*r.Float32() - 1
	}
	return values
}

// BenchmarkLPIPS compares as many pairs of frames as the metrics do at a time.
func BenchmarkLPIPS(b *testing.B) {
	for name, n := range map[string]int{"lpips-alex": 16, "lpips-vgg": 2} {
		b.Run(name, func(b *testing.B) {
			net, err := OpenLPIPS(backendtest.Open(b), name, benchWeights(b, name))
			if err != nil {
				b.Fatal(err)
			}
			defer net.Close()
			const side = 128
			x, y := benchValues(n*side*side*3), benchValues(n*side*side*3)
			run := func() {
				if _, err := net.Distances(x, y, n, side, side, 3); err != nil {
					b.Fatal(err)
				}
			}
			run() // compiles
			for b.Loop() {
				run()
			}
			b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "pairs/s")
		})
	}
}

// BenchmarkI3D describes a clip of 16 frames of 64x64.
func BenchmarkI3D(b *testing.B) {
	net, err := OpenI3D(backendtest.Open(b), benchWeights(b, "i3d"), I3DLogits)
	if err != nil {
		b.Fatal(err)
	}
	defer net.Close()
	const frames, side = 16, 64
	x := benchValues(frames * side * side * 3)
	run := func() {
		if _, err := net.Features(x, 1, frames, side, side, 3); err != nil {
			b.Fatal(err)
		}
	}
	run() // compiles
	for b.Loop() {
		run()
	}
	b.ReportMetric(frames*float64(b.N)/b.Elapsed().Seconds(), "frames/s")
}
