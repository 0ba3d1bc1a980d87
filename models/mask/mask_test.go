package mask

import (
	"math"
	"slices"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"mcvd/configs"
	"mcvd/models/backend/backendtest"
	"mcvd/models/nn"
)

var state = []uint64{1, 2, 3}

// columns are the visibilities of each conditioning frame, [batch].
func columns(visible *Node) []*Node {
	var all []*Node
	for i := range visible.Shape().Dimensions[1] {
		all = append(all, Reshape(Slice(visible, AxisRange(), AxisElem(i)), -1))
	}
	return all
}

func TestDrawHidesAsOftenAsAsked(t *testing.T) {
	const n = 20000
	for _, m := range []configs.Mask{{Past: 0, Future: 1}, {Past: 1, Future: 0}, {Past: 0.5, Future: 0.5}, {Past: 0.2, Future: 0.7},
		{Past: 0.3, Future: 0.3, Together: true}} {
		out := backendtest.Run(t, func(in []*Node) []*Node {
			_, v := Draw(nn.Random{State: in[0]}, n, configs.Frames{Past: 1, Future: 1, Mask: m})
			return columns(v)
		}, state)
		var past, future, both float64
		for i := range n {
			p, f := float64(1-out[0][i]), float64(1-out[1][i])
			if p*(1-p) != 0 || f*(1-f) != 0 {
				t.Fatalf("visibilities %g and %g, want 0 or 1", out[0][i], out[1][i])
			}
			past, future, both = past+p, future+f, both+p*f
		}
		wantBoth := m.Past * m.Future // they are independent
		if m.Together {
			wantBoth = m.Past
		}
		for _, c := range []struct {
			name        string
			count, want float64
		}{{"past", past, m.Past}, {"future", future, m.Future}, {"both", both, wantBoth}} {
			deviation := 3 * math.Sqrt(c.want*(1-c.want)/n)
			if got := c.count / n; !(math.Abs(got-c.want) <= deviation) {
				t.Errorf("%+v: %s hidden with frequency %g, want %g within %.3g", m, c.name, got, c.want, deviation)
			}
		}
	}
}

func TestTogetherDrawsBothAlike(t *testing.T) {
	out := backendtest.Run(t, func(in []*Node) []*Node {
		_, v := Draw(nn.Random{State: in[0]}, 1000, configs.Frames{Past: 1, Future: 1, Mask: configs.Mask{Past: 0.5, Future: 0.5, Together: true}})
		return columns(v)
	}, state)
	for i := range out[0] {
		if out[0][i] != out[1][i] {
			t.Fatalf("clip %d: past %g, future %g", i, out[0][i], out[1][i])
		}
	}
}

func TestDrawIsAFunctionOfTheState(t *testing.T) {
	draw := func(state []uint64) []float32 {
		return backendtest.Run(t, func(in []*Node) []*Node {
			f := configs.Frames{Past: 1, Future: 1, Mask: configs.Mask{Past: 0.5, Future: 0.5}}
			next, first := Draw(nn.Random{State: in[0]}, 64, f)
			_, second := Draw(next, 64, f)
			return []*Node{Concatenate(append(columns(first), columns(second)...), 0)}
		}, state)[0]
	}
	same := func(a, b []float32) bool {
		for i := range a {
			if a[i] != b[i] {
				return false
			}
		}
		return true
	}
	a := draw(state)
	if !same(a, draw(state)) {
		t.Error("the same state gives other masks")
	}
	if same(a, draw([]uint64{2, 2, 3})) {
		t.Error("another state gives the same masks")
	}
	for i := range 4 {
		for k := range i {
			if same(a[64*i:64*i+64], a[64*k:64*k+64]) {
				t.Errorf("draws %d and %d are alike", i, k)
			}
		}
	}
}

func TestHideReplacesWhateverIsHidden(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(-1))
	frames := tensors.FromFlatDataAndDimensions([]float32{1, 2, nan, inf, 3, -0.5}, 3, 2, 1, 1, 1)
	visible := [][]float32{{1, 1}, {0, 0}, {0, 1}}
	got := backendtest.Run(t, func(in []*Node) []*Node { return []*Node{Hide(in[0], in[1])} }, frames, visible)[0]
	for i, want := range []float32{1, 2, 0, 0, 0, -0.5} {
		if math.Float32bits(got[i]) != math.Float32bits(want) {
			t.Errorf("value %d is %g, want %g", i, got[i], want)
		}
	}
}

// A block's frames are all visible or all hidden, the past's first, and [Apart] finds them again.
func TestBlocksAreMasksOfFrames(t *testing.T) {
	f := configs.Frames{Past: 2, Future: 3}
	out := backendtest.Run(t, func(in []*Node) []*Node {
		visible := Blocks(in[0], in[1], f)
		past, future := Apart(visible, f)
		return []*Node{visible, past, future}
	}, []float32{1, 0}, []float32{0, 1})
	for i, want := range [][]float32{{1, 1, 0, 0, 0, 0, 0, 1, 1, 1}, {1, 1, 0, 0}, {0, 0, 0, 1, 1, 1}} {
		if !slices.Equal(out[i], want) {
			t.Errorf("part %d is %v, want %v", i, out[i], want)
		}
	}
	if got := Blocks(nil, nil, configs.Frames{}); got != nil {
		t.Errorf("without conditioning frames the mask is %v, want none", got)
	}
}

// each kind's masks of past frames and future frames, as signs with their number of draws.
var kindMasks = map[string][]string{
	"blocks": {"11111"},
	"first":  {"10000", "11000", "11100", "11110", "11111"},
	"last":   {"00001", "00011", "00111", "01111", "11111"},
	"ends":   {"10001", "11011", "11111"},
	"key":    {"10000", "01000", "00100", "00010", "00001"},
}

// text is a mask's signs.
func text(visible []float32) string {
	s := make([]byte, len(visible))
	for i, v := range visible {
		s[i] = map[float32]byte{0: '0', 1: '1'}[v]
	}
	return string(s)
}

// A kind draws its masks and no others, each as often, and [Seen] knows which they are.
func TestKindsDrawTheirMasks(t *testing.T) {
	const n = 20000
	f := configs.Frames{Past: 2, Future: 3}
	for name := range kinds {
		f.Mask.Kind = name
		out := backendtest.Run(t, func(in []*Node) []*Node {
			_, v := Draw(nn.Random{State: in[0]}, n, f)
			return []*Node{v}
		}, state)[0]
		counts := map[string]int{}
		for i := range n {
			counts[text(out[5*i:5*i+5])]++
		}
		want := kindMasks[name]
		if name == "frames" {
			for i := range 32 {
				mask := make([]float32, 5)
				for k := range mask {
					mask[k] = float32(i >> k & 1)
				}
				want = append(want, text(mask))
			}
		}
		p := 1 / float64(len(want))
		for _, mask := range want {
			if got := float64(counts[mask]) / n; !(math.Abs(got-p) <= 4*math.Sqrt(p*(1-p)/n)) {
				t.Errorf("%s: %s with frequency %g, want %g", name, mask, got, p)
			}
		}
		if len(counts) != len(want) {
			t.Errorf("%s: masks %v, want %v", name, counts, want)
		}
		for i := range 32 {
			visible, signs := make([]bool, 5), make([]float32, 5)
			for k := range visible {
				visible[k] = i>>k&1 == 1
				signs[k] = float32(i >> k & 1)
			}
			if got := Seen(visible, f); got != slices.Contains(want, text(signs)) {
				t.Errorf("%s: seen %s is %v", name, text(signs), got)
			}
		}
	}
}

// Every kind draws only masks that are seen, also where blocks are hidden.
func TestDrawnMasksAreSeen(t *testing.T) {
	for _, m := range []configs.Mask{{Past: 0.5}, {Future: 1}, {Past: 0.3, Future: 0.3, Together: true}, {Past: 0.2, Future: 0.7}} {
		for m.Kind = range kinds {
			f := configs.Frames{Past: 2, Future: 2, Mask: m}
			out := backendtest.Run(t, func(in []*Node) []*Node {
				_, v := Draw(nn.Random{State: in[0]}, 500, f)
				return []*Node{v}
			}, state)[0]
			for i := range 500 {
				var visible []bool
				for _, v := range out[4*i : 4*i+4] {
					visible = append(visible, v == 1)
				}
				if !Seen(visible, f) {
					t.Fatalf("%+v: drew %v, which is not seen", m, visible)
				}
			}
		}
	}
}

func TestMasksThatAreNeverSeen(t *testing.T) {
	yes, no := true, false
	for _, tt := range []struct {
		mask    configs.Mask
		visible []bool
		want    bool
	}{
		{configs.Mask{}, []bool{yes, yes, yes}, true},
		{configs.Mask{}, []bool{yes, yes, no}, false},
		{configs.Mask{Future: 0.5}, []bool{yes, yes, no}, true},
		{configs.Mask{Future: 1}, []bool{yes, yes, yes}, false},
		{configs.Mask{Past: 0.5, Future: 0.5, Together: true}, []bool{no, no, no}, true},
		{configs.Mask{Past: 0.5, Future: 0.5, Together: true}, []bool{yes, yes, no}, false},
		{configs.Mask{Past: 0.5, Future: 0.5}, []bool{yes, no, yes}, false},
		{configs.Mask{Kind: "key"}, []bool{no, no, no}, false},
		{configs.Mask{Kind: "key", Past: 0.5}, []bool{no, no, no}, true}, // the key was in the past
	} {
		if got := Seen(tt.visible, configs.Frames{Past: 2, Future: 1, Mask: tt.mask}); got != tt.want {
			t.Errorf("%+v: seen %v is %v", tt.mask, tt.visible, got)
		}
	}
}
