package main

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"mcvd/eval"
)

// The bound of a clip is the sum of its terms, and neither it nor the exact bits depend on the batch.
func TestBits(t *testing.T) {
	inNewFolder(t)
	mustCall(t, "train -c configs/tiny.yml -o run --backend go --set train.steps=100")
	bits := func(more string) bitsReport {
		t.Helper()
		stdout, _ := mustCall(t, "bits run --backend go --clips 3 --steps 20 --ode-steps 2 --json "+more)
		var r bitsReport
		if err := json.Unmarshal([]byte(stdout), &r); err != nil || len(r.Clips) != 3 {
			t.Fatalf("%v, %d clips in %s", err, len(r.Clips), stdout)
		}
		return r
	}
	all, one := bits(""), bits("--batch 1")
	for i, c := range all.Clips {
		sum := c.Prior + c.Decoder
		for _, step := range c.Steps {
			sum += step
		}
		if len(c.Steps) != 19 || !(math.Abs(sum-c.Bound) <= 1e-9) || !(0 < c.Bound && c.Bound < 20) || !(c.Prior >= 0 && c.Prior < 0.01) {
			t.Errorf("clip %d: %d steps, terms of %g, a bound of %g, a prior of %g", i, len(c.Steps), sum, c.Bound, c.Prior)
		}
		if !(0 < c.Exact && c.Exact < 100) {
			t.Errorf("clip %d: exactly %g bits", i, c.Exact)
		}
		if o := one.Clips[i]; !(math.Abs(o.Bound-c.Bound) <= 1e-4*c.Bound) || !(math.Abs(o.Exact-c.Exact) <= 1e-3*c.Exact) || o.Video != c.Video {
			t.Errorf("clip %d: bound %g and exactly %g, in a batch of its own %g and %g", i, c.Bound, c.Exact, o.Bound, o.Exact)
		}
	}
	if other := bits("--seed 9"); other.Clips[0].Bound == all.Clips[0].Bound {
		t.Error("another seed has the same noise and clips")
	}
	stdout, _ := mustCall(t, "bits run --backend go --clips 2 --ode-steps 2 --task interpolate")
	if !strings.Contains(stdout, "2 clips") || strings.Count(stdout, "+-") != 5 {
		t.Errorf("%s", stdout)
	}
}

// A model that learned variances is asked for them, unless the command line says otherwise; one that
// didn't has none.
func TestBitsByAVariance(t *testing.T) {
	inNewFolder(t)
	mustCall(t, "train -c configs/tiny.yml -o run --backend go --set train.steps=30 --set diffusion.variance=learned")
	bound := func(more string) float64 {
		t.Helper()
		stdout, _ := mustCall(t, "bits run --backend go --clips 1 --steps 5 --ode-steps 1 --json "+more)
		var r bitsReport
		if err := json.Unmarshal([]byte(stdout), &r); err != nil {
			t.Fatal(err)
		}
		return r.Clips[0].Bound
	}
	learned, posterior, beta := bound("--variance learned"), bound("--variance posterior"), bound("--variance beta")
	if of := bound(""); of != learned || posterior == learned || beta == learned || posterior == beta {
		t.Errorf("%g bits without the flag, learned %g, posterior %g, beta %g", of, learned, posterior, beta)
	}
	mustCall(t, "eval run --backend go --clips 1 --sampler ddpm --steps 3 --option step_variance=learned --metrics psnr,bits")
	mustCall(t, "train -c configs/tiny.yml -o fixed --backend go --set train.steps=1")
	for line, want := range map[string]string{
		"bits fixed --backend go --clips 1 --variance learned":                            "was trained with diffusion.variance: learned",
		"eval fixed --backend go --clips 1 --sampler ddpm --option step_variance=learned": "sampler.options.step_variance",
	} {
		if status, _, stderr := call(t, strings.Fields(line)...); status == 0 || !strings.Contains(stderr, want) {
			t.Errorf("mcvd %s: status %d, %s, want %q", line, status, stderr, want)
		}
	}
}

// The metrics of the model are the bits that the command bits says, for the model alone.
func TestBitsAsMetrics(t *testing.T) {
	inNewFolder(t)
	mustCall(t, "train -c configs/tiny.yml -o run --backend go --set train.steps=50")
	stdout, _ := mustCall(t, "bits run --backend go --clips 3 --steps 8 --ode-steps 20 --json")
	var want bitsReport
	if err := json.Unmarshal([]byte(stdout), &want); err != nil {
		t.Fatal(err)
	}
	stdout, _ = mustCall(t, "eval run --backend go --clips 3 --trajectories 2 --steps 8 --metrics psnr,bits,bits_exact --json")
	var got eval.Report
	if err := json.Unmarshal([]byte(stdout), &got); err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, r := range got.Records {
		bits, exact := r.Scores["bits"], r.Scores["bits_exact"]
		if r.Method != "model" {
			if bits.Skipped == "" || exact.Skipped == "" {
				t.Errorf("%s has %+v and %+v bits", r.Method, bits, exact)
			}
			continue
		}
		seen++
		if c := want.Clips[r.Clip]; !(math.Abs(bits.Value-c.Bound) <= 1e-4*c.Bound) || !(math.Abs(exact.Value-c.Exact) <= 1e-3*c.Exact) {
			t.Errorf("clip %d: %g and %g, want %g and %g", r.Clip, bits.Value, exact.Value, c.Bound, c.Exact)
		}
	}
	if seen != 6 {
		t.Errorf("%d records of the model, want 6", seen)
	}
	for _, refused := range []struct{ flags, want string }{
		{"--frames 4 --metrics bits", "is of one block of the model, 2 frames, got 4"},
		{"--guidance frames --option past_scale=2 --metrics bits", "want sampler.guidance.name: none"},
	} {
		if status, _, stderr := call(t, strings.Fields("eval run --backend go --clips 2 --steps 4 "+refused.flags)...); status == 0 || !strings.Contains(stderr, refused.want) {
			t.Errorf("%s: %d, %s, want %q", refused.flags, status, stderr, refused.want)
		}
	}
}
