package published

import (
	"encoding/binary"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mcvd/configs"
	"mcvd/models"
	"mcvd/models/diffusion"
	"mcvd/models/weights"
)

var complete = [4]int{ofWeights, ofEMA, ofMean, ofSquare}

// The published list becomes weights, average and Adam's means, each value in its place; what is
// not in the file is what it says.
func TestThePublishedList(t *testing.T) {
	s := newSample(t)
	parameters := s.parameters()
	addresses := s.adam(700)
	for i := range parameters {
		number := 0x7f00_0000_0000 + 64*(len(parameters)-i)
		addresses[0].value.(dict)[i].key = number
		addresses[1].value.(list)[0].(dict)[3].value.(list)[i] = number
	}
	for _, tt := range []struct {
		name          string
		change        func(root list) list
		step, updates int
		hasEMA, adam  bool
		sources       [4]int
	}{
		{"as it is", func(l list) list { return l }, 1234, 700, true, true, complete},
		{"not wrapped for several devices", func(l list) list { l[0] = s.state("", ofWeights, s.names); return l }, 1234, 700, true, true, complete},
		{"average of a wrapped model", func(l list) list { l[4] = s.state("module.", ofEMA, parameters); return l }, 1234, 700, true, true, complete},
		{"without an average", func(l list) list { return l[:4] }, 1234, 700, false, true, [4]int{ofWeights, ofWeights, ofMean, ofSquare}},
		{"None for the average", func(l list) list { l[4] = nil; return l }, 1234, 700, false, true, [4]int{ofWeights, ofWeights, ofMean, ofSquare}},
		{"steps as tensors", func(l list) list { l[1] = s.adam(float32s([]float32{700})); return l }, 1234, 700, true, true, complete},
		{"parameters by their addresses", func(l list) list { l[1] = addresses; return l }, 1234, 700, true, true, complete},
		{"Adam before its first step", func(l list) list { l[1] = dict{{"state", dict{}}, {"param_groups", list{}}}; return l },
			1234, 0, true, false, [4]int{ofWeights, ofEMA, -1, -1}},
		{"no step at all", func(l list) list { l[3] = 0; return l }, 0, 700, true, true, complete},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := opened(t, saved(t, tt.change(s.checkpoint())))
			if c.Step != tt.step || c.Updates != tt.updates || c.HasEMA() != tt.hasEMA || c.HasAdam() != tt.adam || !c.HasWeights() || c.Metadata != nil {
				t.Errorf("step %d, updates %d, EMA %t, Adam %t, metadata %v; want %d, %d, %t, %t, none",
					c.Step, c.Updates, c.HasEMA(), c.HasAdam(), c.Metadata, tt.step, tt.updates, tt.hasEMA, tt.adam)
			}
			if err := c.CheckSchedule(s.model.Schedule); err != nil {
				t.Error(err)
			}
			s.expect(t, c, tt.sources)
		})
	}
}

// Names don't depend on the order of a file, and Adam's numbers on no other order than that of the
// model's modules: a script of the published code renames the last norm's parameters, which moves
// them to the end.
func TestRenamedParameters(t *testing.T) {
	s := newSample(t)
	isLastNorm := func(name string) bool { return strings.HasPrefix(s.named[name].Path, "norm/") }
	last := slices.DeleteFunc(slices.Clone(s.names), func(name string) bool { return !isLastNorm(name) })
	if len(last) != 2 {
		t.Fatalf("last norm: %v, want two parameters", last)
	}
	moved := slices.Concat(slices.DeleteFunc(slices.Clone(s.names), isLastNorm), last)
	early := func(state ordered) ordered {
		for i := range state {
			state[i].key = strings.Replace(state[i].key.(string), ".Norm_0.", ".", 1)
		}
		return state
	}
	for name, root := range map[string]list{
		"early name":     {early(s.state("module.", ofWeights, s.names)), s.adam(9), 0, 9, early(s.state("", ofEMA, s.parameters()))},
		"moved":          {s.state("module.", ofWeights, moved), s.adam(9), 0, 9, s.state("", ofEMA, moved[4:])},
		"buffers last":   {s.state("module.", ofWeights, append(s.parameters(), s.names[:4]...)), s.adam(9), 0, 9, s.state("", ofEMA, moved[4:])},
		"buffers inside": {s.state("module.", ofWeights, slices.Insert(slices.Clone(s.names[4:]), 7, s.names[:4]...)), s.adam(9), 0, 9, s.state("", ofEMA, moved[4:])},
	} {
		t.Run(name, func(t *testing.T) { s.expect(t, opened(t, saved(t, root)), complete) })
	}
}

// A state dict alone is weights alone, in a file of torch.save or of safetensors, by published
// names or by this project's.
func TestStateDicts(t *testing.T) {
	s := newSample(t)
	alone := [4]int{ofWeights, ofWeights, -1, -1}
	t.Run("torch.save", func(t *testing.T) { s.expect(t, opened(t, saved(t, s.state("", ofWeights, s.names))), alone) })
	t.Run("torch.save without buffers", func(t *testing.T) {
		s.expect(t, opened(t, saved(t, dict(s.state("", ofWeights, s.parameters())))), alone)
	})
	theirs := func(prefix string, of int) (entries []weights.Entry) {
		for _, name := range s.names {
			entries = append(entries, plain(prefix+name, s.shapes[name], s.values(name, of)))
		}
		return entries
	}
	ours := func(scope string, of int) (entries []weights.Entry) {
		for _, w := range s.weights {
			entries = append(entries, plain(scope+"/"+w.Path, w.Shape, s.want(w, of)))
		}
		return entries
	}
	model, ema := ours(models.WeightsScope, ofWeights), ours(models.EMAScope, ofEMA)
	adam := slices.Concat(ours(models.AdamMeanScope, ofMean), ours(models.AdamSquareScope, ofSquare))
	for _, tt := range []struct {
		name                  string
		entries               []weights.Entry
		sources               [4]int
		hasWeights, ema, adam bool
	}{
		{"published names", theirs("", ofWeights), alone, true, false, false},
		{"published names of a wrapped model", theirs("module.", ofWeights), alone, true, false, false},
		{"own weights", model, alone, true, false, false},
		{"own average", ema, [4]int{ofEMA, ofEMA, -1, -1}, false, true, false},
		{"own weights and average", slices.Concat(ema, model), [4]int{ofWeights, ofEMA, -1, -1}, true, true, false},
		{"own weights and Adam", slices.Concat(model, adam), [4]int{ofWeights, ofWeights, ofMean, ofSquare}, true, false, true},
		{"all", slices.Concat(adam, ema, model), complete, true, true, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := opened(t, written(t, tt.entries))
			if c.HasWeights() != tt.hasWeights || c.HasEMA() != tt.ema || c.HasAdam() != tt.adam || c.Metadata["k"] != "v" {
				t.Errorf("weights %t, EMA %t, Adam %t, metadata %v", c.HasWeights(), c.HasEMA(), c.HasAdam(), c.Metadata)
			}
			s.expect(t, c, tt.sources)
		})
	}
}

// plain is an entry of float32 values.
func plain(name string, shape []int, values []float32) weights.Entry {
	return weights.Entry{Tensor: weights.Tensor{Name: name, DType: weights.F32, Shape: shape},
		Data: func() ([]byte, error) { return binary.Append(nil, binary.LittleEndian, values) }}
}

// written is the path of a safetensors file.
func written(t *testing.T, entries []weights.Entry) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "state.safetensors")
	if err := weights.Write(path, map[string]string{"k": "v"}, entries); err != nil {
		t.Fatal(err)
	}
	return path
}

// Types of 16 and 64 bits become float32, and strides don't matter.
func TestTypesAndStrides(t *testing.T) {
	s := newSample(t)
	root := s.state("", ofWeights, s.names)
	tensorOf := func(path string) (*pair, located) {
		for i, name := range s.names {
			if w := s.named[name]; w.Path == path {
				return &root[i], w
			}
		}
		t.Fatalf("no parameter %s", path)
		return nil, located{}
	}
	want := map[string][]float32{}
	for i, tt := range []struct {
		path, class string
		bits        func(x float32) any
	}{
		{"in/w", "HalfStorage", half},
		{"out/w", "BFloat16Storage", func(x float32) any { return uint16(math.Float32bits(x) >> 16) }},
		{"time0/w", "DoubleStorage", func(x float32) any { return float64(x) }},
		{"mask/w", "HalfStorage", half},
	} {
		p, w := tensorOf(tt.path)
		v := p.value.(view)
		there, data := make([]float32, v.count), []byte(nil)
		for k := range there {
			there[k] = float32((k%127)-60+i) / 4
			var err error
			if data, err = binary.Append(data, binary.LittleEndian, tt.bits(there[k])); err != nil {
				t.Fatal(err)
			}
		}
		p.value = view{&elements{tt.class, v.count, data}, 0, v.shape, v.stride}
		want[tt.path] = w.Layout.FromPublished(there, w.Shape)
	}
	// As PyTorch keeps a tensor after x.t() or .to(memory_format=channels_last), and one cut out of
	// a larger.
	turned, w := tensorOf("time1/w")
	v := turned.value.(view)
	turned.value = view{v.elements, 0, v.shape, []int{1, v.shape[0]}}
	want["time1/w"] = s.values(w.Name, ofWeights) // theirs is [out, in], so the transposed is ours
	cut, w := tensorOf("down0/0/conv0/w")
	v = cut.value.(view)
	more := float32s(append([]float32{1, 2, 3}, s.values(w.Name, ofWeights)...), v.count+3)
	cut.value = view{more.elements, 3, v.shape, v.stride}
	want["down0/0/conv0/w"] = s.want(w, ofWeights)
	entries, err := opened(t, saved(t, root)).Entries(s.listing)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, e := range entries {
		values, ok := want[strings.TrimPrefix(e.Name, models.WeightsScope+"/")]
		if !ok {
			continue
		}
		found++
		data, err := e.Data()
		if err != nil {
			t.Fatal(err)
		}
		if expected, _ := binary.Append(nil, binary.LittleEndian, values); !slices.Equal(data, expected) {
			t.Errorf("%s: other values", e.Name)
		}
	}
	if found != len(want) {
		t.Errorf("%d entries found, want %d", found, len(want))
	}
}

// half is a multiple of 1/4 below 16 as 16 bits.
func half(x float32) any {
	bits := math.Float32bits(x)
	if x == 0 {
		return uint16(0)
	}
	return uint16(bits>>31<<15 | (bits>>23&0xff-127+15)<<10 | bits>>13&0x3ff)
}

// Another schedule than the configuration's is an error, though all shapes agree. The published
// code multiplies up to 1000 factors in float32 and rounds each time, by a part in 2^24: as much
// may be rounding, three times as much is another schedule.
func TestCheckSchedule(t *testing.T) {
	s := newSample(t)
	root := func(alphas ...float32) list {
		l := s.checkpoint()
		for i, p := range l[0].(ordered) {
			if p.key == "module.alphas" {
				l[0].(ordered)[i].value = float32s(alphas, len(alphas))
			}
		}
		return l
	}
	short := *s.config
	short.Diffusion.Steps = 500
	cosine := *s.config
	cosine.Diffusion.Schedule, cosine.Diffusion.Options = "cosine", nil
	times := func(factor float64) list {
		schedule := s.model.Schedule.(*diffusion.Discrete)
		alphas := make([]float32, schedule.Steps())
		for i := range alphas {
			alphas[i] = float32(factor * schedule.AlphaBar[schedule.Label(i)])
		}
		return root(alphas...)
	}
	const rounding = 1000.0 / (1 << 24)
	nan := float32(math.NaN())
	for _, tt := range []struct {
		name string
		root list
		want string // nothing: it is the configuration's
		c    diffusion.Schedule
	}{
		{"rounded up", times(1 + rounding), "", s.model.Schedule},
		{"rounded down", times(1 - rounding), "", s.model.Schedule},
		{"higher", times(1 + 3*rounding), "another schedule than the configuration's (", s.model.Schedule},
		{"lower", times(1 - 3*rounding), "another schedule than the configuration's (", s.model.Schedule},
		{"fewer steps", s.checkpoint(), "a schedule of 1000 steps, the configuration (diffusion.steps, model.num_classes) says 500", scheduleOf(t, short.Diffusion)},
		{"cosine", s.checkpoint(), "another schedule than the configuration's (", scheduleOf(t, cosine.Diffusion)},
		{"not a number", root(slices.Repeat([]float32{nan}, 1000)...), "alphas[0] is NaN", s.model.Schedule},
	} {
		c := opened(t, saved(t, tt.root))
		err := c.CheckSchedule(tt.c)
		if tt.want == "" && err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		if tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), c.path)) {
			t.Errorf("%s: error %v, want %q in it", tt.name, err, tt.want)
		}
	}
}

func scheduleOf(t *testing.T, d configs.Diffusion) diffusion.Schedule {
	t.Helper()
	p, err := diffusion.New(d)
	if err != nil {
		t.Fatal(err)
	}
	return p.Schedule
}
