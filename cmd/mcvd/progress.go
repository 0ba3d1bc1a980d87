package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// progress shows how far a command has come: a bar on a terminal, and a line now and then
// elsewhere.
type progress struct {
	out   io.Writer
	what  string
	total int
	bar   *progressbar.ProgressBar // nil where there is no terminal
	now   func() time.Time
	began time.Time
	shown time.Time // when the last line was shown
	done  int
	// The time left is estimated from the end of this process's first step. Earlier steps of a
	// resumed run took place at another time, and the first step also builds and compiles the
	// programs.
	first    int
	firstEnd time.Time
	reached  time.Time // when the last step was done
}

// lineEvery is the time between two lines where there is no terminal.
const lineEvery = 10 * time.Second

func newProgress(out *shown, what string, total int) *progress {
	p := &progress{out: out, what: what, total: total, now: time.Now, began: time.Now(), shown: time.Now()}
	if f, ok := out.out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		p.bar = newBar(f, what, total) // what moves the cursor must reach the terminal
	}
	return p
}

// newBar is a bar without a forecast of its own, because the library's counts the steps before a
// resumed one as steps of this process.
func newBar(out io.Writer, what string, total int) *progressbar.ProgressBar {
	return progressbar.NewOptions(total, progressbar.OptionSetWriter(out), progressbar.OptionSetDescription(what),
		progressbar.OptionShowCount(), progressbar.OptionSetPredictTime(false), progressbar.OptionSetElapsedTime(true),
		progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish())
}

// step counts one more; detail is shown behind the count.
func (p *progress) step(detail string) { p.reach(p.done+1, detail) }

// reach notes that this many steps are done, including those of earlier processes.
func (p *progress) reach(done int, detail string) {
	now := p.now()
	p.done, p.reached = done, now
	if p.firstEnd.IsZero() {
		p.first, p.firstEnd = done, now
	}
	parts := []string{detail}
	if d := left(p.total-done, done-p.first, now.Sub(p.firstEnd)); d > 0 {
		parts = append(parts, readable(d)+" left")
	}
	text := strings.TrimPrefix(strings.Join(parts, ", "), ", ")
	if p.bar != nil {
		p.bar.Set(done) // first: both draw the bar
		p.bar.Describe(visible(strings.TrimSpace(p.what + " " + text)))
		return
	}
	if now.Sub(p.shown) >= lineEvery {
		p.shown = now
		fmt.Fprintln(p.out, strings.TrimSuffix(fmt.Sprintf("%s %d of %d, %s, %s", p.what, done, p.total, readable(now.Sub(p.began)), text), ", "))
	}
}

// pass leaves the time since the last step out of the estimate of the time left. It is for work that
// is done once, such as compiling a program.
func (p *progress) pass() {
	if !p.firstEnd.IsZero() {
		now := p.now()
		p.firstEnd, p.reached = p.firstEnd.Add(now.Sub(p.reached)), now
	}
}

// left is how long the missing steps take if they are as fast as the steps that took the given
// time; 0 if that is unknown.
func left(missing, made int, took time.Duration) time.Duration {
	if made < 1 {
		return 0
	}
	return time.Duration(float64(took) / float64(made) * float64(missing))
}

// readable rounds a duration: "8.2s" is "8s", "1h20m31s" is "1h21m".
func readable(d time.Duration) string {
	if d >= time.Hour {
		return strings.TrimSuffix(d.Round(time.Minute).String(), "0s")
	}
	return d.Round(time.Second).String()
}

// clear removes the bar.
func (p *progress) clear() {
	if p.bar != nil {
		p.bar.Finish()
	}
}
