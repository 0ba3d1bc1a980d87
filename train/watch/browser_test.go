package watch

import (
	"context"
	"fmt"
	"image/color"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mcvd/configs"
	"mcvd/configs/webpage/pagetest"
	"mcvd/train/runs"
)

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
	b := pagetest.Open(t)
	one, two := twoRuns(t)
	address := serve(t, one, two)
	b.Go(address)
	b.Until(`document.querySelectorAll("#runs tbody tr").length === 2 && document.querySelector("#runs").innerText.includes("500 of 700000")`)
	b.Until(pagetest.Pixels(chart("train/loss"), "--run-0") + " > 100 && " + pagetest.Pixels(chart("train/loss"), "--run-1") + " > 100")
	b.Until(pagetest.Pixels(`document.querySelector("#fifths canvas")`, "--fifth-4") + " > 3")

	// A line that training writes now moves the table and the curve.
	add(t, one, falling(500, 50, 900)...)
	b.Until(`document.querySelector("#runs").innerText.includes("1000 of 700000")`)
	b.Until(`document.querySelector('#curves [data-key="train/loss"] .u-legend').innerText.startsWith("step1000")`)

	// The slider of the samples, and what they are shown as.
	b.Until(`[...document.querySelectorAll("#samples img")].map(i => i.naturalWidth).join() === "40,40"`)
	for step, name := range []string{"step-00000100.gif", "step-00000500.gif"} {
		b.Set("sample-step", fmt.Sprint(step))
		b.Until(fmt.Sprintf(`[...document.querySelectorAll("#samples img")].every(i => i.src.endsWith(%q) && i.complete)`, name))
	}
	b.Set("sample-kind", "sheet")
	b.Until(`[...document.querySelectorAll("#samples img")].every(i => i.src.endsWith("step-00000500.png"))`)
	picture(t, one, 1000, color.RGBA{0, 255, 0, 255})
	b.Until(`document.getElementById("sample-at").innerText === "1000" && document.querySelector("#samples img").src.endsWith("step-00001000.png")`)

	// Settings: only what differs, and all if that is wanted.
	if got := b.Text(`document.querySelector("#settings tbody").innerText.trim()`); !strings.HasPrefix(got, "optimizer.learning_rate") || strings.Contains(got, "\n") {
		t.Errorf("the settings that differ are %q, want the learning rate alone", got)
	}
	b.Text(`document.getElementById("all-settings").click()`)
	b.Until(`document.querySelectorAll("#settings tbody tr").length > 40`)
	b.Screenshot("live")

	// A run that is switched off is in no chart.
	b.Text(`document.querySelectorAll("#runs input")[0].click()`)
	b.Until(pagetest.Pixels(chart("train/loss"), "--run-0") + " === 0 && " + pagetest.Pixels(chart("train/loss"), "--run-1") + " > 100")
	for id, value := range map[string]string{"axis": "time", "scale": "linear", "smooth": "0"} {
		b.Set(id, value)
	}
	b.Until(pagetest.Pixels(chart("train/loss"), "--run-1") + " > 100")
	b.Until(`document.querySelector('#curves [data-key="train/loss"] .u-legend').innerText.startsWith("hours0.14")`)

	// A log that is cut back takes its curve with it.
	if err := os.Remove(filepath.Join(two, runs.LogFile)); err != nil {
		t.Fatal(err)
	}
	add(t, two, falling(0, 2, 300)...)
	b.Until(`document.querySelector("#runs").innerText.includes("20 of 700000")`)
	b.Check(address)
}

// A page on a phone has nothing that is wider than its screen.
func TestThePageFitsAPhone(t *testing.T) {
	b := pagetest.Open(t)
	b.Phone()
	one, two := twoRuns(t)
	address := serve(t, one, two)
	b.Go(address)
	b.Until(pagetest.Pixels(chart("train/loss"), "--run-1") + " > 50")
	if wide := b.Text(`document.documentElement.scrollWidth`); wide != "380" {
		t.Errorf("the page is %s pixels wide on a screen of 380", wide)
	}
	b.Screenshot("phone")
	b.Check(address)
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
	hostile := func(b *pagetest.Browser) {
		b.Until(`document.querySelectorAll("#runs tbody tr").length === 2`)
		b.Until(pagetest.Pixels(chart("train/loss"), "--run-1") + " > 50")
		if got := b.Text(`document.querySelectorAll("img, b, script:not([src]):not(#data)").length`); got != "0" && got != "1" {
			t.Errorf("%s elements came out of names", got)
		}
		if got := b.Text(`document.querySelectorAll("#runs .name")[0].innerText`); !strings.Contains(got, "<img src=x") {
			t.Errorf("the name is shown as %q", got)
		}
		if got := b.Text(`document.getElementById("problems").innerText`); !strings.Contains(got, "2 lines of the log") || !strings.Contains(got, "not YAML") {
			t.Errorf("the problems are %q", got)
		}
	}
	t.Run("live", func(t *testing.T) {
		b := pagetest.Open(t)
		address := serve(t, dir, other)
		b.Go(address)
		hostile(b)
		b.Check(address)
	})
	t.Run("report", func(t *testing.T) {
		b := pagetest.Open(t)
		all := opened(t, dir, other)
		for _, r := range all {
			r.Update(context.Background())
		}
		path := filepath.Join(t.TempDir(), "r.html")
		if err := Report(path, all); err != nil {
			t.Fatal(err)
		}
		address := (&url.URL{Scheme: "file", Path: path}).String()
		b.Go(address)
		hostile(b)
		b.Check(address)
	})
}

func TestAReportNeedsNoServer(t *testing.T) {
	b := pagetest.Open(t)
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
	b.Go(address)
	b.Until(pagetest.Pixels(chart("train/loss"), "--run-0") + " > 100 && " + pagetest.Pixels(chart("train/loss"), "--run-1") + " > 100")
	b.Set("sample-step", "0")
	b.Until(`[...document.querySelectorAll("#samples img")].map(i => i.naturalWidth).join() === "40,40"`)
	b.Screenshot("report")
	b.Check(address)
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
