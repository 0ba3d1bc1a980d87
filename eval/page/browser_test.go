package page

import (
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"mcvd/configs/webpage/pagetest"
	"mcvd/eval"
	"mcvd/eval/metric"
)

// opened is the page of a report in a browser that has no network, and its address.
func opened(t *testing.T, r *eval.Report, films *Films) (*pagetest.Browser, string) {
	t.Helper()
	b := pagetest.OpenOffline(t)
	path := filepath.Join(t.TempDir(), "r.html")
	if err := Write(path, r, films); err != nil {
		t.Fatal(err)
	}
	address := (&url.URL{Scheme: "file", Path: path}).String()
	b.Go(address)
	return b, address
}

// canvas is the n-th chart of a section.
func canvas(section string, n int) string {
	return fmt.Sprintf(`document.querySelectorAll("#%s canvas")[%d]`, section, n)
}

// pixel is the grey level in the middle of the n-th film on the screen.
func pixel(n int) string {
	return fmt.Sprintf(`document.querySelectorAll(".films canvas")[%d].getContext("2d").getImageData(2, 2, 1, 1).data[0]`, n)
}

func TestThePageIsDrawn(t *testing.T) {
	r := aReport(t, 24, 3, nil)
	r.Results[0].Scores["mmd"].Set.Extrapolation = &metric.Extrapolation{Points: []metric.Point{{Real: 12, Made: 24, Value: 0.5}, {Real: 24, Made: 48, Value: 0.375}}, Infinity: 0.25}
	b, address := opened(t, r, filmsOf(r))
	mean := r.Results[0].Scores["psnr"].Mean.Mean
	b.Until(fmt.Sprintf(`document.querySelectorAll("#scores tbody tr").length === 3 && document.querySelector("#scores").innerText.includes("%.2f")`, mean))
	for _, section := range []string{"frames", "clips"} {
		b.Until(pagetest.Pixels(canvas(section, 0), "--run-0") + " > 100 && " + pagetest.Pixels(canvas(section, 0), "--run-1") + " > 100")
	}
	b.Until(pagetest.Pixels(canvas("sizes", 0), "--run-0") + " > 50")
	if got, want := b.Text(`document.querySelector("#frames .u-legend").textContent`), fmt.Sprintf("model, mean of 2%.2f", mean-1); !strings.Contains(got, want) {
		t.Errorf("the legend is %q, want %q in it, the last frame", got, want)
	}
	b.Screenshot("eval-light")
	b.Media("screen", "dark")
	b.Until(pagetest.Pixels(canvas("frames", 0), "--run-0") + " > 100")
	b.Screenshot("eval-dark")
	b.Media("print", "light")
	b.Until(`getComputedStyle(document.querySelector(".films canvas")).display === "none" && document.querySelector(".films img").naturalWidth === 20`)
	b.Screenshot("eval-print")
	b.Check(address)
}

// Films play by themselves, all at the same frame; the slider, the strips and the differences do what
// they say.
func TestFilmsPlay(t *testing.T) {
	r := aReport(t, 24, 3, nil)
	b, address := opened(t, r, filmsOf(r))
	for _, frame := range []string{"1", "4"} { // past the end and round again
		b.Until(fmt.Sprintf(`document.getElementById("frame-at").textContent === %q`, frame))
	}
	for _, shown := range []struct {
		frame  int
		levels []int // of each film
	}{{0, []int{0, 0, 0}}, {2, []int{100, 200, 200}}, {4, []int{102, 202, 202}}} { // the past is black
		b.Set("frame", fmt.Sprint(shown.frame))
		for film, level := range shown.levels {
			b.Until(fmt.Sprintf("%s === %d", pixel(film), level))
		}
	}
	b.Until(`document.getElementById("play").textContent === "play"`) // the slider stops them
	if got := b.Text(`[...document.querySelectorAll(".films canvas")].map(c => c.className).join()`); got != ",made,made,,made,made,,made,made" {
		t.Errorf("a generated frame is marked %q", got)
	}
	if got := b.Text(`document.querySelectorAll(".films figcaption")[1].innerText`); !strings.Contains(got, "best trajectory") || !strings.Contains(got, "psnr") || !strings.Contains(got, "this frame: ") {
		t.Errorf("the caption is %q", got)
	}
	b.Text(`document.getElementById("differences").click()`)
	b.Until(pixel(0) + " === 102 && " + pixel(1) + " === 100")
	b.Text(`document.getElementById("strips").click()`)
	b.Until(`[...document.querySelectorAll(".films img")].every(i => i.naturalWidth === 20 && i.clientWidth === 320) && document.querySelector(".films canvas").clientWidth === 0`)
	if got := b.Text(`[...document.querySelectorAll(".bar")[1].children].map(s => s.className + Math.round(s.getBoundingClientRect().width)).join()`); got != "given128,made192,given0" {
		t.Errorf("the bar above a strip is %q, want two given frames and three generated ones, of 64 pixels", got)
	}
	b.Screenshot("eval-strips")
	b.Check(address)
}

func TestThePageFitsAPhone(t *testing.T) {
	b := pagetest.OpenOffline(t)
	b.Phone()
	r := aReport(t, 24, 3, nil)
	path := filepath.Join(t.TempDir(), "r.html")
	if err := Write(path, r, filmsOf(r)); err != nil {
		t.Fatal(err)
	}
	address := (&url.URL{Scheme: "file", Path: path}).String()
	b.Go(address)
	b.Until(pagetest.Pixels(canvas("frames", 0), "--run-0") + " > 50")
	if wide := b.Text(`document.documentElement.scrollWidth`); wide != "380" {
		t.Errorf("the page is %s pixels wide on a screen of 380", wide)
	}
	b.Screenshot("eval-phone")
	b.Check(address)
}

// What a report's texts hold is text in the browser, too.
func TestHostileReportsDoNothing(t *testing.T) {
	r := hostileReport(t)
	b, address := opened(t, r, filmsOf(r))
	b.Until(pagetest.Pixels(canvas("clips", 0), "--run-0") + " > 100")
	b.Until(`document.getElementById("film-controls").hidden === false`)
	if got := b.Text(`document.querySelectorAll("img:not([src^='data:image/png;base64,']), script[src], iframe, object").length`); got != "0" {
		t.Errorf("%s elements came out of texts", got)
	}
	if got := b.Text(`document.querySelector("h1").innerText`); got != hostile+": "+hostile {
		t.Errorf("the title is shown as %q", got)
	}
	if got := b.Text(`document.querySelector(".clip .from").innerText`); !strings.Contains(got, hostile) {
		t.Errorf("a clip's name is shown as %q", got)
	}
	b.Check(address)
}

func TestWithoutFilmsThePageSaysHowToGetThem(t *testing.T) {
	b, address := opened(t, aReport(t, 24, 3, nil), nil)
	b.Until(`document.getElementById("films-section").innerText.includes("mcvd eval report REPORT.json --run runs/a -o PAGE.html")`)
	if hidden := b.Text(`document.getElementById("film-controls").hidden`); hidden != "true" {
		t.Error("there are controls of films, but no films")
	}
	b.Check(address)
}
