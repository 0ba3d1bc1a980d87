package kth

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"

	"mcvd/configs/regular"
	"mcvd/data/decoded"
)

// maxSequences is the most bytes of a list of sequences. KTH's has 40 kB.
const maxSequences = 1 << 20

// readSequences reads KTH's list of sequences: the ranges of frames of each file in which the person
// is in the picture. A file has three or four. They may overlap, and need not be in order.
func readSequences(path string) (map[string][]decoded.Part, error) {
	file, err := regular.OpenUpTo(path, maxSequences)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	out, err := parseSequences(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return out, nil
}

// parseSequences reads lines such as "person01_boxing_d1  frames  1-95, 96-185". Frames are counted
// from 1, and the last one of a range belongs to it. "*missing*" in place of the ranges says that the
// file is lost. Lines that don't begin with "person" are explanations.
func parseSequences(r io.Reader) (map[string][]decoded.Part, error) {
	out := map[string][]decoded.Part{}
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		fields := strings.FieldsFunc(lines.Text(), func(r rune) bool { return r == ' ' || r == '\t' || r == ',' || r == '\r' })
		if len(fields) < 2 || !strings.HasPrefix(fields[0], "person") || fields[1] == "*missing*" {
			continue
		}
		if fields[1] == "frames" {
			fields = append(fields[:1], fields[2:]...)
		}
		for _, text := range fields[1:] {
			first, last, _ := strings.Cut(text, "-")
			from, errFrom := strconv.ParseUint(first, 10, 31)
			to, errTo := strconv.ParseUint(last, 10, 31)
			if errFrom != nil || errTo != nil || from < 1 || to < from {
				return nil, fmt.Errorf("line %d: %s: %q, want a range of frames such as 1-95", n, fields[0], text)
			}
			out[fields[0]] = append(out[fields[0]], decoded.Part{Name: text, From: int(from) - 1, To: int(to)})
		}
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("no sequences in it: want lines such as person01_boxing_d1 frames 1-95, 96-185")
	}
	return out, nil
}
