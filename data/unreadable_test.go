package data

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"mcvd/data/clips"
)

// broken is a data set in which some videos can't be read.
type broken struct {
	fake
	videos map[int]error
}

func (d broken) Clip(i, start, frames int) (clips.Clip, error) {
	if err := d.videos[i]; err != nil {
		return clips.Clip{}, err
	}
	return d.fake.Clip(i, start, frames)
}

// damaged is n videos of which those named can't be read.
func damaged(n int, videos ...int) broken {
	d := broken{fake{n: n}, map[int]error{}}
	for _, v := range videos {
		d.videos[v] = fmt.Errorf("damaged %d", v)
	}
	return d
}

// skipping is batches that replace what can't be read, and what they log.
func skipping(ds clips.Dataset, seed uint64, batch int) (*Batches, *bytes.Buffer) {
	c, out := experiment(seed, batch, 3, true), new(bytes.Buffer)
	c.Data.OnError = "skip"
	return NewBatches(ds, c, slog.New(slog.NewTextHandler(out, nil))), out
}

// Whatever can't be read: all other clips are those of a data set in which everything can, only whole
// videos take the others' places, and readers that begin anywhere agree.
func TestClipsThatCannotBeReadAreReplacedAlike(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 30).Draw(t, "videos")
		bad := rapid.SliceOfNDistinct(rapid.IntRange(0, n-1), 0, min(n-1, maxTries-1), rapid.ID).Draw(t, "bad")
		seed := rapid.Uint64().Draw(t, "seed")
		const batch, steps = 8, 10
		whole, _ := skipping(fake{n: n}, seed, batch)
		one, _ := skipping(damaged(n, bad...), seed, batch)
		for position := range batch * steps {
			want, err := whole.Clip(position)
			if err != nil {
				t.Fatal(err)
			}
			got, err := one.Clip(position)
			if err != nil {
				t.Fatal(err)
			}
			isBad := slices.Contains(bad, want.Video)
			if got.Replaced != isBad || slices.Contains(bad, got.Video) || int(got.Pix[0]) != got.Video && int(got.Pix[2]) != got.Video {
				t.Fatalf("clip %d of video %d: replaced: %t, by one of %d, with pixels %v", position, want.Video, got.Replaced, got.Video, got.Pix[:3])
			}
			if !isBad && (got.At != want.At || !slices.Equal(got.Pix, want.Pix)) {
				t.Fatalf("clip %d is %v, want %v as without the others' damage", position, got.At, want.At)
			}
		}
		restart := rapid.IntRange(0, steps-1).Draw(t, "restart")
		for _, readers := range []int{1, 2, 4} {
			for step := restart; step < steps; step++ {
				want, err := one.At(step)
				if err != nil {
					t.Fatal(err)
				}
				var got []uint8
				replaced := 0
				for reader := range readers {
					share := batch / readers
					own, _ := skipping(damaged(n, bad...), seed, batch)
					part, err := own.Range(step, reader*share, (reader+1)*share)
					if err != nil {
						t.Fatal(err)
					}
					got, replaced = append(got, part.Pix...), replaced+part.Replaced
				}
				if !slices.Equal(got, want.Pix) || replaced != want.Replaced {
					t.Fatalf("batch %d differs between one reader and %d; %d replaced, want %d", step, readers, replaced, want.Replaced)
				}
			}
		}
	})
}

// All whole videos are drawn equally often in the place of one that is damaged.
func TestReplacementsAreUniform(t *testing.T) {
	const n, drawn = 6, 4000
	b, _ := skipping(damaged(n, 2), 5, 1)
	var counts [n]float64
	for position := range n * drawn {
		s, err := b.Clip(position)
		if err != nil {
			t.Fatal(err)
		}
		if s.Replaced {
			counts[s.Video]++
		}
	}
	chi2, want := 0.0, float64(drawn)/(n-1)
	for v, c := range counts {
		if v != 2 {
			chi2 += (c - want) * (c - want) / want
		}
	}
	if !(chi2 < 30) || counts[2] != 0 { // 4 degrees of freedom: 30 comes once in 200000 times
		t.Errorf("chi square %g of %v, want below 30 and none of video 2", chi2, counts)
	}
}

func TestVideosThatCannotBeReadAreNamedOnce(t *testing.T) {
	b, out := skipping(damaged(5, 1, 3), 1, 5)
	replaced := 0
	for n := range 20 {
		replaced += at(t, b, n).Replaced
	}
	if replaced != 40 {
		t.Errorf("%d clips replaced in 20 epochs, want 2 in each", replaced)
	}
	for _, reason := range []string{"v1.mp4: damaged 1", "v3.mp4: damaged 3"} {
		if n := strings.Count(out.String(), reason); n != 1 {
			t.Errorf("%s is there %d times, want once in\n%s", reason, n, out)
		}
	}
}

// Where nothing can be read, or the option says so, or the program is being stopped, training ends.
func TestWhatIsNotReplaced(t *testing.T) {
	all := damaged(40)
	for v := range 40 {
		all.videos[v] = fmt.Errorf("disk is gone")
	}
	b, out := skipping(all, 1, 2)
	if _, err := b.At(0); err == nil || !strings.Contains(err.Error(), "16 videos in a row can't be read, the first: v") || out.Len() > 0 {
		t.Errorf("nothing can be read: error %v, log %s", err, out)
	}
	b, _ = skipping(damaged(1, 0), 1, 2)
	if _, err := b.At(0); err == nil || !strings.Contains(err.Error(), "batch 0: v0.mp4: damaged 0") {
		t.Errorf("the only video: error %v", err)
	}
	if _, err := NewBatches(damaged(2, 0, 1), experiment(1, 2, 3, true), slog.New(slog.DiscardHandler)).At(0); err == nil ||
		!strings.Contains(err.Error(), "(data.on_error: skip would") {
		t.Errorf("data.on_error: fail: error %v", err)
	}
	stopped := damaged(2)
	stopped.videos[0] = fmt.Errorf("decoding: %w", context.Canceled)
	b, out = skipping(stopped, 1, 2)
	if _, err := b.At(0); err == nil || out.Len() > 0 {
		t.Errorf("stopped: error %v, log %s", err, out)
	}
}
