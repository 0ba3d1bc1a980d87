package runs

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"math"
	"reflect"
	"slices"
	"testing"
)

// FuzzLog follows any log, first a part of it and then the rest. It finds the lines that it finds in
// one go; their steps rise; and a line that was taken can be written and read back.
func FuzzLog(f *testing.F) {
	nan := Number(math.NaN())
	text := logged(Line{Step: 10, Time: 1, Loss: 0.5, GradientNorm: 2, LearningRate: 1e-4, ClipsPerSecond: 3, Waiting: 0.1}) +
		logged(Line{Step: 10, Loss: 0.4, Validation: []Number{1, nan, 0, 2, 3}, X0: 0.1, Accuracy: []Number{1}}) +
		logged(Line{Step: 20, Loss: nan, Skipped: 10, Replaced: 2}) + logged(Line{Step: 20, Loss: nan, Scores: map[string]Number{"psnr": 20, "fvd": nan}})
	f.Add([]byte(text), uint16(len(text)/2))
	f.Add([]byte(text[:len(text)-1]), uint16(len(text)))
	f.Add([]byte("{\"step\":1,\"loss\":\"0x1p-2\"}\nnull\n\n{}\n{\"step\":2}\n"), uint16(3))
	f.Fuzz(func(t *testing.T, text []byte, at uint16) {
		whole, all := follow(t, text)
		parts, pieces := follow(t, text[:min(int(at), len(text))], text)
		if !slices.EqualFunc(all, pieces, equal) || whole.tail.broken != parts.tail.broken {
			t.Fatalf("%d lines and %d broken at once, %d and %d in two parts", len(all), whole.tail.broken, len(pieces), parts.tail.broken)
		}
		last := map[kind]int{}
		for _, l := range all {
			if l.Step <= last[l.kind()] {
				t.Fatalf("step %d after step %d", l.Step, last[l.kind()])
			}
			last[l.kind()] = l.Step
			var again Line
			if text, err := json.Marshal(l); err != nil || json.Unmarshal(text, &again) != nil || !equal(l, again) {
				t.Fatalf("%+v is written as %s, error %v, and read as %+v", l, text, err, again)
			}
		}
		if len(whole.Curves) > len(always())+maxScores || !slices.Equal(slices.Sorted(maps.Keys(whole.Curves)), slices.Sorted(maps.Keys(parts.Curves))) {
			t.Fatalf("%d curves at once, %d in two parts", len(whole.Curves), len(parts.Curves))
		}
	})
}

// follow is a run whose log had these texts, one after the other, and the lines that were taken.
func follow(t *testing.T, texts ...[]byte) (r *Run, all []Line) {
	t.Helper()
	r = &Run{Curves: map[string]*Curve{}}
	for _, text := range texts {
		err := r.tail.read(context.Background(), bytes.NewReader(text), func() { t.Fatal("the log was not cut back") }, func(l Line) {
			all = append(all, l)
			r.take(l)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return r, all
}

// equal says whether two lines are equal, where NaN equals NaN. The JSON of both tells nothing of zeros
// that are left out.
func equal(a, b Line) bool {
	x, err := json.Marshal(a)
	y, err2 := json.Marshal(b)
	return err == nil && err2 == nil && bytes.Equal(x, y) && a.kind() == b.kind()
}

// FuzzVersions reads any versions.json. What is read can be written and read back.
func FuzzVersions(f *testing.F) {
	f.Add([]byte(`{"mcvd": "v1", "vcs.modified": "true", "": "\u0007"}`))
	f.Add([]byte(`null`))
	f.Add([]byte(`{"a": 1}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		versions := ParseVersions(text)
		if versions == nil {
			return
		}
		if text, err := json.Marshal(versions); err != nil || !reflect.DeepEqual(ParseVersions(text), versions) {
			t.Errorf("%q, %v", text, err)
		}
	})
}

// FuzzNames finds steps in any name of a file: a name that has one is the name of that step.
func FuzzNames(f *testing.F) {
	for _, name := range []string{"step-00000500.safetensors", "step-00000500.png", "step--1.gif", "step-123456789012.png", "step-+0000001.png"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if step, ok := CheckpointStep(name); ok && (step < 0 || CheckpointName(step) != name) {
			t.Errorf("%q: step %d", name, step)
		}
		for _, extension := range []string{Sheet, Film} {
			if step, ok := SampleStep(name, extension); ok && (step < 0 || SampleName(step, extension) != name) {
				t.Errorf("%q: step %d", name, step)
			}
		}
	})
}
