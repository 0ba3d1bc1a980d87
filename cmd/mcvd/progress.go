package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// progress shows how far a command has come: a bar on a terminal, a line now and then elsewhere.
type progress struct {
	out   io.Writer
	what  string
	total int
	done  int
	bar   *progressbar.ProgressBar
	began time.Time
	shown time.Time
}

// lineEvery is the time between two lines where there is no terminal.
const lineEvery = 10 * time.Second

func newProgress(out io.Writer, what string, total, done int) *progress {
	p := &progress{out: out, what: what, total: total, done: done, began: time.Now(), shown: time.Now()}
	if f, ok := out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		p.bar = progressbar.NewOptions(total, progressbar.OptionSetWriter(out), progressbar.OptionSetDescription(what),
			progressbar.OptionShowCount(), progressbar.OptionSetPredictTime(true), progressbar.OptionThrottle(100*time.Millisecond),
			progressbar.OptionClearOnFinish(), progressbar.OptionSetElapsedTime(true))
		p.bar.Set(done)
	}
	return p
}

// step counts one more; detail is shown behind the count.
func (p *progress) step(detail string) {
	p.done++
	if p.bar != nil {
		if detail != "" {
			p.bar.Describe(p.what + " " + detail)
		}
		p.bar.Add(1)
		return
	}
	if time.Since(p.shown) >= lineEvery {
		p.shown = time.Now()
		fmt.Fprintf(p.out, "%s %d of %d, %s %s\n", p.what, p.done, p.total, time.Since(p.began).Round(time.Second), detail)
	}
}

// clear removes the bar.
func (p *progress) clear() {
	if p.bar != nil {
		p.bar.Finish()
	}
}
