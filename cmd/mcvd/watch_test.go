package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// loggedRun makes a run folder with a log of two lines, without training.
func loggedRun(t *testing.T, dir string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"config.yml": "", "log.jsonl": "{\"step\":10,\"loss\":1}\n{\"step\":20,\"loss\":0.5}\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// The address is printed at once; the page is there while the command runs, and it ends without an
// error.
func TestWatchServesUntilItIsEnded(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	loggedRun(t, dir)
	for addr, warns := range map[string]bool{"127.0.0.1:0": false, "localhost:0": false, "0.0.0.0:0": true} {
		ctx, end := context.WithCancel(context.Background())
		defer end()
		out, in := io.Pipe()
		var stderr bytes.Buffer
		done := make(chan int)
		go func() { done <- run(ctx, []string{"watch", dir, "--addr", addr}, in, &stderr) }()
		line, err := bufio.NewReader(out).ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.Get(strings.TrimSpace(line))
		if err != nil {
			t.Fatal(err)
		}
		page, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || response.StatusCode != 200 || !bytes.Contains(page, []byte("<title>mcvd</title>")) {
			t.Errorf("%s: status %d, error %v, %d bytes", addr, response.StatusCode, err, len(page))
		}
		end()
		if status := <-done; status != 0 {
			t.Errorf("%s: status %d: %s", addr, status, &stderr)
		}
		if got := strings.Contains(stderr.String(), "everyone who reaches this machine"); got != warns {
			t.Errorf("%s: a warning %v, want %v: %s", addr, got, warns, &stderr)
		}
	}
}

func TestMistakesInShowingRuns(t *testing.T) {
	t.Chdir(t.TempDir())
	loggedRun(t, "run")
	if err := os.MkdirAll("empty", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll("new", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("new/config.yml", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args   string
		status int
		want   string
	}{
		{"plot", 2, "0 arguments, want run folders"},
		{"plot run", 2, "no file for the picture: give --out FILE, of .pdf, .png or .svg"},
		{"plot run -o a.jpg", 2, "--out a.jpg: want a name that ends in .pdf, .png or .svg"},
		{"plot run -o a.png --smooth 1", 2, "--smooth 1: want 0 to below 1"},
		{"plot run -o a.png --smooth NaN", 2, "--smooth NaN: want 0 to below 1"},
		{"plot missing -o a.png", 1, "missing: no such run folder"},
		{"plot empty -o a.png", 1, "empty: not a run folder: it has no config.yml"},
		{"plot run ./run -o a.png", 1, "run and ./run: the same run folder"},
		{"plot new -o a.png", 1, "nothing to draw: no run has a line in its log"},
		{"plot run -o new/config.yml/a.png", 1, "--out new/config.yml/a.png: not a directory"},
		{"plot new run -o run/a.png", 1, "--out run/a.png: lies in the run folder, run, whose files are its own"},
		{"report run", 2, "no file for the report"},
		{"report run -o new/../run/page.html", 1, "lies in the run folder"},
		{"report run -o a.png", 2, "--out a.png: want a name that ends in .html or .htm"},
		{"report missing -o a.html", 1, "missing: no such run folder"},
		{"watch", 2, "0 arguments, want run folders"},
		{"watch missing", 1, "missing: no such run folder"},
		{"watch run --addr nonsense", 2, `--addr "nonsense": want HOST:PORT`},
		{"watch run --addr 127.0.0.1:99999", 1, "--addr: listen tcp: address 99999: invalid port"},
	} {
		status, stdout, stderr := call(t, strings.Fields(c.args)...)
		if status != c.status || stdout != "" || !strings.Contains(stderr, c.want) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%s: status %d, %q, want %d and one line that says %q", c.args, status, stdout+stderr, c.status, c.want)
		}
	}
	if left, _ := filepath.Glob("a.*"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
