package lerobot

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// row is of an index with one camera, k, and of types that other writers choose.
type row struct {
	Episode int32    `parquet:"episode_index"`
	Length  int64    `parquet:"length,delta"`
	Chunk   *int64   `parquet:"videos/k/chunk_index,optional"`
	File    int64    `parquet:"videos/k/file_index,dict"`
	From    float64  `parquet:"videos/k/from_timestamp"`
	To      float32  `parquet:"videos/k/to_timestamp"`
	Tasks   []string `parquet:"tasks,list,optional"`
}

func rows() []row {
	var zero int64
	var out []row
	for i := range 5 {
		out = append(out, row{int32(i), int64(10 + i), &zero, int64(i % 2), float64(i), float32(i) + 0.5, []string{"lift"}})
	}
	return out
}

func index(t testing.TB, rows []row) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := parquet.Write(&b, rows, parquet.MaxRowsPerRowGroup(2)); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func read(b []byte, camera string) ([]episode, error) {
	columns, err := columnsOf(bytes.NewReader(b), int64(len(b)), columnNames(camera))
	if err != nil {
		return nil, err
	}
	return episodesOf(columns)
}

func TestIndexOfOtherTypes(t *testing.T) {
	got, err := read(index(t, rows()), "k")
	if err != nil {
		t.Fatal(err)
	}
	var want []episode
	for i := range 5 {
		want = append(want, episode{i, 0, i % 2, 10 + i, float64(i), float64(i) + 0.5})
	}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestRowsThatAreNoEpisodes(t *testing.T) {
	for _, c := range []struct {
		change func(r *row)
		want   string
	}{
		{func(r *row) { r.Chunk = nil }, "column videos/k/chunk_index: a number is missing"},
		{func(r *row) { r.Length = 0 }, "episode 1: 0 frames from second 1 to 1.5"},
		{func(r *row) { r.Length = -1 }, "row 1: -1 among"},
		{func(r *row) { r.Length = 1 << 60 }, "row 1: 1.15292"},
		{func(r *row) { r.From = 2 }, "from second 2 to 1.5"},
		{func(r *row) { r.From = -1 }, "from second -1"},
	} {
		all := rows()
		c.change(&all[1])
		if _, err := read(index(t, all), "k"); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %s", err, c.want)
		}
	}
	if _, err := read(index(t, rows()), "other"); err == nil || !strings.Contains(err.Error(), "column videos/other/chunk_index: it is not there") {
		t.Errorf("error %v", err)
	}
	b := index(t, rows())
	if _, err := columnsOf(bytes.NewReader(b), int64(len(b)), []string{"tasks"}); err == nil || !strings.Contains(err.Error(), "want a number in each row") {
		t.Errorf("error %v", err)
	}
}

// Lengths that promise more than there is are refused before anything is allocated for them.
func TestLengthsAreNotTrusted(t *testing.T) {
	for _, b := range [][]byte{nil, []byte("PAR1"), []byte("PAR1\xff\xff\xff\x7fPAR1"), []byte("PAR1\x00\x00\x00\x00PAR1")} {
		if _, err := read(b, "k"); err == nil {
			t.Errorf("%q: no error", b)
		}
	}
	// A list of 2^30 structures in a footer of 8 bytes, a string of 2^30 bytes, and structures without an end.
	list := append([]byte{0x29, 0xfc}, binary.AppendUvarint(nil, 1<<30)...)
	text := append([]byte{0x18}, binary.AppendUvarint(nil, 1<<30)...)
	for what, b := range map[string][]byte{"list": list, "text": text, "depth": append(bytes.Repeat([]byte{0x1c}, 20), make([]byte, 20)...), "type": {0x1d}, "map": {0x1b, 0}} {
		if n, err := thriftSize(append(b, 0)); err == nil {
			t.Errorf("%s: %d bytes, no error", what, n)
		}
	}
	if _, err := thriftSize(append(bytes.Repeat([]byte{0x1c}, 10), make([]byte, 11)...)); err != nil {
		t.Errorf("structures ten deep: %v", err)
	}
	whole := []byte{0x15, 2, 0x19, 0x25, 2, 4, 0x18, 1, 'a', 0x11, 0x12, 0x17, 1, 2, 3, 4, 5, 6, 7, 8, 0x13, 5, 0x05, 2, 2, 0x1c, 0, 0}
	if n, err := thriftSize(append(slices.Clone(whole), 9, 9)); err != nil || n != len(whole) {
		t.Errorf("%d bytes, %v, want %d", n, err, len(whole))
	}
	for i := range whole {
		if _, err := thriftSize(whole[:i]); err == nil {
			t.Errorf("cut off after %d bytes: no error", i)
		}
	}
}

// What the head of a page promises must be there, and no more than a page may have.
func TestPagesAreNotTrusted(t *testing.T) {
	b := index(t, rows())
	for what, c := range map[string]struct {
		head format.PageHeader
		good bool
	}{
		"good":                {format.PageHeader{UncompressedPageSize: 8, CompressedPageSize: 8}, true},
		"more bytes":          {format.PageHeader{UncompressedPageSize: 8, CompressedPageSize: 9}, false},
		"less than nothing":   {format.PageHeader{UncompressedPageSize: 8, CompressedPageSize: -9}, false},
		"a gigabyte":          {format.PageHeader{UncompressedPageSize: 1 << 30, CompressedPageSize: 8}, false},
		"a billion numbers":   {withValues(1<<30, 8), false},
		"numbers of the rows": {withValues(5, 8), true},
	} {
		head, err := thrift.Marshal(new(thrift.CompactProtocol), c.head)
		if err != nil {
			t.Fatal(err)
		}
		page := append(head, make([]byte, 8)...)
		table, err := openTable(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Fatal(err)
		}
		table.file, table.size = bytes.NewReader(page), int64(len(page))
		err = table.checkPages(format.ColumnMetaData{TotalCompressedSize: table.size})
		if (err == nil) != c.good || err != nil && !strings.Contains(err.Error(), "damaged: a page of") {
			t.Errorf("%s: error %v", what, err)
		}
		if err := table.checkPages(format.ColumnMetaData{TotalCompressedSize: table.size, DataPageOffset: 1}); err == nil {
			t.Errorf("%s: pages that go on after the end of the file: no error", what)
		}
	}
}

func withValues(n, size int32) format.PageHeader {
	h := format.PageHeader{UncompressedPageSize: size, CompressedPageSize: size}
	h.DataPageHeader.V.NumValues, h.DataPageHeader.Valid = n, true
	return h
}

// Whatever bytes an index has, reading it ends, and with the rows of the file or an error.
func FuzzIndex(f *testing.F) {
	f.Add(index(f, rows()))
	library, err := os.ReadFile(filepath.Join("testdata", "recording", "meta", "episodes", "chunk-000", "file-000.parquet"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(library)
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, camera := range []string{"k", top} {
			if got, err := read(b, camera); err == nil && len(got) > maxRows {
				t.Errorf("%d episodes", len(got))
			}
		}
	})
}
