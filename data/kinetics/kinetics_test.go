package kinetics

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mcvd/configs"
	"mcvd/data/clips"
	"mcvd/data/decoded"
	"mcvd/data/video"
)

// film makes a video of one grey.
func film(t *testing.T, path string, grey uint8) {
	t.Helper()
	c := clips.NewClip(4, 16, 24, 1)
	for i := range c.Pix {
		c.Pix[i] = grey
	}
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if err == nil {
		err = video.WriteClip(context.Background(), path, c, video.WriterOptions{FPS: 10, Quality: video.Lossless})
	}
	if err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func open(root string, options configs.Options, split clips.Split) (*decoded.Dataset, string, error) {
	c := configs.Default()
	c.Data.Name, c.Data.Path, c.Data.Size, c.Data.Options = "kinetics", root, 16, options
	var log bytes.Buffer
	d, err := Open(context.Background(), c, split, 2, slog.New(slog.NewTextHandler(&log, nil)))
	return d, log.String(), err
}

func names(d *decoded.Dataset) (out []string) {
	for i := range d.Len() {
		out = append(out, d.Name(i))
	}
	return out
}

func want(t *testing.T, err error, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("error %v, want one with %q", err, part)
		}
	}
}

func TestKineticsLists(t *testing.T) {
	root := t.TempDir()
	film(t, filepath.Join(root, "train", "air drumming", "-3dFx_a1B2c_000028_000038.mp4"), 50)
	film(t, filepath.Join(root, "train", "air_drumming", "second_____000001_000011.mp4"), 60)
	film(t, filepath.Join(root, "third______000001_000011.mp4"), 70)
	write(t, filepath.Join(root, "train.csv"), byteOrderMark+"label,youtube_id,time_start,time_end,split,is_cc\n"+
		"air drumming,-3dFx_a1B2c,28,38,train,0\n\"x, y\",gone_______,5,15,train,0\nair drumming,second____,1,11,train,1\nz,third_____,1.0,11.0,train,0\nz,gone_too___,5,15,train,0\n")
	write(t, filepath.Join(root, "validate.csv"), "youtube_id,time_start,time_end\nthird_____,1,11\n")
	d, log, err := open(root, nil, clips.Train)
	if err != nil {
		t.Fatal(err)
	}
	if expected := []string{"train/air drumming/-3dFx_a1B2c_000028_000038.mp4", "train/air_drumming/second_____000001_000011.mp4",
		"third______000001_000011.mp4"}; !slices.Equal(names(d), expected) {
		t.Errorf("%q, want %q", names(d), expected)
	}
	if got := slices.Concat(d.Labels(0), d.Labels(1), d.Labels(2)); !slices.Equal(got, []string{"air drumming", "air drumming", "z"}) || !slices.Equal(d.Classes(), []string{"air drumming", "z"}) {
		t.Errorf("labels %q of classes %q", got, d.Classes())
	}
	if !strings.Contains(log, "file=gone________000005_000015.mp4") || !strings.Contains(log, "the first of 2 that are missing of 5 in the list") || strings.Count(log, "level=WARN") != 1 {
		t.Errorf("want one warning of two files: %s", log)
	}
	if clip, err := d.Clip(2, 0, 2); err != nil || clip.Pix[0] != 70 {
		t.Errorf("%v", err)
	}
	if d, _, err := open(root, nil, clips.Valid); err != nil || d.Len() != 1 {
		t.Errorf("validation: %v", err)
	}
	_, _, err = open(root, nil, clips.Test)
	want(t, err, "no test.csv in it")
}

func TestOneListForAllSplits(t *testing.T) {
	root := t.TempDir()
	for i, name := range []string{"a", "b", "c"} {
		film(t, filepath.Join(root, name+"_000000_000010.mp4"), uint8(50+i))
		film(t, filepath.Join(root, "films", name+".mp4"), uint8(50+i))
	}
	write(t, filepath.Join(root, "all.csv"), "youtube_id,time_start,time_end,split\na,0,10,train\nb,0,10,val\nc,0,10,test\n")
	write(t, filepath.Join(root, "plain.csv"), "films/a.mp4,walk\nfilms/b.mp4\nfilms/c.mp4,run\n")
	var seen []string
	for split, expected := range map[clips.Split]string{clips.Train: "a", clips.Valid: "b", clips.Test: "c"} {
		d, _, err := open(root, configs.Options{"csv": "all.csv"}, split)
		if err != nil || !slices.Equal(names(d), []string{expected + "_000000_000010.mp4"}) {
			t.Errorf("%s: %v", split, err)
		}
		if d, _, err = open(root, configs.Options{"csv": "plain.csv", "valid": 0.3, "test": 0.3}, split); err != nil {
			t.Errorf("%s: %v", split, err)
			continue
		}
		seen = append(seen, names(d)...)
	}
	if slices.Sort(seen); !slices.Equal(seen, []string{"films/a.mp4", "films/b.mp4", "films/c.mp4"}) {
		t.Errorf("together the splits have %q, want each video once", seen)
	}
	_, _, err := open(root, configs.Options{"csv": "all.csv", "valid": 0.3}, clips.Train)
	want(t, err, "valid and test have no effect, because", "all.csv has a column split")
}

func TestMistakesAreNamed(t *testing.T) {
	root := t.TempDir()
	for text, message := range map[string]string{
		"": "no videos in it",
		"youtube_id,time_start,time_end\nx,10,5\n":     `line 2: youtube_id "x", time_start "10", time_end "5"`,
		"youtube_id,time_start,time_end\nx,NaN,5\n":    "line 2",
		"youtube_id,time_start,time_end\n../x,0,5\n":   "line 2",
		"youtube_id,time_start,time_end\nx\n":          "line 2",
		"a.mp4\n\"open\n":                              "quote",
		"/etc/passwd\n":                                `line 1: "/etc/passwd", want a file below`,
		"label,id\n":                                   "no usable video",
		"youtube_id,time_start,time_end\nx,0,5\ny,0,5": "no usable video for split train: 1 found, 1 left out: x_000000_000005.mp4: no such file, the first of 2",
	} {
		write(t, filepath.Join(root, "train.csv"), text)
		_, _, err := open(root, nil, clips.Train)
		want(t, err, message)
	}
	c := configs.Default()
	c.Data.Options = configs.Options{"valid": 0.2}
	want(t, Check(c), "no effect without csv")
	c.Data.Options = configs.Options{"valid": 0.7, "test": 0.7, "csv": "x"}
	want(t, Check(c), "want together up to 1")
}

func FuzzList(f *testing.F) {
	f.Add([]byte("label,youtube_id,time_start,time_end,split\nair drumming,-3dFx,28,38,train\n"))
	f.Add([]byte("a.mp4,walk\nb.mp4\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := parse(bytes.NewReader(b))
		if err != nil {
			return
		}
		for _, r := range l.rows {
			if !filepath.IsLocal(r.path) {
				t.Errorf("%q lies outside of the data set", r.path)
			}
		}
	})
}
