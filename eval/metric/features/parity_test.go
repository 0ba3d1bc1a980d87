package features

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mcvd/models/backend/backendtest"
	"mcvd/models/paritytest"
)

// made is a tensor of the size and number k in a list of parameters, whose numbers are a formula.
func made(shape []int, k int, value func(i, k float64) float64) memory {
	size := 1
	for _, dim := range shape {
		size *= dim
	}
	m := memory{shape: shape, values: make([]float32, size)}
	for i := range m.values {
		m.values[i] = float32(value(float64(i), float64(k)))
	}
	return m
}

// memory is a tensor in memory.
type memory struct {
	shape  []int
	values []float32
}

func (m memory) Shape() []int                 { return m.shape }
func (m memory) Float32s() ([]float32, error) { return append([]float32(nil), m.values...), nil }

// parameters reads the list of names, shapes and numbers beside a fixture.
func parameters(t *testing.T, fixture, name string, each func(name string, shape []int, k int)) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(filepath.Dir(fixture), name))
	if err != nil {
		t.Fatal(err)
	}
	var list [][3]json.RawMessage
	if err := json.Unmarshal(text, &list); err != nil {
		t.Fatal(err)
	}
	for _, entry := range list {
		var name string
		var shape []int
		var k int
		for i, v := range []any{&name, &shape, &k} {
			if err := json.Unmarshal(entry[i], v); err != nil {
				t.Fatal(err)
			}
		}
		each(name, shape, k)
	}
}

// LPIPS's and I3D's weights of the fixtures are He's scale times a sine: no random numbers, and of
// the size that trained ones have.
func sine(shape []int) func(i, k float64) float64 {
	fan := 1
	for _, dim := range shape[1:] {
		fan *= dim
	}
	scale := 1.4 * math.Sqrt(2/float64(fan))
	if len(shape) == 1 {
		scale = 1.4 * math.Sqrt(2.0/50)
	}
	return func(i, k float64) float64 { return scale * math.Sin(0.7*i+k) }
}

// Distances of the package lpips in PyTorch, to 1e-3 of the value; so close is float32.
func TestParityLPIPS(t *testing.T) {
	const tolerance = 1e-5
	paritytest.Each(t, "metric/lpips.safetensors", func(t *testing.T, path string) {
		s := &sources{tensors: map[string]tensor{}}
		parameters(t, path, "alexnet_parameters.json", func(name string, shape []int, k int) {
			s.tensors["features."+name] = made(shape, k, sine(shape))
		})
		n, err := Find("lpips-alex")
		if err != nil {
			t.Fatal(err)
		}
		for i, channels := range n.linear {
			names, shape := n.layouts[1].linear(i, channels)
			s.tensors[names[0]] = made(shape, 100+i, func(i, k float64) float64 { return math.Abs(0.5 * math.Sin(0.7*i+k)) })
		}
		p, err := n.convert(s, n.layouts[1])
		if err != nil {
			t.Fatal(err)
		}
		net, err := OpenLPIPS(backendtest.Open(t), n.Name, p)
		if err != nil {
			t.Fatal(err)
		}
		defer net.Close()
		f := paritytest.Open(t, path)
		d := f.Shape("a")
		side := func(name string) []float32 { return paritytest.Permuted(f.Floats(name), d, 0, 2, 3, 1) }
		got, err := net.Distances(side("a"), side("b"), d[0], d[2], d[3], d[1])
		if err != nil {
			t.Fatal(err)
		}
		worst := paritytest.Worst(got, f.Floats("lpips"), 0, 1)
		if !(worst <= tolerance) {
			t.Errorf("distances %v, want %v: off by %.2g of the value, want %g", got, f.Floats("lpips"), worst, tolerance)
		}
		t.Logf("worst deviation: %.2g of the value", worst)
	})
}

// Logits of the PyTorch port of I3D.
func TestParityI3D(t *testing.T) {
	const tolerance = 1e-4
	paritytest.Each(t, "metric/i3d.safetensors", func(t *testing.T, path string) {
		s := &sources{tensors: map[string]tensor{}}
		parameters(t, path, "i3d_parameters.json", func(name string, shape []int, k int) {
			switch {
			case filepath.Ext(name) == ".weight" && len(shape) == 1: // batch norm's
				s.tensors[name] = made(shape, k, func(i, k float64) float64 { return 1 + 0.2*math.Sin(0.7*i+k) })
				module := name[:len(name)-len("weight")]
				s.tensors[module+"running_mean"] = made(shape, k, func(i, k float64) float64 { return 0 })
				s.tensors[module+"running_var"] = made(shape, k, func(i, k float64) float64 { return 1 })
			case len(shape) == 1 && name != "logits.conv3d.bias":
				s.tensors[name] = made(shape, k, func(i, k float64) float64 { return 0.1 * math.Sin(0.7*i+k) })
			default:
				s.tensors[name] = made(shape, k, sine(shape))
			}
		})
		n, err := Find("i3d")
		if err != nil {
			t.Fatal(err)
		}
		layout := n.layouts[1]
		layout.epsilon = 1e-5 // of this fixture's network
		p, err := n.convert(s, layout)
		if err != nil {
			t.Fatal(err)
		}
		net, err := OpenI3D(backendtest.Open(t), p, I3DLogits)
		if err != nil {
			t.Fatal(err)
		}
		defer net.Close()
		f := paritytest.Open(t, path)
		d := f.Shape("video") // [batch, channels, frames, height, width], 0 to 1
		values := paritytest.Permuted(f.Floats("video"), d, 0, 2, 3, 4, 1)
		for i := range values {
			values[i] = 2*values[i] - 1
		}
		got, err := net.Features(values, d[0], d[2], d[3], d[4], d[1])
		if err != nil {
			t.Fatal(err)
		}
		worst := paritytest.Worst(got, f.Floats("logits"), 1, 0)
		if !(worst <= tolerance) {
			t.Errorf("logits off by %.2g, want %g", worst, tolerance)
		}
		t.Logf("worst deviation: %.2g", worst)
		pooled, err := OpenI3D(backendtest.Open(t), p, I3DPooled)
		if err != nil {
			t.Fatal(err)
		}
		defer pooled.Close()
		x, err := pooled.Features(values, d[0], d[2], d[3], d[4], d[1])
		if err != nil {
			t.Fatal(err)
		}
		if worst := paritytest.Worst(linear(x, p[i3dTop.weightName()], p[i3dTop.biasName()]), f.Floats("logits"), 1, 0); !(worst <= tolerance) {
			t.Errorf("the logits of the pooled features are off by %.2g, want %g", worst, tolerance)
		}
	})
}

// linear is x w + b for a row x and w [len(x), len(b)].
func linear(x, w, b []float32) []float32 {
	y := make([]float32, len(b))
	for out := range y {
		sum := float64(b[out])
		for in, v := range x {
			sum += float64(v) * float64(w[in*len(b)+out])
		}
		y[out] = float32(sum)
	}
	return y
}

// mixed32 is number i of tensor k of Inception's weights in the fixture: bits of an integer, mixed, from
// -1 to 1. Unlike a sine they make layers of full rank.
func mixed32(i, k float64) float64 {
	u := (uint32(i) + 1 + uint32(k)*1000003) * 0x9E3779B1
	u = (u ^ u>>15) * 0x85EBCA77
	return float64(u^u>>13)/(1<<31) - 1
}

// inceptionTensors are the weights of the fixture, of a network that tells so many classes apart.
func inceptionTensors(t *testing.T, fixture string, classes int) *sources {
	s := &sources{tensors: map[string]tensor{classBiases: memory{shape: []int{classes}}}}
	parameters(t, fixture, "inception_parameters.json", func(name string, shape []int, k int) {
		value := func(i, k float64) float64 { return 0.1 * mixed32(i, k) }
		switch {
		case len(shape) == 4:
			scale := math.Sqrt(6 / float64(shape[1]*shape[2]*shape[3]))
			value = func(i, k float64) float64 { return scale * mixed32(i, k) }
		case strings.HasSuffix(name, ".bn.weight"):
			value = func(i, k float64) float64 { return 1 + 0.2*mixed32(i, k) }
		case strings.HasSuffix(name, ".running_var"):
			value = func(i, k float64) float64 { return 1 + 0.3*mixed32(i, k) }
		}
		s.tensors[name] = made(shape, k, value)
	})
	return s
}

// Features of torchvision's Inception-v3, as it is and with FID's pools.
func TestParityInception(t *testing.T) {
	const tolerance = 1e-4
	paritytest.Each(t, "metric/inception.safetensors", func(t *testing.T, path string) {
		n, err := Find("inception")
		if err != nil {
			t.Fatal(err)
		}
		f := paritytest.Open(t, path)
		d := f.Shape("frames") // [batch, channels, height, width], 0 to 1
		values := paritytest.Permuted(f.Floats("frames"), d, 0, 2, 3, 1)
		for i := range values {
			values[i] = 2*values[i] - 1
		}
		for variant, classes := range map[string]int{"fid": fidClasses, "torchvision": torchvisionClasses} {
			s := inceptionTensors(t, path, classes)
			l, missing := n.recognize(s)
			if l == nil || len(missing) > 0 || l.classes != classes {
				t.Fatalf("%s: recognized as %+v, without %v", variant, l, missing)
			}
			p, err := n.convert(s, *l)
			if err != nil {
				t.Fatal(err)
			}
			net, err := OpenInception(backendtest.Open(t), p)
			if err != nil {
				t.Fatal(err)
			}
			defer net.Close()
			got, err := net.Features(values, d[0], d[2], d[3], d[1])
			if err != nil {
				t.Fatal(err)
			}
			worst := paritytest.Worst(got, f.Floats(variant), 0.1, 1)
			if !(worst <= tolerance) {
				t.Errorf("%s: features off by %.2g, want %g", variant, worst, tolerance)
			}
			t.Logf("%s: worst deviation %.2g", variant, worst)
		}
	})
}
