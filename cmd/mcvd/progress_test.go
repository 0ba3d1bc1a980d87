package main

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"
	"unicode"
)

// clock is a progress whose time the test sets.
func clock(out io.Writer, total int) (p *progress, after func(time.Duration)) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	now := start
	p = newProgress(&shown{out: out, plain: unicode.IsPrint}, "train", total)
	p.now, p.began, p.shown = func() time.Time { return now }, start, start
	return p, func(d time.Duration) { now = start.Add(d) }
}

// A run that goes on after step 500 is half done at once, and what is left is reckoned from its own
// steps without the first one, which compiles.
func TestProgressOfAResumedRun(t *testing.T) {
	var out bytes.Buffer
	p, after := clock(&out, 1000)
	p.bar = newBar(&out, "train", 1000)
	after(40 * time.Second)
	p.reach(501, "compiled")
	if s := p.bar.State(); s.CurrentNum != 501 || s.CurrentPercent < 0.5 || strings.Contains(s.Description, "left") {
		t.Errorf("after the first step the bar says %d, %.0f %%, %q", s.CurrentNum, 100*s.CurrentPercent, s.Description)
	}
	if strings.Contains(out.String(), "(0/") {
		t.Errorf("it began with %q", &out)
	}
	after(50 * time.Second)
	p.reach(511, "loss 0.5")
	if s := p.bar.State(); s.CurrentNum != 511 || s.Description != "train loss 0.5, 8m9s left" { // 10 steps in 10 seconds, 489 to go
		t.Errorf("the bar says %d, %q", s.CurrentNum, s.Description)
	}
	p.reach(1000, "loss 0.5")
	if s := p.bar.State(); s.Description != "train loss 0.5" {
		t.Errorf("at the end the bar says %q", s.Description)
	}
}

// Without a terminal there is a line every 10 seconds, with the time left.
func TestProgressInLines(t *testing.T) {
	var out bytes.Buffer
	p, after := clock(&out, 7300)
	for i := range 6 {
		after(time.Duration(4*i) * time.Second)
		p.step("loss 0.5")
	}
	want := "train 4 of 7300, 12s, loss 0.5, 8h6m left\n"
	if out.String() != want {
		t.Errorf("says %q, want %q", &out, want)
	}
	out.Reset()
	p, after = clock(&out, 3)
	after(11 * time.Second)
	p.step("")
	after(22 * time.Second)
	p.step("")
	if want := "train 1 of 3, 11s\ntrain 2 of 3, 22s, 11s left\n"; out.String() != want {
		t.Errorf("says %q, want %q", &out, want)
	}
}

// What is done once between two steps does not count for the time left, wherever it comes.
func TestProgressPassesOverWhatIsDoneOnce(t *testing.T) {
	var out bytes.Buffer
	p, after := clock(&out, 100)
	p.bar = newBar(&out, "train", 100)
	p.pass() // before the first step there is nothing to leave out
	after(30 * time.Second)
	p.reach(1, "")
	after(40 * time.Second)
	p.reach(11, "") // 10 steps in 10 seconds
	after(99 * time.Second)
	p.pass() // a validation of 59 seconds
	after(109 * time.Second)
	p.reach(21, "")
	if got, want := p.bar.State().Description, "train 1m19s left"; got != want { // 79 to go
		t.Errorf("the bar says %q, want %q", got, want)
	}
}

// The bar moves a terminal's cursor itself, but what stands beside it does nothing to the terminal.
func TestTheBarShowsNamesAsText(t *testing.T) {
	var out bytes.Buffer
	p, _ := clock(&out, 10)
	p.bar = newBar(&out, "train", 10)
	p.reach(1, "a\x1b]0;x\a.mp4")
	if s := p.bar.State(); s.Description != `train a\x1b]0;x\x07.mp4` || strings.Contains(out.String(), "\x1b]0;x") {
		t.Errorf("the bar says %q, in all %q", s.Description, &out)
	}
}
