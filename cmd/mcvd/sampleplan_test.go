package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
)

// planOf is what `sample-plan --json` prints, and the lines of the table without it.
func planOf(t *testing.T, args ...string) (p samplePlans, table []string) {
	t.Helper()
	args = append([]string{"sample-plan", "configs/tiny.yml"}, args...)
	_, text, stderr := call(t, append(args, "--json")...)
	if err := json.Unmarshal([]byte(text), &p); err != nil || len(p.Steps) == 0 {
		t.Fatalf("%v: %v: %s%s", args, err, text, stderr)
	}
	_, text, _ = call(t, args...)
	return p, strings.Split(strings.TrimSpace(text), "\n")
}

// DDIM's numbers follow from the levels: a step ends at the next one's signal, and keeps the variance.
func TestThePlanOfDDIMFollowsFromItsLevels(t *testing.T) {
	inNewFolder(t)
	p, table := planOf(t, "--sampler", "ddim", "--steps", "7")
	if p.NFE != 8 || len(p.Steps) != 9 { // with the last denoising, and the end
		t.Fatalf("%d evaluations in %d lines, want 8 in 9", p.NFE, len(p.Steps))
	}
	for i, s := range p.Steps[:8] {
		next := p.Steps[i+1]
		if got := s.Coefs["signal"]; i < 7 && !(math.Abs(got-min(next.Signal, 1)) <= 1e-12) {
			t.Errorf("step %d ends with signal %g, and the next begins with %g", i+1, got, next.Signal)
		}
		if got := math.Hypot(s.Coefs["signal"], s.Coefs["direction"]); !(math.Abs(got-1) <= 1e-12) {
			t.Errorf("step %d: signal and direction have norm %g, want 1", i+1, got)
		}
		if got := 2 * math.Log(s.Signal/s.Noise); s.LogSNR == nil || !(math.Abs(*s.LogSNR-got) <= 1e-9) {
			t.Errorf("step %d: log-SNR %v, want %g", i+1, s.LogSNR, got)
		}
		line := strings.Fields(table[2+i])
		want := fmt.Sprintf("%d %.5f %.5f %.3f %v", i+1, s.Signal, s.Noise, *s.LogSNR, s.Labels[0])
		if got := strings.Join(line[:5], " "); got != want || line[len(line)-1] != fmt.Sprint(i+1) {
			t.Errorf("line %v, want %s, and NFE %d", line, want, i+1)
		}
	}
	if end := p.Steps[8]; end.Signal != 1 || end.Noise != 0 || end.LogSNR != nil || end.Labels != nil {
		t.Errorf("the end is %+v, want clean frames", end)
	}
}

// A step counts as many evaluations as it has labels, and later windows leave the noisiest levels out.
func TestThePlanCountsEvaluations(t *testing.T) {
	inNewFolder(t)
	for _, sampler := range []string{"heun", "pndm", "unipc", "heun_churn"} {
		p, _ := planOf(t, "--sampler", sampler, "--steps", "7")
		nfe := 0
		for i, s := range p.Steps {
			if nfe += len(s.Labels); s.NFE != nfe {
				t.Errorf("%s, line %d: %d evaluations, want %d", sampler, i+1, s.NFE, nfe)
			}
		}
		if p.NFE != nfe {
			t.Errorf("%s: %d evaluations, want %d", sampler, p.NFE, nfe)
		}
	}
}

func TestThePlanOfLaterWindows(t *testing.T) {
	inNewFolder(t)
	if err := os.WriteFile("start.yml", []byte("base: configs/tiny.yml\nsampler: {start: 0.5}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	var p samplePlans
	_, text, stderr := call(t, "sample-plan", "start.yml", "--json")
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		t.Fatal(err, stderr)
	}
	if len(p.Steps) != 7 || len(p.Later) != 4 || p.Later[0].Labels[0] != 60 {
		t.Errorf("%d and %d lines, want 7 of all levels and 4 from label 60 on: %+v", len(p.Steps), len(p.Later), p.Later)
	}
	if code, _, stderr := call(t, "sample-plan", "none.yml"); code != exitFailure || !strings.Contains(stderr, "want a run folder or a configuration file") {
		t.Errorf("a missing file: status %d, %s", code, stderr)
	}
}

// The corrector of pc has a coefficient of -0 where there is no noise, which is printed as 0.
func TestSamplePlanPrintsNoNegativeZero(t *testing.T) {
	inNewFolder(t)
	status, stdout, stderr := call(t, "sample-plan", "configs/tiny.yml", "--sampler", "pc", "--steps", "3")
	if status != 0 || !strings.Contains(stdout, "c.eps") || slices.Contains(strings.Fields(stdout), "-0") {
		t.Errorf("status %d, %s\n%s", status, stdout, stderr)
	}
}
