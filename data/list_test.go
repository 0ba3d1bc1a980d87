package data

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"mcvd/data/clips"
)

// A list that was written and read names the clips at the same places, also of a data set in which
// its videos have other numbers.
func TestListsSurviveAFileAndOtherNumbers(t *testing.T) {
	ds := fake{n: 9}
	places := []At{{3, 7}, {0, 95}, {3, 7}, {8, 0}}
	path := filepath.Join(t.TempDir(), "list.json")
	if err := NewList(ds, clips.Valid, 5, places).Write(path); err != nil {
		t.Fatal(err)
	}
	l, err := ReadList(path)
	if err != nil || l.Split != clips.Valid || l.Frames != 5 {
		t.Fatalf("%+v, %v", l, err)
	}
	if got, err := l.Places(ds); err != nil || !slices.Equal(got, places) {
		t.Errorf("%v, %v, want %v", got, err, places)
	}
	got, err := l.Places(shifted{fake{n: 12}, 2})
	if want := []At{{5, 7}, {2, 95}, {5, 7}, {10, 0}}; err != nil || !slices.Equal(got, want) {
		t.Errorf("with two more videos in front: %v, %v, want %v", got, err, want)
	}
}

// shifted has videos in front of those of a fake.
type shifted struct {
	fake
	by int
}

func (s shifted) Name(i int) string { return s.fake.Name(i - s.by) }

func TestTheHashOfAListIsOfAllThatItSays(t *testing.T) {
	l := List{Split: clips.Test, Frames: 5, Clips: []Listed{{"a", 1}, {"b", 2}}}
	// printf 'test 5\n1 "a"\n2 "b"\n' | sha256sum
	if got, want := l.Hash(), "f5c99a6cc0f3f8cc60b5d121ce87aae5"; !strings.HasPrefix(got, want) {
		t.Errorf("%s, want %s...", got, want)
	}
	for _, other := range []List{
		{Split: clips.Valid, Frames: 5, Clips: []Listed{{"a", 1}, {"b", 2}}},
		{Split: clips.Test, Frames: 5, Span: 9, Clips: []Listed{{"a", 1}, {"b", 2}}},
		{Split: clips.Test, Frames: 6, Clips: []Listed{{"a", 1}, {"b", 2}}},
		{Split: clips.Test, Frames: 5, Clips: []Listed{{"a", 1}, {"b", 3}}},
		{Split: clips.Test, Frames: 5, Clips: []Listed{{"b", 2}, {"a", 1}}},
		{Split: clips.Test, Frames: 5, Clips: []Listed{{"a\"\n2 \"b", 1}}},
		{Split: clips.Test, Frames: 5, Clips: []Listed{{"a", 1}}},
	} {
		if other.Hash() == l.Hash() {
			t.Errorf("%+v has the hash of %+v", other, l)
		}
	}
}

func TestListsThatDoNotFitAreRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "list.json")
	if err := NewList(fake{n: 3}, clips.Test, 5, []At{{1, 96}, {2, 0}}).Write(path); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for want, text := range map[string]string{
		"not a list of clips":                strings.Replace(string(whole), `"start"`, `"begin"`, 1),
		"text behind its end":                string(whole) + string(whole),
		`the list was changed after it was`:  strings.Replace(string(whole), `"start": 96`, `"start": 95`, 1),
		`: sha256: "", want "`:               `{"split": "test", "frames": 5, "clips": [{"video": "a", "start": 0}]}`,
		`as ` + "`mcvd data clips` writes":   "",
		`split: unknown "dev"`:               listText(List{Split: "dev", Frames: 5, Clips: []Listed{{"a", 0}}}),
		"list.json: no clips, want one or m": listText(List{Split: clips.Test, Frames: 5}),
	} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadList(path); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "\n") {
			t.Errorf("error %v, want one line with %s and the path", err, want)
		}
	}
	none := filepath.Join(t.TempDir(), "list.json")
	err = List{Clips: []Listed{{"a", 0}, {"caf\xe9.mp4", 0}}}.Write(none)
	if _, statErr := os.Stat(none); err == nil || !strings.Contains(err.Error(), `clip 1: the name of video "caf\xe9.mp4" is not UTF-8`) || statErr == nil {
		t.Errorf("a name that JSON can't hold: %v", err)
	}
	l := NewList(fake{n: 3}, clips.Test, 5, []At{{2, 0}, {1, 97}}) // video 1 has 101 frames
	apart := NewList(strided{fake{n: 3}, 2}, clips.Test, 5, []At{{2, 0}})
	if got, err := apart.Places(strided{fake{n: 3}, 2}); err != nil || !slices.Equal(got, []At{{2, 0}}) {
		t.Errorf("of every other frame: %v, %v", got, err)
	}
	if _, err := apart.Places(fake{n: 3}); err == nil || !strings.Contains(err.Error(), "reach over 9 frames of a video, but with this data.stride over 5") {
		t.Errorf("of every frame by a list of every other one: %v", err)
	}
	if _, err := NewList(fake{n: 3}, clips.Test, 5, []At{{2, 0}}).Places(strided{fake{n: 3}, 2}); err == nil || !strings.Contains(err.Error(), "over 5 frames of a video, but with this data.stride over 9") {
		t.Errorf("of every other frame by a list of every one: %v", err)
	}
	if _, err := l.Places(fake{n: 2}); err == nil || !strings.Contains(err.Error(), `clip 0: the 2 videos of split test have none named "v2.mp4"`) {
		t.Errorf("a video that isn't there: %v", err)
	}
	if _, err := l.Places(fake{n: 3}); err == nil || !strings.Contains(err.Error(), "clip 1: v1.mp4: frames 97 to 101: want some of 0 to 100") {
		t.Errorf("frames that aren't there: %v", err)
	}
}

// listText is a list as a file has it, with its hash.
func listText(l List) string {
	l.SHA256 = l.Hash()
	return `{"split": "` + string(l.Split) + `", "frames": 5, "clips": [` + strings.Repeat(`{"video": "a", "start": 0}`, len(l.Clips)) + `], "sha256": "` + l.SHA256 + `"}`
}

// FuzzList reads any list, as it is and with its right hash. What is accepted can be written and read
// back.
func FuzzList(f *testing.F) {
	text, err := NewList(fake{n: 9}, clips.Valid, 5, []At{{3, 7}, {0, 95}}).format()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(listText(List{Split: clips.Test, Frames: 5})))
	f.Add([]byte(`{"split": "test", "frames": 5, "span": 9, "clips": [{"video": "\u2028", "start": -1}]} `))
	f.Fuzz(func(t *testing.T, text []byte) {
		l, err := parseList(text)
		if err != nil {
			if json.Unmarshal(text, &l) != nil {
				return
			}
			l.SHA256 = l.Hash()
			if text, err = l.format(); err != nil {
				t.Fatal(err)
			}
			if l, err = parseList(text); err != nil {
				return
			}
		}
		text, err = l.format()
		if err != nil {
			t.Fatal(err)
		}
		if again, err := parseList(text); err != nil || !reflect.DeepEqual(again, l) {
			t.Errorf("%+v is read back as %+v, %v", l, again, err)
		}
	})
}
