package watch

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/color/palette"
	"image/gif"
	"image/png"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"mcvd/configs"
	"mcvd/configs/experiment"
	"mcvd/train/runs"
)

// folder makes a run folder with an experiment.
func folder(t testing.TB, name string, change func(*configs.Config)) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	c := configs.Default()
	c.Data = configs.Data{Name: "digits", Size: 64, Channels: 1, Stride: 1, Start: "random", Windows: 1, OnError: "skip"}
	if change != nil {
		change(c)
	}
	if err := experiment.Resolve(c); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, runs.SamplesDir), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, runs.ConfigFile), c.YAML())
	return dir
}

func write(t testing.TB, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
}

// add appends lines to a run's log.
func add(t testing.TB, dir string, lines ...runs.Line) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(dir, runs.LogFile), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, l := range lines {
		text, err := json.Marshal(l)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(append(text, '\n')); err != nil {
			t.Fatal(err)
		}
	}
}

// falling are so many lines of a loss that falls, and of a validation, behind a step.
func falling(after, lines int, from float64) (all []runs.Line) {
	at := runs.Number(1.7e9)
	for i := 1; i <= lines; i++ {
		step := after + 10*i
		all = append(all, runs.Line{Step: step, Time: at + runs.Number(step), Loss: runs.Number(from / float64(step)), GradientNorm: 2, LearningRate: 2e-4,
			ClipsPerSecond: 100, FLOPs: 1e12, PeakShare: 0.4})
	}
	step := after + 10*lines
	fifths := []runs.Number{5, 4, 3, 2, 1}
	return append(all, runs.Line{Step: step, Time: at + runs.Number(step), Loss: runs.Number(from / float64(step)), Validation: fifths, X0: 0.1})
}

// picture writes the samples of a step: a sheet and a film of one colour.
func picture(t testing.TB, dir string, step int, c color.Color) {
	t.Helper()
	img := image.NewPaletted(image.Rect(0, 0, 40, 30), palette.Plan9)
	for y := range 30 {
		for x := range 40 {
			img.Set(x, y, c)
		}
	}
	var sheet, film bytes.Buffer
	if err := png.Encode(&sheet, img); err != nil {
		t.Fatal(err)
	}
	if err := gif.EncodeAll(&film, &gif.GIF{Image: []*image.Paletted{img, img}, Delay: []int{10, 10}}); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, runs.SamplesDir, runs.SampleName(step, runs.Sheet)), sheet.Bytes())
	write(t, filepath.Join(dir, runs.SamplesDir, runs.SampleName(step, runs.Film)), film.Bytes())
}

// opened are runs that are closed when the test ends.
func opened(t testing.TB, dirs ...string) []*runs.Run {
	t.Helper()
	all, err := runs.OpenAll(dirs)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { runs.CloseAll(all) })
	return all
}

// serve starts a server that looks at the folders all the time, and returns its address; the test
// fails if it doesn't end cleanly.
func serve(t testing.TB, dirs ...string) string {
	t.Helper()
	s := New(opened(t, dirs...))
	s.Every = 10 * time.Millisecond
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("the server ended with %v", err)
			}
		case <-time.After(10 * time.Second):
			t.Error("the server didn't end")
		}
	})
	return "http://" + l.Addr().String() + "/"
}

// A page that puts the pieces of all messages together has the curves of the run, while its log
// grows, is thinned, and is cut back.
func TestMessagesAddUpToTheCurves(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	dir := folder(t, "a", nil)
	all := opened(t, dir)
	v := viewer{}
	page := map[string]piece{}
	step, sent, whole := 0, 0, 0
	for round := range 60 {
		if round == 30 {
			if err := os.Remove(filepath.Join(dir, runs.LogFile)); err != nil {
				t.Fatal(err)
			}
			step = 0
		}
		lines := falling(step, 1+rng.IntN(200), 8)
		step = lines[len(lines)-1].Step
		add(t, dir, lines...)
		if err := all[0].Update(context.Background()); err != nil {
			t.Fatal(err)
		}
		status := v.next(time.Now(), all, make([]error, 1)).Runs[0]
		if status.Anew != (round == 0 || round == 30) {
			t.Errorf("round %d: anew %v", round, status.Anew)
		}
		if status.Anew {
			clear(page)
		}
		for name, p := range status.Curves {
			old := page[name]
			page[name] = piece{Width: p.Width, Step: append(old.Step[:p.From:p.From], p.Step...), Value: append(old.Value[:p.From:p.From], p.Value...)}
			sent += len(p.Step)
		}
		for name, c := range all[0].Curves {
			got := page[name]
			whole += len(c.Points)
			if len(got.Step) != len(c.Points) || got.Width != c.Width {
				t.Fatalf("round %d, %s: %d points of %d lines, want %d of %d", round, name, len(got.Step), got.Width, len(c.Points), c.Width)
			}
			for i, p := range c.Points {
				if got.Step[i] != p.Step || !(float64(got.Value[i]) == p.Value) {
					t.Fatalf("round %d, %s, point %d: step %d, %g, want %d, %g", round, name, i, got.Step[i], got.Value[i], p.Step, p.Value)
				}
			}
		}
	}
	if sent > whole/4 {
		t.Errorf("%d points were sent, of %d that all messages would have as a whole", sent, whole)
	}
	add(t, dir, runs.Line{Step: step, Scores: map[string]runs.Number{"psnr": 21}})
	if err := all[0].Update(context.Background()); err != nil {
		t.Fatal(err)
	}
	got := v.next(time.Now(), all, make([]error, 1))
	if n := len(got.Quantities); n != len(runs.Quantities())+1 || got.Quantities[n-1].Name != "score/psnr" || got.Runs[0].Curves["score/psnr"].Value[0] != 21 {
		t.Errorf("the first score comes as %+v with quantities %v, want 21 and its quantity after all others", got.Runs[0].Curves, got.Quantities)
	}
	if again := v.next(time.Now(), all, make([]error, 1)); again.Quantities != nil {
		t.Errorf("quantities were sent again without a new one")
	}
	if got := v.next(time.Now(), all, make([]error, 1)).Runs[0]; len(got.Curves) > 0 || got.Samples != nil || got.Settings != nil {
		t.Errorf("something was sent again without a change: %+v", got)
	}
}

// read reads the next message of a stream of events.
func read(t *testing.T, in *bufio.Reader) (m message) {
	t.Helper()
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if data, ok := strings.CutPrefix(line, "data: "); ok {
			// Numbers that are null become 0 here.
			if err := json.Unmarshal([]byte(data), &m); err != nil {
				t.Fatal(err)
			}
			return m
		}
	}
}

func TestALineIsSentWhileThePageIsOpen(t *testing.T) {
	dir := folder(t, "a", nil)
	add(t, dir, falling(0, 3, 8)...)
	address := serve(t, dir)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, "GET", address+"events", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	in := bufio.NewReader(response.Body)
	for m := read(t, in); m.Runs[0].Step != 30; m = read(t, in) { // the first may be from before the first look
	}
	add(t, dir, runs.Line{Step: 40, Loss: 0.25})
	for m := read(t, in); m.Runs[0].Step != 40; m = read(t, in) {
	}
}

func TestNothingButThePageAndTheSamplesIsServed(t *testing.T) {
	dir := folder(t, "a", nil)
	picture(t, dir, 10, color.White)
	write(t, filepath.Join(dir, runs.SamplesDir, "secret.png"), []byte("secret"))
	write(t, filepath.Join(filepath.Dir(dir), "outside.png"), []byte("secret"))
	if err := os.Symlink(filepath.Join(filepath.Dir(dir), "outside.png"), filepath.Join(dir, runs.SamplesDir, "step-00000020.png")); err != nil {
		t.Skip("no symbolic links here:", err)
	}
	handler := New(opened(t, dir)).handler()
	get := func(method, path, host string) *http.Response {
		r := httptest.NewRequest(method, "/", nil)
		r.URL.Path, r.Host = path, host
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		return w.Result()
	}
	for path, kind := range map[string]string{"/": "text/html; charset=utf-8", "/page.js": "text/javascript; charset=utf-8", "/page.css": "text/css; charset=utf-8",
		"/samples/0/step-00000010.png": "image/png", "/samples/0/step-00000010.gif": "image/gif"} {
		r := get("GET", path, "127.0.0.1:1")
		if r.StatusCode != 200 || r.Header.Get("Content-Type") != kind {
			t.Errorf("%s: status %d, %s, want 200, %s", path, r.StatusCode, r.Header.Get("Content-Type"), kind)
		}
		if p := r.Header.Get("Content-Security-Policy"); !strings.Contains(p, "default-src 'none'") || strings.Contains(p, "unsafe") {
			t.Errorf("%s: policy %q", path, p)
		}
		if r.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: the content type may be guessed", path)
		}
	}
	for _, path := range []string{"/config.yml", "/samples/0/secret.png", "/samples/0/step-00000020.png", "/samples/0/../config.yml", "/samples/0/..%2fconfig.yml",
		"/samples/1/step-00000010.png", "/samples/-1/step-00000010.png", "/samples/x/step-00000010.png", "/samples/0/step-00000030.png",
		"/samples/0/", "/samples/", "/assets/page.js", "//etc/passwd", "/../../etc/passwd"} {
		r := get("GET", path, "127.0.0.1:1")
		if body, _ := io.ReadAll(r.Body); r.StatusCode < 300 || bytes.Contains(body, []byte("secret")) {
			t.Errorf("%s: status %d, %q", path, r.StatusCode, body)
		}
	}
	for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS"} {
		if r := get(method, "/", "localhost"); r.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("%s: status %d, want %d", method, r.StatusCode, http.StatusMethodNotAllowed)
		}
	}
}

func TestOtherNamesOfHostsAreRefused(t *testing.T) {
	s := New(opened(t, folder(t, "a", nil)))
	s.Host = "Trainer.example"
	handler := s.handler()
	for host, want := range map[string]int{"127.0.0.1:80": 200, "localhost": 200, "LOCALHOST:1234": 200, "[::1]:80": 200, "[::1]": 200, "10.1.2.3": 200,
		"trainer.example:80": 200, "evil.example": 403, "evil.example:80": 403, "localhost.evil.example": 403, "127.0.0.1.evil.example": 403, "": 403} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Host = host
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("host %q: status %d, want %d", host, w.Code, want)
		}
	}
}

func TestAReportHoldsEverything(t *testing.T) {
	dir := folder(t, "</script><script>alert(1)</script>", nil)
	add(t, dir, falling(0, 30, 8)...)
	for step := 10; step <= 10*(maxEmbedded+5); step += 10 {
		picture(t, dir, step, color.White)
	}
	all := opened(t, dir)
	if err := all[0].Update(context.Background()); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "r.html")
	if err := Report(path, all); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(text, []byte("data:image/gif;base64,")); n != maxEmbedded {
		t.Errorf("%d films, want %d", n, maxEmbedded)
	}
	if !bytes.Contains(text, []byte("Leon Sorokin")) {
		t.Error("uPlot's licence is not in the file that holds uPlot")
	}
	if n := bytes.Count(text, []byte("<script")); n != 2 {
		t.Errorf("%d scripts, want two: the data and the page's", n)
	}
	for _, step := range []int{10, 10 * (maxEmbedded + 5)} {
		if !bytes.Contains(text, fmt.Appendf(nil, `{"step":%d,"film"`, step)) {
			t.Errorf("no samples of step %d", step)
		}
	}
	for _, from := range []string{`src="`, `href="page`, `url(`, `@import`} {
		if bytes.Contains(text, []byte(from)) {
			t.Errorf("the file needs others: %s", from)
		}
	}
}

// A sample that can't be read is a problem that the page shows, and a name of any bytes makes a page.
func TestAReportSaysWhatItLacks(t *testing.T) {
	dir := folder(t, "bad\xffname", nil)
	add(t, dir, falling(0, 2, 8)...)
	picture(t, dir, 10, color.White)
	if err := os.Mkdir(filepath.Join(dir, runs.SamplesDir, runs.SampleName(20, runs.Sheet)), 0o755); err != nil {
		t.Fatal(err)
	}
	all := opened(t, dir)
	if err := all[0].Update(context.Background()); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "r.html")
	if err := Report(path, all); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil || !utf8.Valid(text) {
		t.Errorf("error %v, or bytes that are no UTF-8", err)
	}
	for _, want := range []string{"step-00000020.png: not a regular file", "data:image/", "<title>bad\uFFFDname"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the report lacks %q", want)
		}
	}
}

func TestSamplesAreSpread(t *testing.T) {
	all := []runs.Sample{}
	for i := range 100 {
		all = append(all, runs.Sample{Step: i, Sheet: "s", Film: "f"})
	}
	for n, want := range map[int]int{0: 0, 1: 1, 2: 2, 20: 20, 21: 20, 100: 20} {
		some := spread(all[:n], 20)
		if len(some) != want || n > 0 && (some[len(some)-1].Step != n-1 || want > 1 && some[0].Step != 0) {
			t.Errorf("of %d: %v, want %d with the first and the last", n, some, want)
		}
		for i, s := range some {
			if s.Sheet != "" || i > 0 && s.Step <= some[i-1].Step {
				t.Errorf("of %d: sample %d is %+v", n, i, s)
			}
		}
	}
}
