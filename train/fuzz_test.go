package train

import (
	"bytes"
	"encoding/json"
	"reflect"
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

// FuzzLog cuts any log back to a step. What stays are whole lines, each about a step up to it.
func FuzzLog(f *testing.F) {
	f.Add([]byte("{\"step\":10,\"loss\":1}\n{\"step\":20,\"loss\":2}\n{\"step\":30"), 10)
	f.Add([]byte("\n\n"), 0)
	f.Fuzz(func(t *testing.T, text []byte, step int) {
		end, err := endOfStep(bytes.NewReader(text), step)
		if err != nil || end < 0 || end > int64(len(text)) {
			t.Fatalf("%d of %d bytes, %v", end, len(text), err)
		}
		kept := text[:end]
		if len(kept) > 0 && !bytes.HasSuffix(kept, []byte("\n")) {
			t.Fatalf("half a line of %q stays", kept)
		}
		for l := range bytes.Lines(kept) {
			var line runs.Line
			if json.Unmarshal(l, &line) != nil || line.Step > step {
				t.Errorf("%q stays, which is no line about a step up to %d", l, step)
			}
		}
		if again, err := endOfStep(bytes.NewReader(kept), step); again != end || err != nil || !reflect.DeepEqual(kept, text[:again]) {
			t.Errorf("cut again: %d bytes of %d, %v", again, end, err)
		}
	})
}
