package compiled

import (
	"bytes"
	"slices"
	"testing"
)

// FuzzParse reads any file of a key. What it accepts are the bytes that [Cache.Put] writes of the
// executable; so that bytes with a right checksum come by, the file is also made of them.
func FuzzParse(f *testing.F) {
	key := KeyOf([]byte("program"))
	f.Add(slices.Concat(format(key, []byte("code"))...))
	f.Add(slices.Concat(format(KeyOf(), nil)...))
	f.Add([]byte(title))
	f.Fuzz(func(t *testing.T, b []byte) {
		if executable, why := parse(b, key); (why == "") != bytes.Equal(slices.Concat(format(key, executable)...), b) {
			t.Errorf("damage %q of a file of %d bytes", why, len(b))
		}
		if executable, why := parse(slices.Concat(format(key, b)...), key); why != "" || !bytes.Equal(executable, b) {
			t.Errorf("%d bytes came back as %d, damage %q", len(b), len(executable), why)
		}
	})
}
