package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"unicode"
)

// A character that is written in two pieces is one, and what is no character is shown as such.
func TestShownPutsCharactersTogether(t *testing.T) {
	const text = "視é\x1b]0;x\a\xff頻\xe8\xa6"
	want := `視é\x1b]0;x\x07\xff頻\xe8\xa6`
	for size := 1; size <= len(text); size++ {
		var out bytes.Buffer
		s := &shown{out: &out, plain: unicode.IsPrint}
		for rest := text; rest != ""; {
			piece := rest[:min(size, len(rest))]
			if n, err := s.Write([]byte(piece)); n != len(piece) || err != nil {
				t.Fatalf("%d bytes, %v, want %d", n, err, len(piece))
			}
			rest = rest[len(piece):]
		}
		if err := s.Flush(); err != nil || out.String() != want {
			t.Errorf("in pieces of %d: %q, %v, want %q", size, &out, err, want)
		}
	}
}

// JSON that is printed is the same JSON, though it may hold control characters.
func TestShownJSONMeansTheSame(t *testing.T) {
	for _, plain := range []func(rune) bool{harmless, unicode.IsPrint} {
		const name = "del\x7f c1\u009b astral\U000e0001 zero\u200b esc\x1b 視頻"
		text, err := json.Marshal(name)
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if _, err := (&shown{out: &out, plain: plain}).Write(text); err != nil {
			t.Fatal(err)
		}
		var got string
		if err := json.Unmarshal(out.Bytes(), &got); err != nil || got != name || strings.ContainsFunc(out.String(), unicode.IsControl) {
			t.Errorf("%s is %q, %v, want %q", &out, got, err, name)
		}
	}
}

// Whatever a command does with a name that would change a terminal's title, nothing but lines of text
// comes out, on stdout and on stderr.
func TestNoCommandWritesControlCharacters(t *testing.T) {
	inNewFolder(t)
	const name, png = "a\x1b]0;x\x07.mp4", "a\x1b]0;x\x07.png"
	if status, _, stderr := call(t, "data", "export", "-c", "configs/tiny.yml", "--clips", "3", "--frames", "20", "-o", "own"); status != 0 {
		t.Fatal(stderr)
	}
	err := errors.Join(os.Rename("own/00000.mp4", "own/"+name), os.WriteFile("own/b"+name, []byte("no video\n"), 0o644),
		os.WriteFile(name, []byte("- \x1b\n"), 0o644), os.Mkdir("dir"+name, 0o755), os.WriteFile("dir"+name+"/notes", nil, 0o644), os.WriteFile(png, []byte("no image"), 0o644))
	if err != nil {
		t.Fatal(err)
	}
	run := "run" + name
	escaped := 0
	for _, args := range [][]string{
		{"train", "-c", "configs/tiny.yml", "-o", run, "--set", "train.steps=1"},
		{"train", "-c", "configs/tiny.yml", "-o", run, "--set", "train.steps=1"},
		{"train", "-c", "configs/tiny.yml", "-o", "dir" + name + "/notes"},
		{"train", "-c", "configs/tiny.yml", "--dry-run", "--set", "train.teacher=" + name},
		{"train", "-c", name, "-o", "new"},
		{"predict", run, "-o", "out" + name, "--clips", "1", "--frames", "2"},
		{"predict", run, "--video", "own/" + name, "-o", "out", "--frames", "2"},
		{"predict", run, "--video", "own/b" + name, "-o", "out"},
		{"predict", run, "--given", "0=" + png, "--frames", "3"},
		{"predict", run, "--given", name},
		{"predict", run, "--checkpoint", name},
		{"predict", run, "--set", "data.name=folder", "--set", "data.path=" + name},
		{"eval", run, "--clips", "2", "--frames", "2", "--metrics", "psnr", "-o", "report.json"},
		{"eval", run, "--clips", "2", "--frames", "2", "--metrics", "psnr", "--records", "records" + name},
		{"eval", run, "--clips-file", name},
		{"eval", run, "--" + name},
		{"eval", "compare", "report.json", "report.json"},
		{"eval", "compare", name, name},
		{"eval", "merge", "records" + name, "--json"},
		{"eval", "report", "report.json", "-o", "page" + name + ".html"},
		{"bits", run, "--clips", "1", "--json"},
		{"export", run, "-o", name + ".safetensors"},
		{"import", name, "-c", "configs/tiny.yml", "-o", "new"},
		{"config", "check", name},
		{"config", "show", "configs/tiny.yml", "--set", `data.path="a\e]0;x\a"`, "--set", "data.name=folder"},
		{"data", "peek", "-c", "configs/demo.yml", "--set", "data.path=own", "-o", "peek" + png},
		{"data", "stats", "-c", "configs/demo.yml", "--set", "data.path=own"},
		{"data", "convert", "configs/tiny.yml", "store" + name, "--videos", "2", "--frames", "9"},
		{"data", "verify", "store" + name},
		{"data", "verify", "dir" + name},
		{"data", "clips", run, "--clips", "2", "-o", name + ".json"},
		{"data", "export", "-c", "configs/tiny.yml", "--clips", "1", "-o", "new" + name},
		{"plot", run, "-o", name + ".png"},
		{"report", run, "-o", name + ".html"},
		{"watch", run},
		{"list", name},
		{name},
	} {
		status, stdout, stderr := call(t, args...)
		if strings.Contains(stderr, "goroutine") {
			t.Errorf("mcvd %q: status %d, %s", args, status, stderr)
		}
		for what, text := range map[string]string{"stdout": stdout, "stderr": stderr} {
			if strings.ContainsFunc(strings.NewReplacer("\n", "", "\t", "").Replace(text), unicode.IsControl) {
				t.Errorf("mcvd %q: %s is %q", args, what, text)
			}
			escaped += strings.Count(text, `\x1b]0;x\x07`)
		}
	}
	if escaped < 25 {
		t.Errorf("the name is shown %d times, want it in most of what is said", escaped)
	}
}
