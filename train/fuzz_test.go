package train

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"mcvd/configs"
	"mcvd/train/runs"
)

// FuzzProgress reads any progress in a checkpoint's metadata. What is accepted can be written and
// read back.
func FuzzProgress(f *testing.F) {
	f.Add(`{"step":20,"updates":19,"skipped_in_a_row":1,"best_loss":0.5,"best_step":10,"unlogged":{"loss":"NaN","steps":3}}`)
	f.Add(`{"step":4294967296}`)
	f.Add(`{"level_losses":"AAAA"}`)
	f.Fuzz(func(t *testing.T, text string) {
		p, ok, err := ReadProgress("x", map[string]string{progressKey: text})
		if !ok || err != nil {
			if err == nil || !strings.HasPrefix(err.Error(), "x: "+progressKey+": ") {
				t.Errorf("there %v, error %v", ok, err)
			}
			return
		}
		metadata, err := Metadata(configs.Default(), p)
		if err != nil {
			t.Fatal(err)
		}
		again, ok, err := ReadProgress("x", metadata)
		was, _ := json.Marshal(p) // NaN differs from itself
		is, _ := json.Marshal(again)
		if !ok || err != nil || len(was) == 0 || !bytes.Equal(was, is) {
			t.Errorf("%s is read back as %s, %v", was, is, err)
		}
	})
}

// FuzzLog cuts any log back to a step. What stays are whole lines; the last is about a step up to it, and
// those that are not are named.
func FuzzLog(f *testing.F) {
	f.Add([]byte("{\"step\":10,\"loss\":1}\n{\"step\":20,\"loss\":2}\n{\"step\":30"), 10)
	f.Add([]byte("\n\n"), 0)
	f.Fuzz(func(t *testing.T, text []byte, step int) {
		end, damaged, err := endOfStep(bytes.NewReader(text), step)
		if err != nil || end < 0 || end > int64(len(text)) {
			t.Fatalf("%d of %d bytes, %v", end, len(text), err)
		}
		kept := text[:end]
		if len(kept) > 0 && !bytes.HasSuffix(kept, []byte("\n")) {
			t.Fatalf("half a line of %q stays", kept)
		}
		var bad []int
		n, last := 0, 0
		for l := range bytes.Lines(kept) {
			var line runs.Line
			if n++; json.Unmarshal(l, &line) != nil || line.Step > step || line.Step < 1 {
				bad = append(bad, n)
			} else {
				last = n
			}
		}
		behind := slices.IndexFunc(damaged, func(line int) bool { return line > n })
		if behind >= 0 {
			damaged = damaged[:behind]
		}
		if last != n || !slices.Equal(damaged, bad[:min(len(bad), 10)]) {
			t.Errorf("of %d lines the last about a step up to %d is %d, and %v are named as damaged, want %v", n, step, last, damaged, bad)
		}
		if again, _, err := endOfStep(bytes.NewReader(kept), step); again != end || err != nil || !reflect.DeepEqual(kept, text[:again]) {
			t.Errorf("cut again: %d bytes of %d, %v", again, end, err)
		}
	})
}
