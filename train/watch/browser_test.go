package watch

import (
	"context"
	"encoding/json"
	"fmt"
	"image/color"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"mcvd/configs"
	"mcvd/train/runs"
)

// browser is a page in a headless browser. What it asks for, and what goes wrong in it, is noted.
type browser struct {
	t   *testing.T
	ctx context.Context

	mu       sync.Mutex
	requests []string
	errors   []string
}

// openBrowser starts a browser, or skips the test where there is none.
func openBrowser(t *testing.T) *browser {
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
	ctx, stop := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(stop)
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.WindowSize(1200, 1000))
	ctx, stop = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(stop)
	ctx, stop = chromedp.NewContext(ctx)
	t.Cleanup(stop)
	b := &browser{t: t, ctx: ctx}
	b.must(chromedp.Do(ctx, chromedp.Navigate("about:blank")))
	b.must(chromedp.Listen(ctx, b.note))
	return b
}

func (b *browser) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *browser) note(event any) {
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

// open opens an address.
func (b *browser) open(address string) {
	b.t.Helper()
	b.must(chromedp.Do(b.ctx, chromedp.Navigate(address)))
}

// until waits until an expression is true; it is evaluated for every picture that the page draws.
func (b *browser) until(expression string) {
	b.t.Helper()
	script := `new Promise(done => { const look = () => { let is = false; try { is = ` + expression + ` } catch {} is ? done(true) : setTimeout(look, 20); }; look(); })`
	ctx, cancel := context.WithTimeout(b.ctx, 30*time.Second)
	defer cancel()
	if _, err := chromedp.Run(ctx, chromedp.Evaluate[bool](script, chromedp.EvalAwaitPromise)); err != nil {
		text, _ := chromedp.Run(b.ctx, chromedp.Evaluate[string](`document.body.innerText.slice(0, 2000)`))
		b.t.Fatalf("waiting for %s: %v; the page is\n%s\nerrors %q", expression, err, text, b.errors)
	}
}

func (b *browser) text(expression string) string {
	b.t.Helper()
	text, err := chromedp.Run(b.ctx, chromedp.Evaluate[string]("String("+expression+")"))
	b.must(err)
	return text
}

// set changes a control as a person does.
func (b *browser) set(id, value string) {
	b.t.Helper()
	literal, _ := json.Marshal(value)
	b.text(fmt.Sprintf(`(() => { const e = document.getElementById(%q); e.value = %s; for (const k of ["input", "change"]) e.dispatchEvent(new Event(k, {bubbles: true})); })()`, id, literal))
}

// screenshot writes a picture of the page into the folder that MCVD_SCREENSHOTS names, for people.
func (b *browser) screenshot(name string) {
	b.t.Helper()
	if dir := os.Getenv("MCVD_SCREENSHOTS"); dir != "" {
		picture, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
		b.must(err)
		write(b.t, filepath.Join(dir, name+".png"), picture)
	}
}

// check fails if something went wrong in the page, or it asked for anything elsewhere.
func (b *browser) check(address string) {
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

// pixels counts those of a canvas that are nearly of the colour that a custom property names.
func pixels(canvas, property string) string {
	return fmt.Sprintf(`(() => {
		const canvas = %s, data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
		const c = charts.css(%q), want = [1, 3, 5].map(i => parseInt(c.slice(i, i + 2), 16));
		let n = 0;
		for (let i = 0; i < data.length; i += 4) n += data[i + 3] > 200 && want.every((w, k) => Math.abs(data[i + k] - w) < 12);
		return n;
	})()`, canvas, property)
}

// chart is the canvas of a quantity.
func chart(name string) string {
	return fmt.Sprintf(`document.querySelector('#curves [data-key="%s"] canvas')`, name)
}

// twoRuns are runs that differ in a setting, with samples of two steps.
func twoRuns(t *testing.T) (one, two string) {
	one = folder(t, "wide", nil)
	two = folder(t, "narrow", func(c *configs.Config) { c.Optimizer.LearningRate = 0.125 })
	add(t, one, falling(0, 50, 900)...)
	add(t, two, falling(0, 50, 300)...)
	for _, dir := range []string{one, two} {
		picture(t, dir, 100, color.RGBA{255, 0, 0, 255})
		picture(t, dir, 500, color.RGBA{0, 0, 255, 255})
	}
	return one, two
}

func TestThePageShowsRunsLive(t *testing.T) {
	b := openBrowser(t)
	one, two := twoRuns(t)
	address := serve(t, one, two)
	b.open(address)
	b.until(`document.querySelectorAll("#runs tbody tr").length === 2 && document.querySelector("#runs").innerText.includes("500 of 700000")`)
	b.until(pixels(chart("train/loss"), "--run-0") + " > 100 && " + pixels(chart("train/loss"), "--run-1") + " > 100")
	b.until(pixels(`document.querySelector("#fifths canvas")`, "--fifth-4") + " > 3")

	// A line that training writes now moves the table and the curve.
	add(t, one, falling(500, 50, 900)...)
	b.until(`document.querySelector("#runs").innerText.includes("1000 of 700000")`)
	b.until(`document.querySelector('#curves [data-key="train/loss"] .u-legend').innerText.startsWith("step1000")`)

	// The slider of the samples, and what they are shown as.
	b.until(`[...document.querySelectorAll("#samples img")].map(i => i.naturalWidth).join() === "40,40"`)
	for step, name := range []string{"step-00000100.gif", "step-00000500.gif"} {
		b.set("sample-step", fmt.Sprint(step))
		b.until(fmt.Sprintf(`[...document.querySelectorAll("#samples img")].every(i => i.src.endsWith(%q) && i.complete)`, name))
	}
	b.set("sample-kind", "sheet")
	b.until(`[...document.querySelectorAll("#samples img")].every(i => i.src.endsWith("step-00000500.png"))`)
	picture(t, one, 1000, color.RGBA{0, 255, 0, 255})
	b.until(`document.getElementById("sample-at").innerText === "1000" && document.querySelector("#samples img").src.endsWith("step-00001000.png")`)

	// Settings: only what differs, and all if that is wanted.
	if got := b.text(`document.querySelector("#settings tbody").innerText.trim()`); !strings.HasPrefix(got, "optimizer.learning_rate") || strings.Contains(got, "\n") {
		t.Errorf("the settings that differ are %q, want the learning rate alone", got)
	}
	b.text(`document.getElementById("all-settings").click()`)
	b.until(`document.querySelectorAll("#settings tbody tr").length > 40`)
	b.screenshot("live")

	// A run that is switched off is in no chart.
	b.text(`document.querySelectorAll("#runs input")[0].click()`)
	b.until(pixels(chart("train/loss"), "--run-0") + " === 0 && " + pixels(chart("train/loss"), "--run-1") + " > 100")
	for id, value := range map[string]string{"axis": "time", "scale": "linear", "smooth": "0"} {
		b.set(id, value)
	}
	b.until(pixels(chart("train/loss"), "--run-1") + " > 100")
	b.until(`document.querySelector('#curves [data-key="train/loss"] .u-legend').innerText.startsWith("hours0.14")`)

	// A log that is cut back takes its curve with it.
	if err := os.Remove(filepath.Join(two, runs.LogFile)); err != nil {
		t.Fatal(err)
	}
	add(t, two, falling(0, 2, 300)...)
	b.until(`document.querySelector("#runs").innerText.includes("20 of 700000")`)
	b.check(address)
}

// A page on a phone has nothing that is wider than its screen.
func TestThePageFitsAPhone(t *testing.T) {
	b := openBrowser(t)
	b.must(chromedp.Do(b.ctx, chromedp.EmulateViewport(380, 800, chromedp.EmulateMobile)))
	one, two := twoRuns(t)
	address := serve(t, one, two)
	b.open(address)
	b.until(pixels(chart("train/loss"), "--run-1") + " > 50")
	if wide := b.text(`document.documentElement.scrollWidth`); wide != "380" {
		t.Errorf("the page is %s pixels wide on a screen of 380", wide)
	}
	b.screenshot("phone")
	b.check(address)
}

// What a name, a setting, a version or a log holds is text, and nothing else.
func TestHostileRunsDoNothing(t *testing.T) {
	const bad = `<img src=x onerror=alert(1)><script>alert(2)<` + "\u2044script>"
	dir := folder(t, "&\"'"+strings.ReplaceAll(bad, "/", ""), func(c *configs.Config) { c.Train.Steps = 60 })
	other := folder(t, "javascript:alert(1)", nil)
	write(t, filepath.Join(other, runs.ConfigFile), []byte("seed: "+bad+"\n</script>"))
	add(t, dir, falling(0, 5, 8)...)
	add(t, other, falling(0, 5, 8)...)
	write(t, filepath.Join(dir, runs.VersionsFile), []byte(`{"__proto__": "x", "<b>commit</b>": "</script><img src=x onerror=alert(3)>"}`))
	write(t, filepath.Join(other, runs.LogFile), append([]byte("{\"step\":1,\"loss\":\"<b>\"}\n\x00\xff</script>\n"), readFile(t, filepath.Join(dir, runs.LogFile))...))
	hostile := func(b *browser) {
		b.until(`document.querySelectorAll("#runs tbody tr").length === 2`)
		b.until(pixels(chart("train/loss"), "--run-1") + " > 50")
		if got := b.text(`document.querySelectorAll("img, b, script:not([src]):not(#data)").length`); got != "0" && got != "1" {
			t.Errorf("%s elements came out of names", got)
		}
		if got := b.text(`document.querySelectorAll("#runs .name")[0].innerText`); !strings.Contains(got, "<img src=x") {
			t.Errorf("the name is shown as %q", got)
		}
		if got := b.text(`document.getElementById("problems").innerText`); !strings.Contains(got, "2 lines of the log") || !strings.Contains(got, "not YAML") {
			t.Errorf("the problems are %q", got)
		}
	}
	t.Run("live", func(t *testing.T) {
		b := openBrowser(t)
		address := serve(t, dir, other)
		b.open(address)
		hostile(b)
		b.check(address)
	})
	t.Run("report", func(t *testing.T) {
		b := openBrowser(t)
		all := opened(t, dir, other)
		for _, r := range all {
			r.Update(context.Background())
		}
		path := filepath.Join(t.TempDir(), "r.html")
		if err := Report(path, all); err != nil {
			t.Fatal(err)
		}
		address := (&url.URL{Scheme: "file", Path: path}).String()
		b.open(address)
		hostile(b)
		b.check(address)
	})
}

func TestAReportNeedsNoServer(t *testing.T) {
	b := openBrowser(t)
	one, two := twoRuns(t)
	all := opened(t, one, two)
	for _, r := range all {
		if err := r.Update(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "r.html")
	if err := Report(path, all); err != nil {
		t.Fatal(err)
	}
	address := (&url.URL{Scheme: "file", Path: path}).String()
	b.open(address)
	b.until(pixels(chart("train/loss"), "--run-0") + " > 100 && " + pixels(chart("train/loss"), "--run-1") + " > 100")
	b.set("sample-step", "0")
	b.until(`[...document.querySelectorAll("#samples img")].map(i => i.naturalWidth).join() === "40,40"`)
	b.screenshot("report")
	b.check(address)
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
