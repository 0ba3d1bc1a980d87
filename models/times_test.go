package models

import (
	"math"
	"slices"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"mcvd/configs"
	"mcvd/models/backend/backendtest"
	"mcvd/models/mask"
)

// Every network that can be told times, in every use: a shift of all times leaves every bit as it
// is, and so do times of hidden frames, whatever they are. Times of visible frames and of the block
// don't. Clips without times are those of frames that follow each other.
func TestNetworksAreToldTimes(t *testing.T) {
	b, told := backendtest.Open(t), 0
	for _, c := range networks(t) {
		m := modelOf(t, c)
		if !m.ToldTimes() {
			continue
		}
		told++
		store := lively(t, b, m)
		for use := range programs {
			if use == "denoiser with a cache" && !m.Network.Caches() {
				continue
			}
			p, clip, visible := newProgram(t, b, m, store, use), clips(m, 2, 4), [][]float32{{0, 1, 1}, {1, 1, 0}}
			of := func(first []float32, second ...float32) [][]float32 {
				return p.runFrames(t, clip, visible, [][]float32{first, second})
			}
			want := of([]float32{0, 4, 5, 9}, 0, 1, 2, 3)
			finite(t, use, want[0])
			nan, inf := float32(math.NaN()), float32(math.Inf(1))
			for name, got := range map[string][][]float32{
				"a shift in time":        of([]float32{-100, -96, -95, -91}, 5000, 5001, 5002, 5003),
				"times of hidden frames": of([]float32{nan, 4, 5, 9}, 0, 1, 2, inf),
			} {
				if !allSameBits(got, want) {
					t.Errorf("%s, %s: %s changes the result", c.Model.Network, use, name)
				}
			}
			for name, got := range map[string][][]float32{
				"another time of a past frame":       of([]float32{0, 3, 5, 9}, 0, 1, 2, 3),
				"another time of a future frame":     of([]float32{0, 4, 5, 8}, 0, 1, 2, 3),
				"another time of the current frame":  of([]float32{0, 4, 6, 9}, 0, 1, 2, 3),
				"no past frame where there was one":  p.runFrames(t, clip, [][]float32{{0, 0, 1}, {1, 1, 0}}, [][]float32{{0, 4, 5, 9}, {0, 1, 2, 3}}),
				"another time of the second's frame": of([]float32{0, 4, 5, 9}, 0, 0.5, 2, 3),
			} {
				if same := sameBits(got[0], want[0]); same {
					t.Errorf("%s, %s: %s doesn't change the result", c.Model.Network, use, name)
				}
			}
			if use != "denoiser" {
				continue
			}
			one := newProgram(t, b, m, store, use)
			if untimed := one.runFrames(t, clip, visible); !allSameBits(untimed, of([]float32{7, 8, 9, 10}, 0, 1, 2, 3)) {
				t.Errorf("%s, %s: without times the result is not that of frames that follow each other", c.Model.Network, use)
			}
		}
	}
	if told < 3 {
		t.Errorf("only %d networks are told times", told)
	}
}

// Frames of a clip that is turned around come in the other order, so their times do, too, and still
// grow.
func TestTurnedTimes(t *testing.T) {
	b := backendtest.Open(t)
	out, err := CallOnce(b, func(times, reversed *Node) *Node { return mask.TurnTimes(times, reversed) },
		[][]float32{{0, 1, 5, 7}, {0, 1, 5, 7}}, []float32{1, 0})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := tensors.MustCopyFlatData[float32](out), []float32{-7, -5, -1, 0, 0, 1, 5, 7}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// A network that isn't told times has the weights that it always had, and no input for them.
func TestTimesAreAnInputOfTheirOwn(t *testing.T) {
	b := backendtest.Open(t)
	with, without := toy(), toy()
	with.Model.Options["frame_times"] = true
	names := func(c *configs.Config) (all []string) {
		for v := range lively(t, b, modelOf(t, c)).IterVariables() {
			all = append(all, v.Path())
		}
		return all
	}
	more := slices.DeleteFunc(names(with), func(name string) bool {
		return strings.Contains(name, "/times0/") || strings.Contains(name, "/times1/")
	})
	if got := names(without); !slices.Equal(got, more) {
		t.Errorf("without times: weights %v, want %v", got, more)
	}
	for c, inputs := range map[*configs.Config]int{with: 4, without: 3} {
		cond := Cond[int]{Past: 1, Future: 2, Visible: 3, Times: 4}
		flat := cond.Flatten(modelOf(t, c), nil)
		if len(flat) != inputs {
			t.Errorf("%v: %d inputs, want %d", c.Model.Options, len(flat), inputs)
		}
		if back := Unflatten(modelOf(t, c), nil, flat); back.Times != cond.Times*(inputs-3) || back.Visible != 3 {
			t.Errorf("%v came back as %v", flat, back)
		}
	}
}
