package kinetics

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"mcvd/configs/regular"
)

// list is what a CSV file says.
type list struct {
	rows    []row
	divided bool // rows have a split
}

// row is a video. Its path is relative to a folder that the list doesn't name.
type row struct{ path, label, split string }

// maxList is the most bytes of a list. Kinetics-700's have 40 MB.
const maxList = 1 << 30

func readList(path string) (list, error) {
	file, err := regular.OpenUpTo(path, maxList)
	if err != nil {
		return list{}, err
	}
	defer file.Close()
	l, err := parse(file)
	if err == nil && len(l.rows) == 0 {
		err = errors.New("no videos in it")
	}
	if err != nil {
		return list{}, fmt.Errorf("%s: %w", path, err)
	}
	return l, nil
}

// byteOrderMark is what Excel begins a CSV file in UTF-8 with. It belongs to no column's name.
const byteOrderMark = "\ufeff"

// parse reads a list in one of two forms. That of Kinetics begins with the names of its columns, of
// which youtube_id, time_start and time_end are needed, and label and split are used. The plain form
// has a file in the first column, and in the second, if there is one, its label.
func parse(r io.Reader) (list, error) {
	text := bufio.NewReader(r)
	if begin, _ := text.Peek(len(byteOrderMark)); string(begin) == byteOrderMark {
		text.Discard(len(byteOrderMark))
	}
	in := csv.NewReader(text)
	in.FieldsPerRecord, in.ReuseRecord = -1, true
	var l list
	var columns []string // of Kinetics' form
	for first := true; ; first = false {
		fields, err := in.Read()
		if errors.Is(err, io.EOF) {
			return l, nil
		}
		if err != nil {
			return l, err
		}
		if first && slices.Contains(fields, "youtube_id") {
			columns = slices.Clone(fields)
			l.divided = slices.Contains(columns, "split")
			continue
		}
		line, _ := in.FieldPos(0)
		one := plain
		if columns != nil {
			one = func(fields []string) (row, error) { return cut(columns, fields) }
		}
		r, err := one(fields)
		if err != nil {
			return l, fmt.Errorf("line %d: %w", line, err)
		}
		l.rows = append(l.rows, r)
	}
}

// plain is a row of the plain form.
func plain(fields []string) (row, error) {
	r := row{path: strings.Clone(filepath.ToSlash(fields[0]))}
	if len(fields) > 1 {
		r.label = strings.Clone(fields[1])
	}
	if !filepath.IsLocal(r.path) {
		return r, fmt.Errorf("%q, want a file below the folder of the data set, or columns named youtube_id, time_start and time_end", fields[0])
	}
	return r, nil
}

// cut is a row of Kinetics' form: the part of a video of YouTube's, whose file is named by the video and
// by its first and last second, as in 0wR5jVB-WPk_000417_000427.mp4.
func cut(columns, fields []string) (row, error) {
	value := func(name string) string {
		if i := slices.Index(columns, name); i >= 0 && i < len(fields) {
			return fields[i]
		}
		return ""
	}
	from, errFrom := strconv.ParseFloat(value("time_start"), 64)
	to, errTo := strconv.ParseFloat(value("time_end"), 64)
	id := value("youtube_id")
	if errFrom != nil || errTo != nil || !(0 <= from && from < to && to < 1e6) || id == "" || strings.ContainsAny(id, `/\`) {
		return row{}, fmt.Errorf("youtube_id %q, time_start %q, time_end %q: want a video and two times in seconds", id, value("time_start"), value("time_end"))
	}
	return row{fmt.Sprintf("%s_%06d_%06d.mp4", id, int(from), int(to)), strings.Clone(value("label")), strings.Clone(value("split"))}, nil
}
