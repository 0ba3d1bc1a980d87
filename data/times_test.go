package data

import (
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"mcvd/configs"
	"mcvd/data/clips"
)

// readable is numbered as a Reader, which counts the frames that are read.
type readable struct {
	numbered
	read *atomic.Int64
}

func (readable) Frame() (height, width, channels int) { return 1, 2, 1 }

func (d readable) Read(video, start int, pix []uint8) error {
	c, err := d.Clip(video, start, len(pix)/2)
	copy(pix, c.Pix)
	return err
}

func (d readable) Clip(video, start, frames int) (clips.Clip, error) {
	d.read.Add(int64(frames))
	return d.numbered.Clip(video, start, frames)
}

// timed is an experiment whose clips have times of some kind.
func timed(kind string, seed uint64, batch, frames, span int) *configs.Config {
	c := experiment(seed, batch, frames, false)
	c.Frames.Times = configs.Times{Kind: kind, Span: span}
	return c
}

// Whatever the kind, the data set and its stride, and whether clips are turned around: the frames
// of a clip are those at its times, these grow within the span, all clips lie in their videos,
// shares of batches are those of whole ones, and of a Reader nothing else is read.
func TestClipsHaveTheFramesOfTheirTimes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		kind := rapid.SampledFrom(configs.Names(timings)).Draw(t, "kind")
		frames, stride := rapid.IntRange(1, 6).Draw(t, "frames"), rapid.IntRange(1, 3).Draw(t, "stride")
		span := frames + rapid.IntRange(0, 10).Draw(t, "more")
		c := timed(kind, rapid.Uint64().Draw(t, "seed"), 4, frames, span)
		c.Data.Augment.Reverse = rapid.Bool().Draw(t, "reverse")
		c.Data.Windows = rapid.IntRange(1, 3).Draw(t, "windows")
		c.Data.Start = rapid.SampledFrom([]string{"random", "even"}).Draw(t, "start")
		least := (span-1)*stride + 1
		own := numbered{rapid.SliceOfN(rapid.IntRange(least, least+20), 1, 5).Draw(t, "lengths")}
		var ds clips.Dataset = own
		var read atomic.Int64
		counted := rapid.Bool().Draw(t, "reader")
		if counted {
			ds = readable{own, &read}
		}
		if stride > 1 {
			ds = strided{ds, stride}
		}
		b := NewBatches(ds, c, slog.New(slog.DiscardHandler))
		batch, err := b.At(3)
		if err != nil {
			t.Fatal(err)
		}
		if want := int64(4 * frames); counted && read.Load() != want {
			t.Fatalf("%d frames were read, want %d", read.Load(), want)
		}
		if (batch.Times == nil) != (kind == "consecutive") {
			t.Fatalf("%s: times %v", kind, batch.Times)
		}
		for k := range 4 {
			s, err := b.Clip(12 + k)
			if err != nil {
				t.Fatal(err)
			}
			times := s.Times
			if times == nil {
				times = every(frames, 1)
			} else if !slices.Equal(times, batch.Times[k*frames:][:frames]) {
				t.Fatalf("a clip has times %v, in its batch %v", times, batch.Times[k*frames:][:frames])
			}
			if times[0] != 0 || !slices.IsSorted(times) || len(slices.Compact(slices.Clone(times))) != frames || times[frames-1] >= span {
				t.Fatalf("times %v, want %d that grow from 0 to at most %d", times, frames, span-1)
			}
			forward := true
			if frames > 1 {
				forward = s.Pix[3] > s.Pix[1]
			}
			for i := range frames {
				want := s.Start + stride*times[i]
				if !forward {
					want = s.Start + stride*(times[frames-1]-times[i])
				}
				if int(s.Pix[2*i]) != s.Video || int(s.Pix[2*i+1]) != want {
					t.Fatalf("frame %d is number %d, want %d (times %v from %d)", i, s.Pix[2*i+1], want, times, s.Start)
				}
			}
		}
		first, err1 := b.Range(3, 0, 1)
		rest, err2 := b.Range(3, 1, 4)
		if err1 != nil || err2 != nil || !slices.Equal(slices.Concat(first.Pix, rest.Pix), batch.Pix) || !slices.Equal(slices.Concat(first.Times, rest.Times), batch.Times) {
			t.Fatalf("shares differ from the whole, %v, %v", err1, err2)
		}
	})
}

// All strides that fit, and all sets of frames, come equally often; another epoch draws others.
func TestTimesAreUniform(t *testing.T) {
	const drawn = 4000
	ds := numbered{[]int{40}}
	for _, tt := range []struct {
		kind         string
		frames, span int
		want         []string // after the first time, 0
	}{
		{"strides", 3, 8, []string{"[0 1 2]", "[0 2 4]", "[0 3 6]"}},
		{"random", 2, 4, []string{"[0 1]", "[0 1]", "[0 1]", "[0 2]", "[0 2]", "[0 3]"}}, // once for each pair of 4 frames
		{"consecutive", 3, 0, []string{"[0 1 2]"}},
	} {
		b, counts, expected := NewBatches(ds, timed(tt.kind, 5, 1, tt.frames, tt.span), slog.New(slog.DiscardHandler)), map[string]float64{}, map[string]float64{}
		for i := range drawn {
			counts[fmt.Sprint(b.times(i))]++
		}
		for _, times := range tt.want {
			expected[times] += drawn / float64(len(tt.want))
		}
		chi2 := 0.0
		for times, n := range counts {
			chi2 += (n - expected[times]) * (n - expected[times]) / max(expected[times], 1e-9)
		}
		if len(counts) != len(expected) || !(chi2 < 25) { // 2 degrees of freedom at most: 25 comes once in 200000 times
			t.Errorf("%s: %v, want about %v", tt.kind, counts, expected)
		}
	}
}

// The part of the span from which scales draws a clip is as often shorter than any geometric mean
// as its logarithm says. Of 2 frames in a part of k frames, the first and the last one are a pair of
// k(k-1)/2. So a distance of d comes with the sum over k > d of ln((k+1)/k)/ln((span+1)/2) times
// 2(k-d)/(k(k-1)).
func TestScalesDrawTheLogarithmOfTheirPart(t *testing.T) {
	const drawn, span = 40000, 64
	b := NewBatches(numbered{[]int{80}}, timed("scales", 5, 1, 2, span), slog.New(slog.DiscardHandler))
	counts := map[int]float64{}
	for i := range drawn {
		counts[b.times(i)[1]]++
	}
	chi2 := 0.0
	for d := 1; d < span; d++ {
		want := 0.0
		for k := d + 1; k <= span; k++ {
			want += math.Log(float64(k+1)/float64(k)) / math.Log((span+1)/2.) * float64(2*(k-d)) / float64(k*(k-1))
		}
		want *= drawn
		chi2 += (counts[d] - want) * (counts[d] - want) / want
	}
	if !(chi2 < 130) { // 62 degrees of freedom: 130 comes once in a million times
		t.Errorf("distances %v: chi2 %.0f", counts, chi2)
	}
}

// A clip that takes the place of another has its times, so that the network is told nothing else.
func TestAReplacedClipHasTheTimes(t *testing.T) {
	c := timed("random", 3, 1, 3, 30)
	c.Data.OnError = "skip"
	whole, damaged := NewBatches(fake{n: 4}, c, slog.New(slog.DiscardHandler)), NewBatches(fake{n: 4, bad: 2}, c, slog.New(slog.DiscardHandler))
	replaced := 0
	for i := range 8 {
		want, err1 := whole.Clip(i)
		got, err2 := damaged.Clip(i)
		if err1 != nil || err2 != nil || !slices.Equal(got.Times, want.Times) {
			t.Errorf("clip %d: times %v, want %v, errors %v, %v", i, got.Times, want.Times, err1, err2)
		}
		if got.Replaced {
			replaced++
		}
	}
	if replaced == 0 {
		t.Error("no clip was replaced")
	}
}

func TestSpansInWhichTimesCannotDiffer(t *testing.T) {
	for _, tt := range []struct {
		kind         string
		frames, span int
		want         string // "" for none
	}{
		{"consecutive", 10, 0, ""},
		{"", 10, 0, ""},
		{"strides", 10, 19, ""},
		{"strides", 10, 18, "frames.times.span: 18, want 19 or more, so that clips of 10 frames differ in their times"},
		{"random", 10, 11, ""},
		{"random", 10, 10, "frames.times.span: 10, want 11 or more"},
		{"scales", 10, 11, ""},
		{"scales", 10, 10, "frames.times.span: 10, want 11 or more"},
		{"random", 1, 5, `frames.times.kind: "random", want consecutive, because clips have one frame`},
		{"often", 10, 20, `frames.times.kind: unknown "often" (known: consecutive, random, scales, strides)`},
	} {
		err := checkTimes(timed(tt.kind, 1, 1, tt.frames, tt.span).Frames)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s, %d of %d: error %v, want %q", tt.kind, tt.frames, tt.span, err, tt.want)
		}
	}
}

// Times in some slots may be shown exactly if some clip that can be drawn has them.
func TestShowsWhatIsDrawn(t *testing.T) {
	const n, span = 3, 7
	possible := map[string][][]int{"consecutive": {{0, 1, 2}}, "strides": {{0, 1, 2}, {0, 2, 4}, {0, 3, 6}}}
	for a := range span {
		for b := a + 1; b < span; b++ {
			for c := b + 1; c < span; c++ {
				possible["random"] = append(possible["random"], []int{a, b, c})
			}
		}
	}
	possible["scales"] = possible["random"]
	for kind, clips := range possible {
		f := timed(kind, 1, 1, n, span).Frames
		for _, slots := range [][]int{{0, 1, 2}, {0, 1}, {1, 2}, {0, 2}} {
			want := map[string]bool{}
			for _, clip := range clips {
				want[fmt.Sprint(0, clip[slots[1]]-clip[slots[0]], clip[slots[len(slots)-1]]-clip[slots[0]])] = true
			}
			for x := 1; x < span+2; x++ {
				for y := x; y < span+2; y++ {
					times := []int{40, 40 + x, 40 + y}[:len(slots)]
					if len(slots) == 2 && y != x || len(slots) == 3 && y == x {
						continue
					}
					if got, want := ShowsTimes(f, slots, times), want[fmt.Sprint(0, x, y)]; got != want {
						t.Errorf("%s: times %v in slots %v: %t, want %t", kind, times, slots, got, want)
					}
				}
			}
		}
		if !ShowsTimes(f, []int{1}, []int{100}) || !ShowsTimes(f, nil, nil) {
			t.Errorf("%s: a single frame is not shown", kind)
		}
		if ShowsTimes(f, []int{0, 1}, []int{5, 5}) || ShowsTimes(f, []int{0, 1}, []int{5, 3}) {
			t.Errorf("%s: times that don't grow are shown", kind)
		}
	}
}
