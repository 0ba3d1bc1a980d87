package features

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mcvd/models/weights"
)

// inLayout are tensors of a network in a layout, with weights p.
func inLayout(n Network, l layout, p Params) map[string]memory {
	all := map[string]memory{}
	constant := func(size int, v float32) memory { return memory{[]int{size}, slices.Repeat([]float32{v}, size)} }
	for i, u := range n.units() {
		names := l.unit(i, u)
		dims := []int{u.kernel[0], u.kernel[1], u.kernel[2], u.in, u.out}
		var shape []int
		for _, axis := range l.order {
			shape = append(shape, dims[axis])
		}
		all[names.kernel[0]] = memory{shape, inverse(p[u.weightName()], l.order, dims)}
		all[names.bias[0]] = memory{[]int{u.out}, p[u.biasName()]}
		if len(names.mean) > 0 {
			all[names.mean[0]], all[names.variance[0]] = constant(u.out, 0), constant(u.out, float32(1-l.epsilon))
		}
	}
	for i, channels := range n.linear {
		names, shape := l.linear(i, channels)
		all[names[0]] = memory{shape, p[linearName(i)]}
	}
	if l.classes > 0 {
		all[classBiases] = memory{[]int{l.classes}, make([]float32, l.classes)}
	}
	return all
}

// inverse undoes ordered.
func inverse(values []float32, order, dims []int) []float32 {
	at := make([]float32, len(values)) // where each value of the file is in values
	for i := range at {
		at[i] = float32(i)
	}
	out := make([]float32, len(values))
	for to, from := range ordered(at, order, dims) {
		out[int(from)] = values[to]
	}
	return out
}

// write writes tensors as a safetensors file.
func write(t testing.TB, path string, tensors map[string]memory) {
	t.Helper()
	var entries []weights.Entry
	for name, m := range tensors {
		entries = append(entries, weights.Entry{Tensor: weights.Tensor{Name: name, DType: weights.F32, Shape: m.shape}, Data: func() ([]byte, error) {
			var b []byte
			for _, v := range m.values {
				b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
			}
			return b, nil
		}})
	}
	if err := weights.Write(path, nil, entries); err != nil {
		t.Fatal(err)
	}
}

func drawnParams(n Network) Params {
	r := rand.New(rand.NewPCG(5, 6))
	p := Params{}
	for _, t := range n.Tensors() {
		size := 1
		for _, dim := range t.Shape {
			size *= dim
		}
		for range size {
			p[t.Name] = append(p[t.Name], r.Float32())
		}
	}
	return p
}

// Every layout gives the weights that went into it, and they come back from a file as they were.
func TestImport(t *testing.T) {
	for _, name := range []string{"lpips-alex", "lpips-vgg", "i3d", "inception"} {
		n, err := Find(name)
		if err != nil {
			t.Fatal(err)
		}
		want := drawnParams(n)
		for i, l := range n.layouts {
			s := &sources{tensors: map[string]tensor{}}
			if n.classes {
				want[classesName] = []float32{float32(l.classes)}
			}
			for name, m := range inLayout(n, l, want) {
				s.tensors[name] = m
			}
			best, missing := n.recognize(s)
			if best == nil || best.about != l.about || len(missing) > 0 {
				t.Errorf("%s: recognized as %+v, without %v; want layout %d", n.Name, best, missing, i)
			}
			got, err := n.convert(s, l)
			if err != nil {
				t.Fatal(err)
			}
			compare(t, n, got, want)
		}
		path := filepath.Join(t.TempDir(), n.File())
		if err := n.Write(path, want, "a, b", "1, 2"); err != nil {
			t.Fatal(err)
		}
		got, _, err := n.Read(path)
		if err != nil {
			t.Fatal(err)
		}
		compare(t, n, got, want)
		if o, sum, err := n.Inspect(path); err != nil || o != (Origin{"a, b", "1, 2", n.Variant(want), false}) || len(sum) != 64 {
			t.Errorf("%s: %+v, %s, %v", n.Name, o, sum, err)
		}
	}
}

func compare(t *testing.T, n Network, got, want Params) {
	t.Helper()
	for _, tensor := range n.Tensors() {
		if !slices.EqualFunc(got[tensor.Name], want[tensor.Name], func(a, b float32) bool { return math.Abs(float64(a-b)) <= 1e-6 }) {
			t.Fatalf("%s: %s is not what went in", n.Name, tensor.Name)
		}
	}
}

// Batch norm in the kernel and the bias is batch norm behind them.
func TestFoldNorm(t *testing.T) {
	w, shift := []float32{1, 2, 3, 4}, []float32{0.5, -0.5} // two inputs, two outputs
	gain, mean, variance := []float32{2, 1}, []float32{10, 20}, []float32{3.9, 0.15}
	foldNorm(w, shift, gain, mean, variance, 0.1) // divides by 2 and 0.5
	wantW, wantB := []float32{1, 4, 3, 8}, []float32{0.5 - 10, -0.5 - 40}
	close := func(a, b float32) bool { return math.Abs(float64(a-b)) <= 1e-5 }
	if !slices.EqualFunc(w, wantW, close) || !slices.EqualFunc(shift, wantB, close) {
		t.Errorf("kernel %v and bias %v, want %v and %v", w, shift, wantW, wantB)
	}
}

// The names of files that people have lead to the same weights.
func TestNamesInFiles(t *testing.T) {
	for name, want := range map[string]string{
		"module.features.0.weight": "features.0.weight", "_modules/features/_modules/0/_parameters/weight": "features.0.weight",
		"state_dict.lin0.model.1.weight": "lin0.model.1.weight", "model.module.lin0.model.1.weight": "lin0.model.1.weight",
		"params/Mixed_3b/Branch_0/Conv3d_0a_1x1/Conv_0/kernel": "params.Mixed_3b.Branch_0.Conv3d_0a_1x1.Conv_0.kernel", "model": "model",
	} {
		s := &sources{tensors: map[string]tensor{}}
		if err := s.add(name, memory{}); err != nil || s.tensors[want] == nil {
			t.Errorf("%s: %v, %v, want %s", name, s.tensors, err, want)
		}
	}
	if vgg := vgg16; vgg[12].number != 28 || vgg[2].number != 5 || !vgg[9].compared || vgg[8].compared {
		t.Errorf("VGG16's layers: %+v", vgg)
	}
}

func TestForeignFiles(t *testing.T) {
	dir := t.TempDir()
	file := func(name string, data string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	n, err := Find("lpips-alex")
	if err != nil {
		t.Fatal(err)
	}
	all := inLayout(n, n.layouts[1], drawnParams(n))
	tensors := func(name string, change func(map[string]memory)) string {
		some := map[string]memory{}
		for name, m := range all {
			some[name] = m
		}
		change(some)
		path := filepath.Join(dir, name)
		write(t, path, some)
		return path
	}
	for _, tt := range []struct {
		name, want string
		paths      []string
	}{
		{"no such file", "no such file", []string{filepath.Join(dir, "none")}},
		{"a folder", "not a regular file", []string{dir}},
		{"an empty file", "empty", []string{file("empty", "")}},
		{"text", "neither a zip file nor a pickle", []string{file("text", "hello, world")}},
		{"code", "refused", []string{file("code", "\x80\x03cos\nsystem\nX\x04\x00\x00\x00true\x85R.")}},
		{"a pickle of something else", "no weights of lpips-alex in it, but no tensors; want the pickle", []string{file("other", "\x80\x03}X\x01\x00\x00\x00aK\x01s.")}},
		{"no linear layers", "has no lin0.model.1.weight, lin1.model.1.weight, lin2.model.1.weight and 2 more", []string{tensors("part", func(m map[string]memory) {
			for i := range n.linear {
				names, _ := n.layouts[1].linear(i, 1)
				delete(m, names[0])
			}
		})}},
		{"another shape", "tensor features.3.bias has shape [191], want [192]", []string{tensors("shape", func(m map[string]memory) {
			m["features.3.bias"] = memory{[]int{191}, make([]float32, 191)}
		})}},
		{"a NaN", "conv1.b: a value that isn't finite", []string{tensors("nan", func(m map[string]memory) {
			values := make([]float32, 192)
			values[7] = float32(math.NaN())
			m["features.3.bias"] = memory{[]int{192}, values}
		})}},
		{"a negative distance", "linear2: a negative weight", []string{tensors("negative", func(m map[string]memory) {
			m["lin2.model.1.weight"] = memory{[]int{1, 384, 1, 1}, slices.Repeat([]float32{-1}, 384)}
		})}},
		{"the same twice", "there twice", []string{tensors("one", func(map[string]memory) {}), filepath.Join(dir, "one")}},
	} {
		_, _, _, err := n.Import(tt.paths)
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want one line with %q", tt.name, err, tt.want)
		}
	}
	if _, _, _, err := n.Import([]string{filepath.Join(dir, "one")}); err != nil {
		t.Errorf("all weights: %v", err)
	}
}

// The two Inception networks have weights of the same names. The classes tell them apart, and a file
// of other classes is neither.
func TestInceptionNetworksAreToldApart(t *testing.T) {
	n, err := Find("inception")
	if err != nil {
		t.Fatal(err)
	}
	all := inLayout(n, n.layouts[0], drawnParams(n))
	path := filepath.Join(t.TempDir(), "file")
	for classes, want := range map[int]string{fidClasses: "FID's", torchvisionClasses: "torchvision's", 10: "", 0: ""} {
		delete(all, classBiases)
		if classes > 0 {
			all[classBiases] = memory{[]int{classes}, make([]float32, classes)}
		}
		write(t, path, all)
		p, _, _, err := n.Import([]string{path})
		switch {
		case want == "" && (err == nil || !strings.Contains(err.Error(), "has no fc.bias of 1008 classes")):
			t.Errorf("%d classes: %v, want them refused", classes, err)
		case want != "" && (err != nil || !strings.HasPrefix(n.Variant(p), want)):
			t.Errorf("%d classes: %v, %q, want %s", classes, err, n.Variant(p), want)
		}
	}
	p := drawnParams(n)
	p[classesName] = []float32{10}
	if _, err := OpenInception(nil, p); err == nil || !strings.Contains(err.Error(), "classes: 10, want those of FID's") {
		t.Errorf("opened with 10 classes: %v", err)
	}
}

// Zeros beyond the border count in torchvision's averages and not in FID's.
func TestNeighbours(t *testing.T) {
	third, half := float32(1)/3, float32(1)/2
	for zerosCount, want := range map[bool][][]float32{
		true:  {{third, third, 0}, {third, third, third}, {0, third, third}},
		false: {{half, third, 0}, {half, third, half}, {0, third, half}},
	} {
		if got := neighbours(3, zerosCount); !slices.EqualFunc(got, want, slices.Equal) {
			t.Errorf("zeros count, %t: %v, want %v", zerosCount, got, want)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	dir := t.TempDir()
	alex, err := Find("lpips-alex")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "w")
	if err := alex.Write(path, drawnParams(alex), "", ""); err != nil {
		t.Fatal(err)
	}
	vgg, err := Find("lpips-vgg")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := vgg.Read(path); err == nil || !strings.Contains(err.Error(), `weights of "lpips-alex", want lpips-vgg`) {
		t.Errorf("another network's weights: %v", err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)-5] ^= 1
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, _, err := alex.Read(path); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("a flipped bit: %v", err)
	}
}

// FuzzImport reads any file.
func FuzzImport(f *testing.F) {
	f.Add([]byte("\x80\x03}X\x01\x00\x00\x00aK\x01s."))
	f.Add([]byte("\x80\x03}X\x08\x00\x00\x00AlexNet_}X\x04\x00\x00\x00biasNss."))
	f.Add([]byte("\x80\x03}X\x0f\x00\x00\x00features.0.biascnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85C\x01b\x87R(K\x01K\x40\x85cnumpy\ndtype\nX\x02\x00\x00\x00f4\x89\x88\x87R(K\x03X\x01\x00\x00\x00<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89C\x04\x00\x00\x00\x00tbs."))
	path := filepath.Join(f.TempDir(), "seed")
	write(f, path, map[string]memory{"features.0.bias": {[]int{64}, make([]float32, 64)}})
	seed, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	n, err := Find("lpips-alex")
	if err != nil {
		f.Fatal(err)
	}
	file := filepath.Join(f.TempDir(), "file") // of this process alone, which tries one input at a time
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := os.WriteFile(file, b, 0o644); err != nil {
			t.Fatal(err)
		}
		_, _, _, err := n.Import([]string{file})
		if err == nil || strings.Contains(err.Error(), "\n") {
			t.Fatalf("%v, want an error of one line: no file so small has all weights", err)
		}
	})
}
