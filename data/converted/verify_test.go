package converted

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"mcvd/data/store"
)

func TestVerifyNamesWhatIsDamaged(t *testing.T) {
	dir := made(t, source(0))
	files := contents(t, dir)
	checked, broken, err := Verify(context.Background(), dir, 2)
	if err != nil || len(broken) > 0 || checked.Videos != 60 || checked.Broken != 0 {
		t.Fatalf("%+v, %q, %v of a whole store", checked, broken, err)
	}
	bad := []byte(files["train/00000.frames"])
	for _, frame := range []int{1 + 2, 1 + 3, 1 + 7} { // of video 1, which begins with the second frame
		bad[16*frame] ^= 1
	}
	for _, err := range []error{
		os.WriteFile(filepath.Join(dir, "train", "00000.frames"), bad, 0o644),
		os.Remove(filepath.Join(dir, "test", "00002.frames")),
		os.WriteFile(filepath.Join(dir, "valid", "00000.frames"), []byte(files["test/00000.frames"]), 0o644),
		os.WriteFile(filepath.Join(dir, "valid", "00001.frames"), []byte(files["valid/00001.frames"][:100]), 0o644),
		os.WriteFile(filepath.Join(dir, "valid", "00098.frames"), []byte(files["valid/00001.frames"]), 0o644),
		os.WriteFile(filepath.Join(dir, "valid", "00099.frames"), []byte(files["valid/00001.frames"]), 0o644),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	checked, broken, err = Verify(context.Background(), dir, 2)
	if err != nil || checked.Broken != len(broken) {
		t.Fatalf("%+v, %v", checked, err)
	}
	for _, want := range []string{
		"train/00000.frames: video train/1.mp4: frames 2 to 3: ",
		"train/00000.frames: video train/1.mp4: frame 7 has another checksum",
		"test/00002.frames: stat ", "valid/00000.frames: another file than the index names", "valid/00001.frames: ",
		"valid/00098.frames: the index does not name it", "valid/00099.frames: the index does not name it",
	} {
		if !slices.ContainsFunc(broken, func(line string) bool { return strings.HasPrefix(line, want) }) {
			t.Errorf("no line %s in %q", want, broken)
		}
	}
	if len(broken) != 7 {
		t.Errorf("%d lines, want 7: %q", len(broken), broken)
	}
	if err := os.WriteFile(filepath.Join(dir, indexName), []byte("{}"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, broken, err = Verify(context.Background(), dir, 2); err != nil || !strings.Contains(broken[0], "index: its checksum is wrong") {
		t.Errorf("%q, %v, want the index first", broken, err)
	}
	if _, _, err := Verify(context.Background(), t.TempDir(), 2); err == nil || !strings.Contains(err.Error(), "neither a converted store nor a cache") {
		t.Errorf("an empty folder: %v", err)
	}
	if _, broken, err := Verify(context.Background(), filepath.Join(dir, "train", "00000.frames"), 2); err == nil || !strings.Contains(err.Error(), "not a folder") {
		t.Errorf("a file: %q, %v, want that it is not a folder", broken, err)
	}
}

// A cache is verified by the folder of its videos.
func TestVerifyReadsCaches(t *testing.T) {
	root := t.TempDir()
	cache := store.New(filepath.Join(root, ".mcvd-cache"), quiet)
	unlock, err := cache.Lock(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	if _, err := cache.Put(store.Video{Name: "a.mp4", Height: 1, Width: 2, Channels: 1}, func(add func([]uint8) error) (float64, error) {
		return 0, add([]uint8{1, 2})
	}); err != nil {
		t.Fatal(err)
	}
	checked, broken, err := Verify(context.Background(), root, 1)
	if err != nil || len(broken) > 0 || checked != (Checked{Files: 1, Videos: 1, Frames: 1}) {
		t.Errorf("%+v, %q, %v", checked, broken, err)
	}
	for name, text := range contents(t, root) {
		if strings.HasSuffix(name, store.Extension) {
			if err := os.WriteFile(filepath.Join(root, name), append([]byte{2}, text[1:]...), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, broken, err = Verify(context.Background(), root, 1); err != nil || len(broken) != 1 || !strings.Contains(broken[0], "video a.mp4: frame 0 has another checksum") {
		t.Errorf("%q, %v, want the frame", broken, err)
	}
}

// A source whose bytes were changed under the same size and time is named, and so is one that can't be
// read. One that is gone or was replaced, or of which no checksum is known, is not.
func TestVerifyComparesSources(t *testing.T) {
	root := t.TempDir()
	cache := store.New(filepath.Join(root, ".mcvd-cache"), quiet)
	unlock, err := cache.Lock(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	then := time.Unix(1e9, 7)
	for name, content := range map[string]string{"replaced.mp4": "clip", "same.mp4": "clip", "changed.mp4": "clip", "gone.mp4": "clip", "unknown.mp4": "", "images": "clip", "a folder.mp4": "clip"} {
		path, file := filepath.Join(root, name), filepath.Join(root, name)
		switch name {
		case "images":
			file = filepath.Join(path, "1.png")
			err = os.Mkdir(path, 0o755)
		case "gone.mp4":
			file = filepath.Join(root, "elsewhere")
		}
		if err == nil {
			err = os.WriteFile(file, []byte("clip"), 0o644)
		}
		v := store.Video{Name: name, Height: 1, Width: 2, Channels: 1, Bytes: 4, Modified: then}
		if err == nil {
			err = os.Chtimes(file, then, then)
		}
		if content != "" && err == nil {
			v.Content, err = store.Content(file)
		}
		if err == nil {
			_, err = cache.Put(v, func(add func([]uint8) error) (float64, error) { return 0, add([]uint8{1, 2}) })
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, broken, err := Verify(context.Background(), root, 1); err != nil || len(broken) > 0 {
		t.Fatalf("%q, %v, want nothing", broken, err)
	}
	for _, name := range []string{"changed.mp4", "unknown.mp4", "images/1.png", "replaced.mp4"} {
		path := filepath.Join(root, name)
		err := os.WriteFile(path, []byte("clop"), 0o644)
		if err == nil && name != "replaced.mp4" {
			err = os.Chtimes(path, then, then)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	folder := filepath.Join(root, "a folder.mp4") // without images
	if err := errors.Join(os.Remove(folder), os.Mkdir(folder, 0o755)); err != nil {
		t.Fatal(err)
	}
	_, broken, err := Verify(context.Background(), root, 1)
	found := strings.Join(broken, "\n")
	if err != nil || len(broken) != 3 || !strings.Contains(found, "video changed.mp4: its source has the checksum") ||
		!strings.Contains(found, "video images: its source has the checksum") || !strings.Contains(found, "video a folder.mp4: its source") {
		t.Errorf("%v, %v, want three sources:\n%s", err, len(broken), found)
	}
}

// FuzzIndex looks for an index or a plan at which reading panics, and for accepted ones whose shards lie
// elsewhere, or that can't be written and read back.
func FuzzIndex(f *testing.F) {
	dir := made(f, source(0))
	for _, name := range []string{indexName} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
		f.Add(text[:len(text)/2])
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, whole := range []bool{true, false} { // an index or a plan
			x, err := parse(text, whole)
			if err != nil {
				x, err = parse(sealed(text), whole)
			}
			if err != nil {
				continue
			}
			for _, s := range x.Shards {
				if !filepath.IsLocal(s.Name) {
					t.Fatalf("a shard %q", s.Name)
				}
			}
			written, err := json.Marshal(x)
			if err != nil {
				t.Fatal(err)
			}
			if again, err := parse(sealed(written), whole); err != nil || !reflect.DeepEqual(again, x) {
				t.Fatalf("%+v is read back as %+v, %v", x, again, err)
			}
		}
	})
}
