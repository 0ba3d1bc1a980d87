// Package pagetest looks at pages in a headless browser in tests.
package pagetest

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// Browser is a page in a headless browser. What it asks for, and what goes wrong in it, is noted.
type Browser struct {
	t   *testing.T
	ctx context.Context

	mu       sync.Mutex
	requests []string
	errors   []string
}

// Open starts a browser, or skips the test where there is none.
func Open(t *testing.T) *Browser {
	t.Helper()
	return start(t)
}

// OpenOffline is [Open] without a network: whatever a page asks for but files of this machine goes to
// a proxy that is not there.
func OpenOffline(t *testing.T) *Browser {
	t.Helper()
	return start(t, chromedp.Flag("proxy-server", "127.0.0.1:1"), chromedp.Flag("proxy-bypass-list", "<-loopback>"))
}

func start(t *testing.T, more ...chromedp.ExecAllocatorOption) *Browser {
	t.Helper()
	var path string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		t.Skip("no chromium in PATH, in which the page would be looked at")
	}
	ctx, stop := context.WithTimeout(context.Background(), 10*time.Minute)
	t.Cleanup(stop)
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.WindowSize(1200, 1000))
	options = append(options, more...)
	ctx, stop = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(stop)
	ctx, stop = chromedp.NewContext(ctx)
	t.Cleanup(stop)
	b := &Browser{t: t, ctx: ctx}
	b.do(chromedp.Navigate("about:blank"))
	b.must(chromedp.Listen(ctx, b.note))
	return b
}

func (b *Browser) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// do does something with the page.
func (b *Browser) do(action chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	b.must(chromedp.Do(b.ctx, action))
}

// Phone makes the page as wide as that of a phone.
func (b *Browser) Phone() {
	b.t.Helper()
	b.do(chromedp.EmulateViewport(380, 800, chromedp.EmulateMobile))
}

// Media shows the page for a kind of medium, "screen" or "print", in a scheme of colours, "light" or
// "dark".
func (b *Browser) Media(medium, scheme string) {
	b.t.Helper()
	_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: medium,
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
	b.must(err)
}

func (b *Browser) note(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		b.requests = append(b.requests, e.Request.URL)
	case *runtime.EventExceptionThrown:
		b.errors = append(b.errors, e.ExceptionDetails.Text)
	case *runtime.EventConsoleAPICalled:
		b.errors = append(b.errors, fmt.Sprintf("console.%s", e.Type))
	case *log.EventEntryAdded: // a policy that was broken, a file that is not there
		if !strings.Contains(e.Entry.Text, "getImageData") { // what this test reads
			b.errors = append(b.errors, e.Entry.Text)
		}
	}
}

// Go opens an address.
func (b *Browser) Go(address string) {
	b.t.Helper()
	b.do(chromedp.Navigate(address))
}

// Until waits until an expression is true; it is evaluated for every picture that the page draws.
func (b *Browser) Until(expression string) {
	b.t.Helper()
	script := `new Promise(done => { const look = () => { let is = false; try { is = ` + expression + ` } catch {} is ? done(true) : setTimeout(look, 20); }; look(); })`
	ctx, cancel := context.WithTimeout(b.ctx, 2*time.Minute)
	defer cancel()
	if _, err := chromedp.Run(ctx, chromedp.Evaluate[bool](script, chromedp.EvalAwaitPromise)); err != nil {
		text, _ := chromedp.Run(b.ctx, chromedp.Evaluate[string](`document.body.innerText.slice(0, 2000)`))
		b.t.Fatalf("waiting for %s: %v; the page is\n%s\nerrors %q", expression, err, text, b.errors)
	}
}

// Text is the value of an expression, as a text.
func (b *Browser) Text(expression string) string {
	b.t.Helper()
	text, err := chromedp.Run(b.ctx, chromedp.Evaluate[string]("String("+expression+")"))
	b.must(err)
	return text
}

// Set changes a control as a person does.
func (b *Browser) Set(id, value string) {
	b.t.Helper()
	literal, _ := json.Marshal(value)
	b.Text(fmt.Sprintf(`(() => { const e = document.getElementById(%q); e.value = %s; for (const k of ["input", "change"]) e.dispatchEvent(new Event(k, {bubbles: true})); })()`, id, literal))
}

// Screenshot writes a picture of the page into the folder that MCVD_SCREENSHOTS names, for people.
func (b *Browser) Screenshot(name string) {
	b.t.Helper()
	if dir := os.Getenv("MCVD_SCREENSHOTS"); dir != "" {
		picture, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
		b.must(err)
		b.must(os.WriteFile(filepath.Join(dir, name+".png"), picture, 0o644))
	}
}

// Check fails if something went wrong in the page, or it asked for anything elsewhere.
func (b *Browser) Check(address string) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.errors {
		b.t.Errorf("the page says: %s", e)
	}
	if len(b.requests) == 0 {
		b.t.Error("no request was noted")
	}
	for _, r := range b.requests {
		if !strings.HasPrefix(r, address) && !strings.HasPrefix(r, "data:") {
			b.t.Errorf("the page asked for %s", r)
		}
	}
}

// Pixels is an expression that counts those of a canvas that are nearly of the colour that a custom
// property names.
func Pixels(canvas, property string) string {
	return fmt.Sprintf(`(() => {
		const canvas = %s, data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
		const c = charts.css(%q), want = [1, 3, 5].map(i => parseInt(c.slice(i, i + 2), 16));
		let n = 0;
		for (let i = 0; i < data.length; i += 4) n += data[i + 3] > 200 && want.every((w, k) => Math.abs(data[i + k] - w) < 12);
		return n;
	})()`, canvas, property)
}
