package weights

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// A file is: the length of the JSON as 8 bytes, little-endian; the JSON; the tensors' bytes without
// gaps. The JSON maps each name to dtype, shape and offsets, counted from the end of the JSON, and
// __metadata__ to a map of strings.
const (
	lengthSize   = 8
	maxHeader    = 100_000_000 // bytes of JSON; the limit of the format's own reader
	maxTensors   = 100_000     // the largest networks have some ten thousand
	metadataName = "__metadata__"

	// Both checksums are in hexadecimal, eight digits each. One is of the header with its length
	// and padding, computed while its own digits are zeros. The other is a list with one for each
	// tensor, in file order.
	sumPrefix  = "mcvd.crc32c"
	headerSum  = sumPrefix + ".header"
	tensorSums = sumPrefix + ".tensors"
	sumDigits  = 8

	// jsonStart begins every header that this package writes. So reading finds the digits that
	// count as zeros.
	jsonStart = `{"` + metadataName + `":{"` + headerSum + `":"`
	sumAt     = lengthSize + len(jsonStart)
)

// castagnoli is the CRC-32C, which has an instruction on amd64 and arm64.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// stored is a tensor's place in a file: bytes start to end, exclusive, counted from the end of the
// header.
type stored struct {
	Tensor
	start, end int64
	sum        uint32
	checked    bool // whether sum is known
}

// formatHeader makes the length and the JSON, padded with spaces to a multiple of 8 bytes.
func formatHeader(metadata map[string]string, tensors []stored) ([]byte, error) {
	if len(tensors) > maxTensors {
		return nil, fmt.Errorf("%d tensors, want %d or fewer", len(tensors), maxTensors)
	}
	out := make([]byte, lengthSize, 4096)
	var err error
	quote := func(s string) {
		var e error
		if out, e = jsontext.AppendQuote(out, s); e != nil {
			err = errors.Join(err, fmt.Errorf("%q: %w", s, e))
		}
	}
	out = append(out, jsonStart...)
	out = fmt.Appendf(out, `%08x","%s":"`, 0, tensorSums)
	for _, t := range tensors {
		out = fmt.Appendf(out, "%08x", t.sum)
	}
	out = append(out, '"')
	for _, key := range slices.Sorted(maps.Keys(metadata)) {
		if strings.HasPrefix(key, sumPrefix) {
			return nil, fmt.Errorf("metadata %q: keys that begin with %s are reserved", key, sumPrefix)
		}
		out = append(out, ',')
		quote(key)
		out = append(out, ':')
		quote(metadata[key])
	}
	out = append(out, '}')
	seen := map[string]bool{metadataName: true}
	for _, t := range tensors {
		if seen[t.Name] {
			return nil, fmt.Errorf("tensor %q: name given twice or reserved", t.Name)
		}
		seen[t.Name] = true
		out = append(out, ',')
		quote(t.Name)
		shape := strings.Join(strings.Fields(fmt.Sprint(t.Shape)), ",")
		out = fmt.Appendf(out, `:{"dtype":"%s","shape":%s,"data_offsets":[%d,%d]}`, t.DType, shape, t.start, t.end)
	}
	out = append(out, '}')
	for len(out)%8 != 0 {
		out = append(out, ' ')
	}
	length := len(out) - lengthSize
	if length > maxHeader {
		err = errors.Join(err, fmt.Errorf("header of %d bytes, want %d or fewer", length, maxHeader))
	}
	binary.LittleEndian.PutUint64(out, uint64(length))
	copy(out[sumAt:], fmt.Appendf(nil, "%08x", crc32.Checksum(out, castagnoli)))
	return out, err
}

// parseHeader reads length and JSON, checks the header's own checksum where there is one, and
// returns the tensors in file order. The tensors must cover exactly size bytes.
func parseHeader(header []byte, size int64) (map[string]string, []stored, error) {
	metadata, tensors, err := decodeHeader(header[lengthSize:])
	if err != nil {
		return nil, nil, fmt.Errorf("header: %w", err)
	}
	slices.SortStableFunc(tensors, func(a, b stored) int {
		return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.end, b.end))
	})
	if err := takeChecksums(header, metadata, tensors); err != nil {
		return nil, nil, fmt.Errorf("header: %w", err)
	}
	return metadata, tensors, checkLayout(tensors, size)
}

// decodeHeader reads the JSON. The decoder refuses duplicate names, invalid UTF-8, members and
// nesting that the format doesn't have, and numbers that aren't integers.
func decodeHeader(text []byte) (metadata map[string]string, tensors []stored, err error) {
	if len(text) == 0 || text[0] != '{' {
		return nil, nil, errors.New("not a JSON object: not a safetensors file")
	}
	dec := jsontext.NewDecoder(bytes.NewBuffer(text))
	if _, err := dec.ReadToken(); err != nil {
		return nil, nil, err
	}
	for dec.PeekKind() == '"' {
		token, err := dec.ReadToken()
		if err != nil {
			return nil, nil, err
		}
		name := token.String()
		if name == metadataName {
			err = json.UnmarshalDecode(dec, &metadata)
		} else if len(tensors) == maxTensors {
			return nil, nil, fmt.Errorf("more than %d tensors, want %[1]d or fewer: not the weights of a network; if they are, stack the small ones", maxTensors)
		} else {
			var t stored
			t, err = decodeTensor(dec, name)
			tensors = append(tensors, t)
		}
		if err != nil {
			return nil, nil, fmt.Errorf("%q: %w", name, err)
		}
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil, nil, err
	}
	if _, err := dec.ReadToken(); err != io.EOF {
		return nil, nil, errors.New("more text after the JSON object")
	}
	return metadata, tensors, nil
}

// decodeTensor reads the description of one tensor.
func decodeTensor(dec *jsontext.Decoder, name string) (stored, error) {
	var info struct {
		DType   DType   `json:"dtype"`
		Shape   []int   `json:"shape"`
		Offsets []int64 `json:"data_offsets"`
	}
	if err := json.UnmarshalDecode(dec, &info, json.RejectUnknownMembers(true)); err != nil {
		return stored{}, err
	}
	if info.Shape == nil || len(info.Offsets) != 2 {
		return stored{}, fmt.Errorf("got shape %v and data_offsets %v, want a shape and two offsets", info.Shape, info.Offsets)
	}
	tensor := Tensor{Name: name, DType: info.DType, Shape: info.Shape}
	return stored{Tensor: tensor, start: info.Offsets[0], end: info.Offsets[1]}, nil
}

// takeChecksums checks the header's checksum, then moves the checksums from the metadata to the
// tensors. If only one of the two is there, the file is damaged: files of other programs have
// neither.
func takeChecksums(header []byte, metadata map[string]string, tensors []stored) error {
	want, hasHeader := metadata[headerSum]
	sums, hasTensors := metadata[tensorSums]
	if !hasHeader && !hasTensors {
		return nil
	}
	if !bytes.HasPrefix(header[lengthSize:], []byte(jsonStart)) || len(want) != sumDigits {
		return errors.New("checksums are not where mcvd puts them: the file is damaged, or another program changed it")
	}
	crc := crc32.Update(0, castagnoli, header[:sumAt])
	crc = crc32.Update(crc, castagnoli, []byte("00000000"))
	crc = crc32.Update(crc, castagnoli, header[sumAt+sumDigits:])
	// The digits are compared as text, so that a digit in upper case is damage, too.
	if got := fmt.Sprintf("%08x", crc); got != want {
		return fmt.Errorf("checksum %s, want %s: the file is damaged", got, want)
	}
	if len(sums) != sumDigits*len(tensors) {
		return fmt.Errorf("checksums of %d digits, want %d for each of %d tensors", len(sums), sumDigits, len(tensors))
	}
	for i := range tensors {
		sum, err := strconv.ParseUint(sums[i*sumDigits:(i+1)*sumDigits], 16, 32)
		if err != nil {
			return fmt.Errorf("tensor %q: checksum: %w", tensors[i].Name, err)
		}
		tensors[i].sum, tensors[i].checked = uint32(sum), true
	}
	delete(metadata, headerSum)
	delete(metadata, tensorSums)
	return nil
}

// checkLayout makes sure that the tensors, in file order, cover size bytes without gap or overlap.
func checkLayout(tensors []stored, size int64) error {
	var end int64
	for _, t := range tensors {
		want, err := t.Size()
		if err != nil {
			return err
		}
		if t.start != end || t.end < t.start || t.end-t.start != want {
			return fmt.Errorf("tensor %q: data_offsets [%d, %d], want [%d, %d] for shape %v of %s after the tensor before it",
				t.Name, t.start, t.end, end, end+want, t.Shape, t.DType)
		}
		end = t.end
	}
	if end != size {
		return fmt.Errorf("%d bytes after the header, want %d: truncated or followed by something else", size, end)
	}
	return nil
}
