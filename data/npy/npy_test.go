package npy

import (
	"reflect"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestReadHeader(t *testing.T) {
	const text = "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 30, 64, 64), }\n"
	in := strings.NewReader(Magic + "\x01\x00" + string([]byte{byte(len(text))}) + "\x00" + text + "pixels")
	h, err := ReadHeader(in)
	want := Header{Type: "|u1", Shape: []int{2, 30, 64, 64}, Bytes: int64(10 + len(text))}
	if err != nil || !reflect.DeepEqual(h, want) || in.Len() != len("pixels") {
		t.Errorf("%+v, %v, %d bytes left, want %+v and 6", h, err, in.Len(), want)
	}
	for b, want := range map[string]string{"": "cut off", Magic[:3]: "cut off", Magic + "\x01": "cut off", "PK\x03\x04 and more": "no .npy file"} {
		if _, err := ReadHeader(strings.NewReader(b)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", b, err, want)
		}
	}
}

// A header that says more than it may, or twice, is refused, and so is one that is too long to be
// read into memory, before it is.
func TestStrangeHeadersAreRefused(t *testing.T) {
	for text, want := range map[string]string{
		"{'descr': '|u1', 'descr': '<f4', 'fortran_order': False, 'shape': (2,), }": `"descr" is there twice`,
		"{'descr': '|u1', 'fortran_order': False, 'shape': (2,), } and more":        `" and more" after its end`,
	} {
		if _, err := ReadHeader(strings.NewReader(Magic + "\x01\x00" + string([]byte{byte(len(text))}) + "\x00" + text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
	huge := Magic + "\x02\x00\x01\x00\x01\x00" + strings.Repeat(" ", maxHeader+1)
	if _, err := ReadHeader(strings.NewReader(huge)); err == nil || !strings.Contains(err.Error(), "of 65537 bytes, want 65536 or fewer") {
		t.Errorf("a huge header: %v", err)
	}
}

func FuzzReadHeader(f *testing.F) {
	f.Add(Magic + "\x01\x00\x46\x00{'descr': '|u1', 'fortran_order': False, 'shape': (2, 30, 64, 64), }  ")
	f.Add(Magic + "\x02\x00\x46\x00\x00\x00{'descr': '<f4', 'fortran_order': True, 'shape': (2L, 3L)}")
	f.Fuzz(func(t *testing.T, b string) {
		h, err := ReadHeader(strings.NewReader(b))
		if err != nil {
			return
		}
		if h.Type == "" || strings.ContainsFunc(h.Type, func(r rune) bool { return !unicode.IsPrint(r) }) || !utf8.ValidString(h.Type) {
			t.Errorf("type %q", h.Type)
		}
		if h.Bytes > int64(len(b)) {
			t.Errorf("numbers begin at byte %d of %d", h.Bytes, len(b))
		}
		for _, n := range h.Shape {
			if n < 0 {
				t.Errorf("shape %v", h.Shape)
			}
		}
	})
}
