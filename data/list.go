package data

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"unicode/utf8"

	"mcvd/configs/atomicfile"
	"mcvd/configs/regular"
	"mcvd/data/clips"
)

// List names clips of a split, so that evaluations of different runs score the same ones. As a file it
// is JSON.
type List struct {
	Split  clips.Split `json:"split"`
	Frames int         `json:"frames"` // of each clip
	// Span is how many frames of the video a clip reaches over; 0, which means Frames, if it has all
	// of them. See [clips.Span].
	Span  int      `json:"span,omitempty"`
	Clips []Listed `json:"clips"`
	// SHA256 is the hash of all this, see [List.Hash].
	SHA256 string `json:"sha256"`
}

// Listed is where a clip starts: the data set's name of a video, and the number of a frame of it.
type Listed struct {
	Video string `json:"video"`
	Start int    `json:"start"`
}

// NewList lists the clips of frames frames at places of a data set's split, in their order.
func NewList(ds clips.Dataset, split clips.Split, frames int, places []At) List {
	l := List{Split: split, Frames: frames}
	if span := clips.Span(ds, frames); span != frames {
		l.Span = span
	}
	for _, at := range places {
		l.Clips = append(l.Clips, Listed{ds.Name(at.Video), at.Start})
	}
	l.SHA256 = l.Hash()
	return l
}

// Hash is the SHA-256, in hexadecimal digits, of a line with the split, the number of frames and the
// span if there is one, and a line for each clip with its start and the name of its video, quoted as
// in Go: "3 \"a.mp4\"\n".
func (l List) Hash() string {
	h := sha256.New()
	fmt.Fprintf(h, "%s %d", l.Split, l.Frames)
	if l.Span != 0 {
		fmt.Fprintf(h, " %d", l.Span)
	}
	fmt.Fprintln(h)
	for _, c := range l.Clips {
		fmt.Fprintf(h, "%d %q\n", c.Start, c.Video)
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

// Places finds the clips in a data set. An error names the first clip that it doesn't have.
func (l List) Places(ds clips.Dataset) ([]At, error) {
	if want, span := cmp.Or(l.Span, l.Frames), clips.Span(ds, l.Frames); want != span {
		return nil, fmt.Errorf("clips of %d frames reach over %d frames of a video, but with this data.stride over %d; give the stride with which the list was made", l.Frames, want, span)
	}
	missing := map[string]bool{}
	for _, c := range l.Clips {
		missing[c.Video] = true
	}
	numbers := map[string]int{}
	for i := 0; i < ds.Len() && len(missing) > 0; i++ { // training splits may have a billion videos
		if name := ds.Name(i); missing[name] {
			numbers[name] = i
			delete(missing, name)
		}
	}
	places := make([]At, len(l.Clips))
	for i, c := range l.Clips {
		video, ok := numbers[c.Video]
		if !ok {
			return nil, fmt.Errorf("clip %d: the %d videos of split %s have none named %q; give the data of which the list was made", i, ds.Len(), l.Split, c.Video)
		}
		if err := clips.CheckRange(ds, video, c.Start, l.Frames); err != nil {
			return nil, fmt.Errorf("clip %d: %s: %w; give the data of which the list was made", i, c.Video, err)
		}
		places[i] = At{video, c.Start}
	}
	return places, nil
}

// Write writes the list to a file. It refuses names that JSON can't hold, which are not UTF-8.
func (l List) Write(path string) error {
	for i, c := range l.Clips {
		if !utf8.ValidString(c.Video) {
			return fmt.Errorf("clip %d: the name of video %q is not UTF-8, so no list can hold it: rename the video", i, c.Video)
		}
	}
	text, err := l.format()
	if err != nil {
		return err
	}
	return atomicfile.Write(path, func(f *os.File) error {
		_, err := f.Write(text)
		return err
	})
}

// format is the list as JSON.
func (l List) format() ([]byte, error) {
	text, err := json.MarshalIndent(l, "", " ")
	return append(text, '\n'), err
}

// ReadList reads what [List.Write] wrote. It refuses a file that was changed since then.
func ReadList(path string) (List, error) {
	text, err := regular.Read(path)
	if err != nil {
		return List{}, err
	}
	l, err := parseList(text)
	if err != nil {
		return List{}, fmt.Errorf("%s: %w", path, err)
	}
	return l, nil
}

func parseList(text []byte) (l List, err error) {
	in := json.NewDecoder(bytes.NewReader(text))
	in.DisallowUnknownFields()
	err = in.Decode(&l)
	if err == nil && in.More() {
		err = errors.New("text behind its end")
	}
	if err != nil {
		return l, fmt.Errorf("not a list of clips, as `mcvd data clips` writes one: %w", err)
	}
	if want := l.Hash(); l.SHA256 != want {
		return l, fmt.Errorf("sha256: %q, want %q: the list was changed after it was written; make it anew with `mcvd data clips`", l.SHA256, want)
	}
	if err := l.Split.Check(); err != nil {
		return l, err
	}
	if len(l.Clips) < 1 {
		return l, errors.New("no clips, want one or more")
	}
	return l, nil
}
