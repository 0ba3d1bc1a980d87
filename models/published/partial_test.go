package published

import (
	"encoding/binary"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mcvd/models"
	"mcvd/models/weights"
)

// seed of the first weights here.
const seed = 11

// part fails unless a file can be imported in part.
func (s *sample) part(t *testing.T, path string, only ...string) *Part {
	t.Helper()
	part, err := opened(t, path).Part(s.listing, only, seed)
	if err != nil {
		t.Fatal(err)
	}
	return part
}

// read returns the values of all entries.
func (p *Part) read(t *testing.T) map[string][]float32 {
	t.Helper()
	all := map[string][]float32{}
	for _, e := range p.Entries {
		data, err := e.Data()
		if err != nil {
			t.Fatal(err)
		}
		values := make([]float32, len(data)/4)
		if _, err := binary.Decode(data, binary.LittleEndian, values); err != nil {
			t.Fatal(err)
		}
		all[e.Name] = values
	}
	return all
}

// tensors counts those of the rows by their origin.
func (p *Part) tensors() map[string]int {
	n := map[string]int{}
	for _, r := range p.Rows {
		n[r.Origin] += r.Tensors
	}
	return n
}

// What matches is the file's, all else is what training begins with; the average is equal, and
// Adam's means are zeros. The rows count each parameter, and each tensor of the file, once.
func TestPart(t *testing.T) {
	s := newSample(t)
	var own []weights.Entry
	for _, w := range s.weights {
		own = append(own, plain(models.WeightsScope+"/"+w.Path, w.Shape, s.want(w, ofWeights)), plain(models.EMAScope+"/"+w.Path, w.Shape, s.want(w, ofEMA)))
	}
	for name, path := range map[string]string{"published names": saved(t, s.checkpoint()), "own names": written(t, own)} {
		for _, tt := range []struct {
			only    []string
			matches func(path string) bool
		}{
			{[]string{"down*"}, func(p string) bool { return strings.HasPrefix(p, "down") }},
			{[]string{"down0/", "middle"}, func(p string) bool { return strings.HasPrefix(p, "down0/") || strings.HasPrefix(p, "middle/") }},
			{[]string{"*/*/conv0"}, func(p string) bool { return strings.Contains(p, "/conv0/") }},
			{[]string{"out/w", "norm"}, func(p string) bool { return p == "out/w" || strings.HasPrefix(p, "norm/") }},
			{[]string{"*"}, func(string) bool { return true }},
		} {
			t.Run(name+" "+strings.Join(tt.only, " "), func(t *testing.T) {
				part := s.part(t, path, tt.only...)
				got := part.read(t)
				taken := 0
				for _, w := range s.weights {
					want, err := w.First(seed)
					if err != nil {
						t.Fatal(err)
					}
					if tt.matches(w.Path) {
						taken++
						want = s.want(w, ofWeights)
					}
					for _, scope := range []string{models.WeightsScope, models.EMAScope} {
						if !slices.Equal(got[scope+"/"+w.Path], want) {
							t.Errorf("%s/%s: other values", scope, w.Path)
						}
					}
					for _, scope := range []string{models.AdamMeanScope, models.AdamSquareScope} {
						if !slices.Equal(got[scope+"/"+w.Path], make([]float32, len(want))) {
							t.Errorf("%s/%s: not zeros", scope, w.Path)
						}
					}
				}
				all := len(s.weights)
				if len(got) != 4*all || taken == 0 {
					t.Errorf("%d entries, of %d parameters from the file, want %d", len(got), taken, 4*all)
				}
				want := map[string]int{FromFile: taken, FirstWeights: all - taken, Unused: all - taken}
				maps.DeleteFunc(want, func(_ string, n int) bool { return n == 0 })
				if n := part.tensors(); !maps.Equal(n, want) {
					t.Errorf("rows of %v, want %v", n, want)
				}
			})
		}
	}
}

// The rows say which layer is from where.
func TestRowsOfAPart(t *testing.T) {
	s := newSample(t)
	rows := s.part(t, saved(t, s.checkpoint()), "in", "middle/0/conv0").Rows
	for _, want := range []Row{
		{FromFile, "in", "unet.all_modules.3", 2, 368},
		{FirstWeights, "time0", "", 2, 288},
		{FromFile, "middle/0", "unet.all_modules.8", 2, 2320},
		{Unused, "", "unet.all_modules.0", 2, 288},
		{Unused, "", "unet.all_modules.2", 1, 8},
	} {
		if !slices.Contains(rows, want) {
			t.Errorf("no row %v in %v", want, rows)
		}
	}
	values := 0
	for _, r := range rows {
		if r.Origin != Unused {
			values += r.Values
		}
	}
	want := 0
	for _, w := range s.weights {
		want += size(w.Shape)
	}
	if values != want {
		t.Errorf("%d values in the rows, the network has %d", values, want)
	}
}

// What a file has beside the weights is not used, and said to be so; a network that the published
// code lacks takes those that it has.
func TestPartOfOtherFiles(t *testing.T) {
	s := guidedSample(t)
	part := s.part(t, saved(t, s.checkpoint()), "down*")
	if n := part.tensors(); n[FromFile] == 0 || n[FromFile]+n[FirstWeights] != len(s.listing.Weights) {
		t.Errorf("rows of %v, want %d parameters", n, len(s.listing.Weights))
	}
	path := written(t, []weights.Entry{plain("model/guide/w", []int{1}, []float32{3}), plain("model/more/x/w", []int{2}, []float32{1, 2}), plain("stray", []int{1}, []float32{1})})
	part = s.part(t, path, "guide")
	if got := part.read(t)["ema/guide/w"]; !slices.Equal(got, []float32{3}) {
		t.Errorf("ema/guide/w is %v, want 3", got)
	}
	for _, want := range []Row{{FromFile, "guide", "guide", 1, 1}, {Unused, "", "more/x", 1, 2}, {Unused, "", "stray", 1, 1}} {
		if !slices.Contains(part.Rows, want) {
			t.Errorf("no row %v in %v", want, part.Rows)
		}
	}
}

// A pattern without a parameter, and parameters that the file hasn't or has in other shapes, are
// errors; what doesn't match is not asked for.
func TestPartsThatAreNotThere(t *testing.T) {
	s, guided := newSample(t), guidedSample(t)
	checkpoint := saved(t, s.checkpoint())
	some := written(t, []weights.Entry{plain("model/in/b", []int{8}, make([]float32, 8)), plain("model/out/b", []int{3}, make([]float32, 3))})
	numbers := s.state("", ofWeights, s.names)
	numbers = append(numbers, pair{"unet.all_modules.19.Conv_0.weight", s.tensor("betas", 0)})
	for _, tt := range []struct {
		s     *sample
		path  string
		only  string
		wants []string
	}{
		{s, checkpoint, "down9*", []string{`pattern "down9*": matches no parameter of this configuration, whose layers are time0, time1, mask, in, `}},
		{s, checkpoint, "", []string{`pattern "": matches no parameter`}},
		{s, checkpoint, "model/in", []string{`pattern "model/in": matches no parameter`}},
		{s, checkpoint, "in/w/x", []string{`pattern "in/w/x": matches no parameter`}},
		{s, checkpoint, "[", []string{`pattern "[": syntax error`}},
		{s, some, "in", []string{"not the weights of what is to be imported:", "\n  in/w: missing, want shape [3 3 "}},
		{s, some, "out", []string{"\n  out/w: missing", "\n  out/b: shape [3], want [2]"}},
		{guided, checkpoint, "*", []string{"the published code has no counterpart of guide/w"}},
		{s, saved(t, numbers), "in", []string{"other layers than this configuration's: number 19, ", "is a residual block in the file and nothing in the configured network"}},
		{s, filepath.Join(filepath.Dir(fixture), "concat_past_future", "checkpoint.pt"), "down*", []string{"number 2, ", "is a convolution in the file and a matrix in the configured network"}},
		{s, filepath.Join(filepath.Dir(fixture), "spatin_rgb_multihead", "checkpoint.pt"), "time0", []string{"other layers than this configuration's"}},
	} {
		part, err := opened(t, tt.path).Part(tt.s.listing, []string{tt.only}, seed)
		if err == nil {
			t.Errorf("%s: %v, want an error", tt.only, part.Rows)
			continue
		}
		for _, want := range tt.wants {
			if !strings.HasPrefix(err.Error(), tt.path+": ") || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: error %q, want the path and %q in it", tt.only, err, want)
			}
		}
	}
	if part := s.part(t, some, "in/b"); part.tensors()[FromFile] != 1 {
		t.Errorf("rows %v, want in/b alone from the file", part.Rows)
	}
}

// Numbers of layers that no file of the published code has are passed over.
func TestKinds(t *testing.T) {
	got := kinds(map[string][]int{
		modules + "0.weight": {8, 4}, modules + "0.bias": {8}, modules + "1.weight": {8, 4, 3, 3}, modules + "2.weight": {8},
		modules + "3.Conv_0.weight": {8, 8, 3, 3}, modules + "4.NIN_0.W": {8, 8}, modules + "5.Norm_0.mlp_gamma.weight": {8, 8, 3, 3}, modules + "7.bias": {1},
		modules + "-1.weight": {1}, modules + "99999999999.weight": {1}, modules + "1000000.weight": {1}, modules + "x.weight": {1}, modules: {1}, "betas": {9},
	})
	want := []string{"a matrix", "a convolution", "a norm", "a residual block", "attention", "a norm", "nothing", "nothing"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
