package eval

import (
	"bytes"
	"encoding/json"
	"hash/crc32"
	"io"
	"reflect"
	"strings"
	"testing"

	"mcvd/eval/metric"
)

// aHeader is what an evaluation of a few clips writes.
func aHeader() Header {
	return Header{Protocol: Protocol{Name: "clean", Task: "predict", Clips: 3, Trajectories: 1, Frames: 2, Split: "test", Rules: clean},
		Metrics: []metric.Info{{Name: "psnr", Unit: "dB", HigherIsBetter: true, Digits: 2}}, Dataset: "d"}
}

// someRecords are of the clips of [aHeader].
func someRecords() (records []Record) {
	for i := range 3 {
		records = append(records, Record{Clip: i, Video: "v", Start: i, Method: modelMethod, Scores: map[string]metric.Score{"psnr": {Value: 20, Frames: []float64{19, 21}}}})
	}
	return records
}

// FuzzReport reads any report. One that is accepted can be compared with itself, from which it doesn't
// differ, and be written and read back.
func FuzzReport(f *testing.F) {
	text, err := json.Marshal(NewReport(aHeader(), someRecords(), nil))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(strings.Replace(string(text), `"mean":20`, `"mean":null`, 1)))
	f.Add([]byte(`{"records":[{}],"results":[{"method":"model"}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := parseReport(text)
		if err != nil {
			return
		}
		if len(r.Metrics) > 0 {
			c, err := Compare([]string{"a", "b"}, []*Report{r, r}, false)
			if err != nil {
				t.Fatal(err)
			}
			if err := c.WriteText(io.Discard); err != nil {
				t.Fatal(err)
			}
			if d := c.Difference(1, c.metrics[0]); d.N > 0 && d.Mean != 0 {
				t.Errorf("%s: differs by %g from itself", c.metrics[0].Name, d.Mean)
			}
		}
		written, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		again, err := parseReport(written)
		if err != nil {
			t.Fatalf("%s: %v", written, err)
		}
		if twice, err := json.Marshal(again); err != nil || !bytes.Equal(twice, written) { // NaN differs from itself
			t.Errorf("read back as %s, %v, want %s", twice, err, written)
		}
	})
}

// FuzzRecords reads any records of a part, as they are and with their right checksum. What is accepted
// can be written and read back.
func FuzzRecords(f *testing.F) {
	text, err := (&Part{Range: Range{0, 3}, Records: someRecords(), Seconds: 1.5}).format()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"clip":1,"method":"copy","seed":18446744073709551615,"scores":{"":{"skipped":"x","value":1}}}` + "\n"))
	f.Add([]byte(`{"seconds":1}`))
	a := &Archive{about: archived{Header: aHeader()}}
	f.Fuzz(func(t *testing.T, text []byte) {
		p, _, err := a.parse(Range{0, 3}, text)
		if err != nil {
			seconds := 2.0
			end, err := json.Marshal(last{&seconds, crc32.Checksum(text, castagnoli), 0})
			if err != nil {
				t.Fatal(err)
			}
			if p, _, err = a.parse(Range{0, 3}, append(bytes.Clone(text), end...)); err != nil {
				return
			}
		}
		for _, r := range p.Records {
			if r.Clip < 0 || r.Clip > 2 {
				t.Errorf("a record of clip %d", r.Clip)
			}
		}
		written, err := p.format()
		if err != nil {
			t.Fatal(err)
		}
		again, features, err := a.parse(Range{0, 3}, written)
		if err != nil {
			t.Fatalf("%s: %v", written, err)
		}
		if twice, err := again.format(); err != nil || !bytes.Equal(twice, written) || features != 0 {
			t.Errorf("read back as %s, %v, want %s", twice, err, written)
		}
	})
}

// FuzzArchived reads any evaluation.json, and adds up what it says of parts that aren't there. What is
// accepted can be written and read back.
func FuzzArchived(f *testing.F) {
	text, err := archived{Header: aHeader(), Parts: []Range{{0, 2}, {2, 3}}}.format()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(strings.Replace(string(text), `"end": 2`, `"end": -2`, 1)))
	old, _, _ := strings.Cut(string(text), ",\n  \"crc32c\"") // as versions wrote it that knew no checksum
	f.Add([]byte(old + "\n}"))
	f.Add([]byte(`{"header":{}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		about, err := parseArchived(text)
		if err != nil {
			return
		}
		var parts []*Part
		for _, r := range about.Parts {
			parts = append(parts, &Part{Range: r})
		}
		if _, err := Sum(about.Header, parts, nil); err != nil && err.Error() == "" {
			t.Error("an error without a word")
		}
		written, err := about.format()
		if err != nil {
			t.Fatal(err)
		}
		if again, err := parseArchived(written); err != nil || !reflect.DeepEqual(normal(t, again.Header), normal(t, about.Header)) {
			t.Errorf("%s is read back as %+v, %v", written, again, err)
		}
	})
}

// normal is a value as JSON, in which lists without items are null or not.
func normal(t *testing.T, v any) any {
	t.Helper()
	text, err := json.Marshal(v)
	var tree any
	if err != nil || json.Unmarshal(text, &tree) != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return tree
}
