package plot

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"image/color"
	"image/png"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gonum.org/v1/plot"

	"mcvd/train/runs"
)

// run is a run with a log.
func run(t *testing.T, name string, lines ...runs.Line) *runs.Run {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	var log bytes.Buffer
	for _, l := range lines {
		text, err := json.Marshal(l)
		if err != nil {
			t.Fatal(err)
		}
		log.Write(append(text, '\n'))
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for file, text := range map[string][]byte{runs.ConfigFile: nil, runs.LogFile: log.Bytes()} {
		if err := os.WriteFile(filepath.Join(dir, file), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	r, err := runs.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	if err := r.Update(context.Background()); err != nil {
		t.Fatal(err)
	}
	return r
}

// falling is a log of a loss that falls.
func falling(from float64) (lines []runs.Line) {
	for i := 1; i <= 100; i++ {
		lines = append(lines, runs.Line{Step: 10 * i, Loss: runs.Number(from / float64(i)), LearningRate: 2e-4, ClipsPerSecond: 3e4})
	}
	return append(lines, runs.Line{Step: 1000, Loss: 0.5, Validation: []runs.Number{1}, X0: 0.1})
}

// count is how many pixels of a PNG are nearly of a colour.
func count(t *testing.T, path string, c color.NRGBA) (n int) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	near := func(a uint32, b uint8) bool { return math.Abs(float64(a>>8)-float64(b)) <= 2 }
	for y := img.Bounds().Min.Y; y < img.Bounds().Max.Y; y++ {
		for x := img.Bounds().Min.X; x < img.Bounds().Max.X; x++ {
			if r, g, b, _ := img.At(x, y).RGBA(); near(r, c.R) && near(g, c.G) && near(b, c.B) {
				n++
			}
		}
	}
	return n
}

func TestEveryRunIsDrawnInItsColor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.png")
	one, two := run(t, "one", falling(8)...), run(t, "two", falling(2)...)
	draw := func(smooth float64, all ...*runs.Run) (first, second int) {
		t.Helper()
		if err := Write(path, all, smooth); err != nil {
			t.Fatal(err)
		}
		return count(t, path, colors[0]), count(t, path, colors[1])
	}
	if first, second := draw(0, one); first < 1000 || second != 0 {
		t.Errorf("one run: %d and %d pixels of the two colours, want many and none", first, second)
	}
	if first, second := draw(0.9, one, two); first < 1000 || second < 1000 {
		t.Errorf("two runs: %d and %d pixels of the two colours, want many", first, second)
	}
}

// Whatever stands in a log, there is a picture or an error, and the picture is whole.
func TestOddValuesAreDrawn(t *testing.T) {
	nan, inf := runs.Number(math.NaN()), runs.Number(math.Inf(1))
	for name, losses := range map[string][]runs.Number{
		"one value": {3}, "the same value": {3, 3, 3}, "zeros": {0, 0}, "a zero on the logarithmic axis": {4, 0, 2}, "below zero": {-1, -2},
		"NaN between": {1, nan, 2, 3, nan, 4, inf}, "NaN first": {nan, nan, 1}, "the largest": {1e308, 1e-308}, "the smallest": {5e-324, 1},
		"equal but for rounding": {1, 1 + 1e-15}, "large": {1e300, 1.1e300},
	} {
		var lines []runs.Line
		for i, l := range losses {
			lines = append(lines, runs.Line{Step: i + 1, Loss: l, GradientNorm: l})
		}
		for _, extension := range Formats() {
			path := filepath.Join(t.TempDir(), "a"+extension)
			if err := Write(path, []*runs.Run{run(t, "odd", lines...)}, 0.5); err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			text, err := os.ReadFile(path)
			if err != nil || len(text) < 1000 {
				t.Errorf("%s: %d bytes, error %v", path, len(text), err)
			}
			if extension == ".svg" && (bytes.Contains(text, []byte("NaN")) || bytes.Contains(text, []byte("Inf"))) {
				t.Errorf("%s: a coordinate is no number", name)
			}
		}
	}
}

func TestNothingToDrawLeavesNoFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.png")
	nan := runs.Number(math.NaN())
	for want, lines := range map[string][]runs.Line{
		"nothing to draw: no run has a line in its log":                       nil,
		"nothing to draw: every number in the logs is NaN, up to step 2 of a": {{Step: 1, Loss: nan}, {Step: 2, Loss: nan, GradientNorm: nan}},
	} {
		if err := Write(path, []*runs.Run{run(t, "a", lines...)}, 0); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
		if _, err := os.Stat(path); err == nil {
			t.Error("a file was left")
		}
	}
	if err := Write("a.jpg", nil, 0); err == nil || !strings.Contains(err.Error(), ".pdf, .png, .svg") {
		t.Errorf("error %v, want one that names the formats", err)
	}
}

func TestANameIsOnlyText(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.svg")
	r := run(t, "a", falling(1)...)
	r.Name = "<script>alert(1)</script>\n&\x00" + strings.Repeat("long", 100)
	if err := Write(path, []*runs.Run{r}, 0); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for d := xml.NewDecoder(bytes.NewReader(text)); ; {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == "script" {
			t.Error("the name became an element")
		}
	}
}

func TestTicksHaveLabels(t *testing.T) {
	for _, r := range [][2]float64{{1e-6, 1}, {0.02, 0.9}, {0.5, 0.51}, {1, 3}, {1e-30, 1e30}, {3e-7, 4e-7}, {99, 1001}, {123456, 123457}} {
		for name, ticks := range map[string]func(low, high float64) int{
			"linear":      func(low, high float64) int { return distinct(t, linearTicks(low, high), low, high) },
			"logarithmic": func(low, high float64) int { return distinct(t, logTicks(low, high), low, high) },
		} {
			if n := ticks(r[0], r[1]); n < 2 || n > 12 {
				t.Errorf("%s, %g to %g: %d labels, want 2 to 12", name, r[0], r[1], n)
			}
		}
	}
	for x, want := range map[float64]string{0: "0", 2e-4: "0.0002", 1e-6: "1e-06", 1500: "1500", 25000: "25k", 2.5e6: "2.5M", 3.8e12: "3.8T"} {
		if got := short(x, 0); got != want {
			t.Errorf("%g is written %s, want %s", x, got, want)
		}
	}
}

// Ticks of linear axes are round numbers, so that their labels say where they are.
func TestTicksAreRound(t *testing.T) {
	for _, c := range []struct {
		low, high float64
		want      string
	}{
		{0.41, 0.545, "0.42 0.44 0.46 0.48 0.5 0.52 0.54"}, {1.01, 1.24, "1.05 1.1 1.15 1.2"}, {-0.1, 0.1, "-0.1 -0.05 0 0.05 0.1"},
		{0, 0.3, "0 0.05 0.1 0.15 0.2 0.25 0.3"}, {-0.3, 0.3, "-0.3 -0.2 -0.1 0 0.1 0.2 0.3"},
		{0, 50, "0 10 20 30 40 50"}, {0, 700_000, "0 100k 200k 300k 400k 500k 600k 700k"}, {10.02, 10.27, "10.05 10.1 10.15 10.2 10.25"}, {1, 1, ""}, {0, math.Inf(1), ""},
	} {
		var labels []string
		for _, tick := range linearTicks(c.low, c.high) {
			labels = append(labels, tick.Label)
		}
		if got := strings.Join(labels, " "); got != c.want {
			t.Errorf("%g to %g: %s, want %s", c.low, c.high, got, c.want)
		}
	}
}

// distinct is how many labels the ticks within a range have; two of one text are a mistake.
func distinct(t *testing.T, ticks []plot.Tick, low, high float64) int {
	t.Helper()
	seen := map[string]bool{}
	for _, tick := range ticks {
		if tick.Label == "" || tick.Value < low || tick.Value > high {
			continue
		}
		if seen[tick.Label] {
			t.Errorf("%g to %g: two ticks are called %s", low, high, tick.Label)
		}
		seen[tick.Label] = true
	}
	return len(seen)
}
