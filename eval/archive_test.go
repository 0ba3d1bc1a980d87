package eval

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/ml/model"

	"mcvd/eval/metric"
	"mcvd/models/backend/backendtest"
)

// archiving is an evaluation of 7 clips in parts of 2.
func archiving(t *testing.T) *Evaluation {
	t.Helper()
	m := counting(t)
	g, err := NewGenerator(backendtest.Open(t), model.NewStore(), m, config().Sampler, 1, 4, 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	p := Protocol{Name: "clean", Task: "interpolate", Clips: 7, Trajectories: 2, Frames: 4, Advance: 3, Seed: 1, Seeds: []uint64{4, 1}}
	e, err := NewEvaluation(g, rampSet{3}, p, allMetrics(t))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// fill makes parts that the archive lacks.
func fill(t *testing.T, e *Evaluation, a *Archive, parts []Range) {
	t.Helper()
	for _, r := range a.Missing(parts) {
		part, err := e.Part(context.Background(), r, nil)
		if err == nil {
			err = a.Save(part)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// reportOf is the report of the archive in a folder, as JSON without times.
func reportOf(dir string) (string, error) {
	a, err := OpenArchive(dir)
	if err != nil {
		return "", err
	}
	parts, err := a.Parts()
	if err != nil {
		return "", err
	}
	r, err := Sum(a.Header(), parts, metric.Comparisons())
	if err != nil {
		return "", err
	}
	r.SecondsPerClip, r.SecondsPerFrame = 0, 0
	text, err := json.Marshal(r)
	return string(text), err
}

// However many processes share the work, and if one begins anew, the report is the same.
func TestShardsMakeTheSameReport(t *testing.T) {
	e := archiving(t)
	if want := []Range{{0, 2}, {2, 4}, {4, 6}, {6, 7}}; !slices.Equal(e.Parts(), want) {
		t.Fatalf("parts %v, want %v", e.Parts(), want)
	}
	var first string
	for _, n := range []int{1, 3, 7} {
		dir := filepath.Join(t.TempDir(), "records")
		for i := range n {
			a, err := CreateArchive(dir, e.Header(), e.Parts())
			if err != nil {
				t.Fatal(err)
			}
			mine := Shard(e.Parts(), i, n)
			fill(t, e, a, mine)
			if n == 3 && i == 1 { // it is killed between the two files of its last part, and begins again
				if err := os.Remove(a.path(mine[len(mine)-1], recordsEnd)); err != nil {
					t.Fatal(err)
				}
				if missing := a.Missing(mine); !slices.Equal(missing, mine[len(mine)-1:]) {
					t.Errorf("missing %v, want the part that was lost", missing)
				}
				fill(t, e, a, mine)
			}
		}
		got, err := reportOf(dir)
		if err != nil {
			t.Fatal(err)
		}
		if first == "" {
			first = got
		}
		if got != first || !strings.Contains(got, `"mmd":{"set"`) {
			t.Errorf("%d shards:\n%s\nwant\n%s", n, got, first)
		}
	}
}

// Each part is evaluated by one shard.
func TestShardsShareTheParts(t *testing.T) {
	parts := archiving(t).Parts()
	for n := 1; n <= 6; n++ {
		var all []Range
		for i := range n {
			all = append(all, Shard(parts, i, n)...)
		}
		slices.SortFunc(all, func(a, b Range) int { return a.First - b.First })
		if !slices.Equal(all, parts) {
			t.Errorf("%d shards: %v, want each of %v once", n, all, parts)
		}
	}
}

// What can't be summed up, or is of something else, is said.
func TestArchivesThatAreWrong(t *testing.T) {
	e := archiving(t)
	dir := filepath.Join(t.TempDir(), "records")
	a, err := CreateArchive(dir, e.Header(), e.Parts())
	if err != nil {
		t.Fatal(err)
	}
	fill(t, e, a, Shard(e.Parts(), 0, 2))
	refused := func(what, want string, err error) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", what, err, want)
		}
	}
	_, err = reportOf(dir)
	refused("parts are missing", "of 7 clips, these are not evaluated yet: 2 to 3, 6", err)
	fill(t, e, a, e.Parts())

	other := e.Header()
	other.Protocol.Seed, other.Step = 2, 9
	_, err = CreateArchive(dir, other, e.Parts())
	refused("another evaluation", "\n  protocol.seed: 1 there, 2 here\n  step: 0 there, 9 here", err)
	if strings.Contains(err.Error(), "clips") {
		t.Errorf("another evaluation: %v names what is the same", err)
	}
	foreign := t.TempDir()
	if err := os.WriteFile(filepath.Join(foreign, "thesis.tex"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err = CreateArchive(foreign, e.Header(), e.Parts())
	refused("somebody's folder", "holds thesis.tex", err)
	_, err = OpenArchive(foreign)
	refused("no archive", "it has no evaluation.json", err)
}

// A changed byte in any file of an archive is found, and so are files that were cut off.
func TestDamagedArchives(t *testing.T) {
	e := archiving(t)
	dir := filepath.Join(t.TempDir(), "records")
	a, err := CreateArchive(dir, e.Header(), e.Parts())
	if err != nil {
		t.Fatal(err)
	}
	fill(t, e, a, e.Parts())
	want, err := reportOf(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, end := range []string{recordsEnd, featuresEnd} {
		path := a.path(Range{2, 4}, end)
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		damaged := [][]byte{nil, whole[:len(whole)/2], whole[:len(whole)-1]}
		for i := 0; i < len(whole); i += 1 + len(whole)/97 {
			flipped := bytes.Clone(whole)
			flipped[i] ^= 0x10
			damaged = append(damaged, flipped)
		}
		for i, text := range damaged {
			if err := os.WriteFile(path, text, 0o644); err != nil {
				t.Fatal(err)
			}
			if got, err := reportOf(dir); err == nil && got != want || err != nil && !strings.Contains(err.Error(), path) {
				t.Errorf("%s, damage %d: error %v, want one that names the file", end, i, err)
			}
		}
		if err := os.WriteFile(path, whole, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// Features that are gone, or those of other clips, are found: a set would lack clips or have some
// twice.
func TestFeaturesBelongToTheirRecords(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "records")
	h := Header{Protocol: Protocol{Name: "clean", Clips: 2, Trajectories: 1, Rules: clean}, Metrics: []metric.Info{{Name: "mmd", Digits: 4}}}
	parts := []Range{{0, 1}, {1, 2}}
	a, err := CreateArchive(dir, h, parts)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range parts {
		p := &Part{Range: r, Records: []Record{{Clip: i, Method: modelMethod, Scores: map[string]metric.Score{}}},
			Real: Features{{Metric: "mmd"}: {{1, float32(i)}}}, Made: Features{{Metric: "mmd", Method: modelMethod}: {{2, float32(i)}}}}
		if err := a.Save(p); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := reportOf(dir); err != nil {
		t.Fatal(err)
	}
	path := a.path(parts[1], featuresEnd)
	other, err := os.ReadFile(a.path(parts[0], featuresEnd))
	if err == nil {
		err = os.WriteFile(path, other, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, what := range []string{"of other clips", "gone"} {
		if _, err := reportOf(dir); err == nil || !strings.Contains(err.Error(), path+": gone, or not the features that belong to "+a.path(parts[1], recordsEnd)) {
			t.Errorf("features %s: error %v", what, err)
		}
		os.Remove(path)
	}
}

// Any other byte in evaluation.json is noticed, also in what is not compared, such as how the weights
// were trained.
func TestEveryByteOfTheHeaderCounts(t *testing.T) {
	h := Header{Protocol: Protocol{Name: "clean", Clips: 2, Trajectories: 1, Frames: 1, Rules: clean}, Metrics: []metric.Info{{Name: "psnr"}},
		Config: map[string]string{"train.sample_every": "6", "data.size": "16"}}
	dir, parts := filepath.Join(t.TempDir(), "records"), []Range{{0, 2}}
	if _, err := CreateArchive(dir, h, parts); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, archiveFile)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range good {
		bad := slices.Clone(good)
		bad[i] ^= 4
		if err := os.WriteFile(path, bad, 0o644); err != nil {
			t.Fatal(err)
		}
		if a, err := OpenArchive(dir); err == nil && !reflect.DeepEqual(a.Header(), h) {
			t.Errorf("byte %d, of %q: no error on opening", i, nearBy(good, i))
		}
		if _, err := CreateArchive(dir, h, parts); err == nil && !bytes.Equal(bytes.TrimSpace(bad), bytes.TrimSpace(good)) {
			t.Errorf("byte %d, of %q: no error on going on", i, nearBy(good, i))
		}
	}
	// Other settings of the training are no other evaluation.
	h.Config["train.sample_every"] = "7"
	if err := os.WriteFile(path, good, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := CreateArchive(dir, h, parts); err != nil {
		t.Errorf("another setting of the training: %v", err)
	}
}

func nearBy(text []byte, i int) []byte { return text[max(0, i-10):min(len(text), i+10)] }

// An evaluation.json that no evaluation wrote is refused, and nothing panics or prints without end.
func TestHeadersThatNoEvaluationWrites(t *testing.T) {
	h := Header{Protocol: Protocol{Name: "clean", Clips: 2, Trajectories: 1, Rules: clean}, Metrics: []metric.Info{{Name: "psnr", Digits: 2}}}
	for want, change := range map[string]func(h *Header){
		"0 clips, 1 trajectories and 0 frames, want 1":  func(h *Header) { h.Protocol.Clips = 0 },
		"2 clips, -1 trajectories":                      func(h *Header) { h.Protocol.Trajectories = -1 },
		"1000001 clips":                                 func(h *Header) { h.Protocol.Clips = 1_000_001 },
		"99999999999 frames, want 1 to 1000000":         func(h *Header) { h.Protocol.Frames = 99999999999 },
		`protocol.rules.interval: "wide"`:               func(h *Header) { h.Protocol.Rules.Interval = "wide" },
		`protocol.rules.best: "none", want one or`:      func(h *Header) { h.Protocol.Rules.Best = "none" },
		"metric psnr: digits: 2000000000, want 0 to 17": func(h *Header) { h.Metrics = []metric.Info{{Name: "psnr", Digits: 2e9}} },
		"metric psnr: is there twice":                   func(h *Header) { h.Metrics = append(h.Metrics, h.Metrics...) },
	} {
		changed := h
		change(&changed)
		dir := filepath.Join(t.TempDir(), "records")
		if _, err := CreateArchive(dir, changed, []Range{{0, 2}}); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenArchive(dir); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), archiveFile) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

// Parts that overlap, or whose records are of clips of another part, are not summed up.
func TestPartsThatOverlap(t *testing.T) {
	h := Header{Protocol: Protocol{Name: "clean", Clips: 3, Trajectories: 1, Rules: clean}, Metrics: []metric.Info{{Name: "psnr"}}}
	for want, made := range map[string][]*Part{
		"clips 1 were evaluated twice":               {partOf(0, 2, 0, 1), partOf(1, 3, 1, 2)},
		"clips 0 to 2 were evaluated twice":          {partOf(0, 3, 0, 1, 2), partOf(0, 3, 0, 1, 2)},
		"a record of clip 1, want clips 2":           {partOf(0, 2, 0, 1), partOf(2, 3, 1)},
		"a record of clip 3, want clips 2":           {partOf(0, 2, 0, 1), partOf(2, 3, 3)},
		"of 3 clips, these are not evaluated yet: 2": {partOf(0, 2, 0, 1)},
	} {
		var parts []Range
		for _, p := range made {
			parts = append(parts, p.Range)
		}
		dir := filepath.Join(t.TempDir(), "records")
		a, err := CreateArchive(dir, h, parts)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range made {
			if err := a.Save(p); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := reportOf(dir); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

// partOf is a part with records of these clips.
func partOf(first, end int, clips ...int) *Part {
	p := &Part{Range: Range{first, end}}
	for _, i := range clips {
		p.Records = append(p.Records, Record{Clip: i, Method: modelMethod, Scores: map[string]metric.Score{"psnr": {Value: 1}}})
	}
	return p
}
