package published

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// Damage anywhere in a checkpoint that the published code wrote is noticed when it is imported, or
// changes nothing of what is imported.
func TestNoDamageGoesUnnoticed(t *testing.T) {
	s := newSample(t)
	content, err := os.ReadFile(filepath.Join(fixture, "checkpoint.pt"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "checkpoint.pt")
	imported := func() ([]byte, error) {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := Open(path)
		if err != nil {
			return nil, err
		}
		defer c.Close()
		if err := c.CheckSchedule(s.model.Schedule); err != nil {
			return nil, err
		}
		entries, err := c.Entries(s.listing)
		if err != nil {
			return nil, err
		}
		var all bytes.Buffer
		for _, e := range entries {
			data, err := e.Data()
			if err != nil {
				return nil, err
			}
			all.Write(data)
		}
		return all.Bytes(), nil
	}
	want, err := imported()
	if err != nil {
		t.Fatal(err)
	}
	// The two ends have the pickle and the directory, which are a small part of the file.
	var places []int
	const times = 150
	for i := range times {
		middle := i * len(content) / times
		places = append(places, middle, i*97%20_000, len(content)-1-i*97%20_000)
	}
	noticed, harmless := 0, 0
	for i, place := range places {
		content[place] ^= 1 << (i % 8)
		got, err := imported()
		switch {
		case err != nil:
			noticed++
		case !bytes.Equal(got, want):
			t.Errorf("byte %d of %d: not noticed", place, len(content))
		default:
			harmless++
		}
		content[place] ^= 1 << (i % 8)
	}
	if noticed < times {
		t.Errorf("%d of %d noticed", noticed, len(places))
	}
	t.Logf("%d noticed, %d harmless", noticed, harmless)
}
