package lerobot

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"mcvd/configs/regular"
)

// What a file of the index may have. LeRobot's files end at 100 MB.
const (
	maxRows   = 1 << 22
	maxPage   = 1 << 26 // bytes
	maxFooter = 1 << 28 // bytes
)

// table is a Parquet file of which columns of numbers are read, one after the other.
type table struct {
	*parquet.File
	file io.ReaderAt
	size int64
}

// readColumns reads columns of numbers of a Parquet file, of which each has as many as the others. An
// error names the file. Whatever the file says, memory is bounded by its size, maxRows and maxPage.
func readColumns(path string, names []string) (columns [][]float64, err error) {
	file, size, err := regular.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if columns, err = columnsOf(file, size, names); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return columns, nil
}

// columnsOf is [readColumns] for an open file. The library panics at some damaged files.
func columnsOf(file io.ReaderAt, size int64, names []string) (columns [][]float64, err error) {
	defer func() {
		if r := recover(); r != nil {
			columns, err = nil, fmt.Errorf("damaged: no readable Parquet: %v", r)
		}
	}()
	t, err := openTable(file, size)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		column, err := t.column(name)
		if err != nil {
			return nil, fmt.Errorf("column %s: %w", name, err)
		}
		columns = append(columns, column)
	}
	return columns, nil
}

// openTable reads the footer of a file, after its lengths are checked.
func openTable(file io.ReaderAt, size int64) (*table, error) {
	var end [8]byte
	if _, err := file.ReadAt(end[:], size-8); err != nil && !errors.Is(err, io.EOF) || size < 12 || string(end[4:]) != "PAR1" {
		return nil, fmt.Errorf("cut off, or no Parquet file: no end mark in %d bytes", size)
	}
	length := int64(binary.LittleEndian.Uint32(end[:]))
	if length > size-12 || length > maxFooter {
		return nil, fmt.Errorf("damaged: a footer of %d bytes in a file of %d", length, size)
	}
	footer := make([]byte, length)
	if _, err := file.ReadAt(footer, size-8-length); err != nil {
		return nil, err
	}
	if _, err := thriftSize(footer); err != nil {
		return nil, err
	}
	f, err := parquet.OpenFile(file, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return nil, fmt.Errorf("no readable Parquet: %w", err)
	}
	if n := f.NumRows(); n < 0 || n > maxRows {
		return nil, fmt.Errorf("%d rows, want up to %d", n, maxRows)
	}
	return &table{f, file, size}, nil
}

// column reads a column of whole or floating-point numbers, none of which is missing.
func (t *table) column(name string) ([]float64, error) {
	column := t.Root().Column(name)
	if column == nil {
		return nil, errors.New("it is not there")
	}
	if !column.Leaf() || column.Repeated() {
		return nil, errors.New("want a number in each row")
	}
	var out []float64
	for g, group := range t.RowGroups() {
		meta := t.Metadata().RowGroups[g].Columns[column.Index()].MetaData
		if err := t.checkPages(meta); err != nil {
			return nil, err
		}
		var err error
		if out, err = appendNumbers(out, group.ColumnChunks()[column.Index()].Pages()); err != nil {
			return nil, err
		}
	}
	if int64(len(out)) != t.NumRows() {
		return nil, fmt.Errorf("damaged: %d numbers in %d rows", len(out), t.NumRows())
	}
	return out, nil
}

// checkPages compares the lengths in the heads of a column's pages with the bytes and rows that there
// are, before the library allocates what they say.
func (t *table) checkPages(meta format.ColumnMetaData) error {
	start := meta.DataPageOffset
	if meta.DictionaryPageOffset != 0 {
		start = meta.DictionaryPageOffset
	}
	if start < 0 || meta.TotalCompressedSize < 0 || start > t.size || meta.TotalCompressedSize > min(t.size-start, math.MaxInt32) {
		return fmt.Errorf("damaged: %d bytes at %d in a file of %d", meta.TotalCompressedSize, start, t.size)
	}
	b := make([]byte, meta.TotalCompressedSize)
	if _, err := t.file.ReadAt(b, start); err != nil {
		return err
	}
	for len(b) > 0 {
		n, err := thriftSize(b)
		var head format.PageHeader
		if err == nil {
			err = thrift.Unmarshal(new(thrift.CompactProtocol), b[:n], &head)
		}
		if err != nil {
			return fmt.Errorf("the head of a page: %w", err)
		}
		values := max(head.DataPageHeader.V.NumValues, head.DataPageHeaderV2.V.NumValues, head.DictionaryPageHeader.V.NumValues)
		bytes := int64(head.CompressedPageSize)
		if bytes < 0 || bytes > int64(len(b)-n) || head.UncompressedPageSize > maxPage || int64(values) > t.NumRows() {
			return fmt.Errorf("damaged: a page of %d numbers in %d bytes, of which %d are there", values, bytes, len(b)-n)
		}
		b = b[int64(n)+bytes:]
	}
	return nil
}

// appendNumbers reads all pages of a column and closes them.
func appendNumbers(out []float64, pages parquet.Pages) ([]float64, error) {
	defer pages.Close()
	for {
		page, err := pages.ReadPage()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		values := make([]parquet.Value, page.NumValues())
		n, err := page.Values().ReadValues(values)
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		if n < len(values) {
			return nil, fmt.Errorf("damaged: %d numbers in a page of %d", n, len(values))
		}
		for _, v := range values {
			x, err := number(v)
			if err != nil {
				return nil, err
			}
			out = append(out, x)
		}
		parquet.Release(page)
	}
}

// number converts a value without loss.
func number(v parquet.Value) (float64, error) {
	switch {
	case v.IsNull():
		return 0, errors.New("a number is missing")
	case v.Kind() == parquet.Double:
		return v.Double(), nil
	case v.Kind() == parquet.Float:
		return float64(v.Float()), nil
	case v.Kind() == parquet.Int32:
		return float64(v.Int32()), nil
	case v.Kind() == parquet.Int64 && int64(float64(v.Int64())) == v.Int64():
		return float64(v.Int64()), nil
	}
	return 0, fmt.Errorf("%v of type %v, want a number", v, v.Kind())
}
