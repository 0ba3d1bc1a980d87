package eval

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"mcvd/configs/atomicfile"
	"mcvd/configs/regular"
	"mcvd/models/weights"
)

// Archive is a folder with the results of an evaluation, a file for each part. Several processes
// may fill it, each with parts of its own. Parts that are there need not be evaluated again.
//
//	evaluation.json               what is evaluated: a [Header], and the parts
//	clips-00000-00007.jsonl       a part: a [Record] a line, then its Seconds
//	clips-00000-00007.safetensors its features, where there are metrics of sets
//
// Files appear whole or not at all. The records come last, so a part that has them is complete.
type Archive struct {
	dir   string
	about archived
}

// archived is what evaluation.json holds.
type archived struct {
	Header Header  `json:"header"`
	Parts  []Range `json:"parts"`
	// CRC32C is that of the file's text with 0 in its place; nil in files from before there was one.
	CRC32C *uint32 `json:"crc32c,omitempty"`
}

// sumOf is the line of the checksum.
func sumOf(sum uint32) []byte { return fmt.Appendf(nil, "\n  \"crc32c\": %d\n}\n", sum) }

// format is the text of the file.
func (a archived) format() ([]byte, error) {
	a.CRC32C = new(uint32)
	text, err := json.MarshalIndent(a, "", "  ")
	if err != nil {
		return nil, err
	}
	text = append(text, '\n')
	return append(bytes.TrimSuffix(text, sumOf(0)), sumOf(crc32.Checksum(text, castagnoli))...), nil
}

// isWhole says whether a text, of which a was read, has the checksum that it was written with.
func (a archived) isWhole(text []byte) bool {
	if a.CRC32C == nil {
		return !bytes.Contains(text, []byte("crc32c"))
	}
	before, ok := bytes.CutSuffix(text, sumOf(*a.CRC32C))
	return ok && crc32.Checksum(append(slices.Clip(before), sumOf(0)...), castagnoli) == *a.CRC32C
}

const (
	archiveFile  = "evaluation.json"
	recordsEnd   = ".jsonl"
	featuresEnd  = ".safetensors"
	realFeatures = "real" // stands for the method of real clips in names of tensors
)

// CreateArchive makes the folder for an evaluation, or opens it if it belongs to the same one. If
// it belongs to another one, the error shows the difference.
func CreateArchive(dir string, h Header, parts []Range) (*Archive, error) {
	a := &Archive{dir, archived{Header: h, Parts: parts}}
	text, err := a.about.format()
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, archiveFile)
	if err := atomicfile.Prepare(path); err != nil {
		return nil, err
	}
	switch old, err := regular.Read(path); {
	case errors.Is(err, os.ErrNotExist):
		if err := a.checkEmpty(); err != nil {
			return nil, err
		}
		return a, writeText(path, text)
	case err != nil:
		return nil, err
	case !bytes.Equal(old, text):
		if about := (archived{}); json.Unmarshal(old, &about) == nil && !about.isWhole(old) {
			return nil, fmt.Errorf("%s: %w; use another folder", path, errArchive)
		}
		if lines := otherEvaluation(old, text); len(lines) > 0 {
			return nil, fmt.Errorf("%s: is of another evaluation; use another folder, or ask for the same:\n  %s", path, strings.Join(lines, "\n  "))
		}
	}
	return a, nil
}

// otherEvaluation lists the differences that make another evaluation. How weights were trained does not
// matter, because the evaluation has their hash; and another version may have more settings of it.
func otherEvaluation(old, new []byte) []string {
	return slices.DeleteFunc(differences(old, new, "%s: %s there, %s here"), func(line string) bool {
		return strings.HasPrefix(line, "config.train.") || strings.HasPrefix(line, "crc32c:")
	})
}

// OpenArchive opens a folder that [CreateArchive] made.
func OpenArchive(dir string) (*Archive, error) {
	path := filepath.Join(dir, archiveFile)
	text, err := regular.Read(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%s: no records of an evaluation: it has no %s (`mcvd eval RUN --records %s` makes them)", dir, archiveFile, dir)
	}
	if err != nil {
		return nil, err
	}
	about, err := parseArchived(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &Archive{dir, about}, nil
}

var errArchive = errors.New("its checksum is wrong: it was damaged or changed since it was written")

// parseArchived reads evaluation.json.
func parseArchived(text []byte) (about archived, err error) {
	if err := json.Unmarshal(text, &about); err != nil {
		return about, err
	}
	if err := about.Header.check(); err != nil {
		return about, fmt.Errorf("not of an evaluation: %w", err)
	}
	if !about.isWhole(text) {
		return about, errArchive
	}
	return about, nil
}

// Header is the report's.
func (a *Archive) Header() Header { return a.about.Header }

// Missing lists the parts that are not there yet.
func (a *Archive) Missing(parts []Range) []Range {
	return slices.DeleteFunc(slices.Clone(parts), func(r Range) bool {
		_, err := os.Stat(a.path(r, recordsEnd))
		return err == nil
	})
}

// Shard lists the parts of shard i of n, counted from 0: every n-th one, so that shards have parts
// of all kinds of clips.
func Shard(parts []Range, i, n int) (mine []Range) {
	for k := i; k < len(parts); k += n {
		mine = append(mine, parts[k])
	}
	return mine
}

// Save keeps a part.
func (a *Archive) Save(p *Part) error {
	if len(p.Real)+len(p.Made) > 0 {
		if err := weights.Write(a.path(p.Range, featuresEnd), nil, p.tensors()); err != nil {
			return err
		}
	}
	text, err := p.format()
	if err != nil {
		return err
	}
	return writeText(a.path(p.Range, recordsEnd), text)
}

// format is what the file of a part's records holds.
func (p *Part) format() (text []byte, err error) {
	for _, r := range p.Records {
		line, err := json.Marshal(r)
		if err != nil {
			return nil, err
		}
		text = append(append(text, line...), '\n')
	}
	features, err := p.featuresSum()
	if err != nil {
		return nil, err
	}
	line, err := json.Marshal(last{&p.Seconds, crc32.Checksum(text, castagnoli), features})
	return append(append(text, line...), '\n'), err
}

// Parts reads all parts. One that is missing is no error here: see [Sum].
func (a *Archive) Parts() (parts []*Part, err error) {
	missing := a.Missing(a.about.Parts)
	for _, r := range a.about.Parts {
		if slices.Contains(missing, r) {
			continue
		}
		p, err := a.load(r)
		if err != nil {
			return nil, err
		}
		parts = append(parts, p)
	}
	return parts, nil
}

// last is the last line of a part's records. If it is missing, or has another checksum than the
// lines before it, the file is damaged.
type last struct {
	Seconds *float64 `json:"seconds"`
	CRC32C  uint32   `json:"crc32c"`
	// Features is the checksum of the part's features, 0 if it has none. Without it, a set would
	// lack the clips of a file that is gone, and nobody would notice.
	Features uint32 `json:"features_crc32c,omitempty"`
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// load reads a part.
func (a *Archive) load(r Range) (*Part, error) {
	path := a.path(r, recordsEnd)
	text, err := regular.Read(path)
	if err != nil {
		return nil, err
	}
	p, features, err := a.parse(r, text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if err := a.loadFeatures(p); err != nil {
		return nil, err
	}
	if sum, err := p.featuresSum(); err != nil || sum != features {
		return nil, fmt.Errorf("%s: gone, or not the features that belong to %s; remove both files, and evaluate these clips again", a.path(r, featuresEnd), path)
	}
	return p, nil
}

// parse reads the records of a part, which has no features yet, and their checksum.
func (a *Archive) parse(r Range, text []byte) (p *Part, features uint32, err error) {
	p = &Part{Range: r, Made: Features{}, Real: Features{}}
	body := text[:bytes.LastIndexByte(bytes.TrimSuffix(text, []byte("\n")), '\n')+1]
	var end last
	if err := json.Unmarshal(text[len(body):], &end); err != nil || end.Seconds == nil || end.CRC32C != crc32.Checksum(body, castagnoli) {
		return nil, 0, errors.New("damaged: its last line has no checksum, or that of other lines; remove the file, and evaluate these clips again")
	}
	for line := range bytes.Lines(body) {
		var record Record
		if err := json.Unmarshal(line, &record); err != nil {
			return nil, 0, err
		}
		if record.Clip < r.First || record.Clip >= r.End {
			return nil, 0, fmt.Errorf("a record of clip %d, want clips %v", record.Clip, r)
		}
		if seeds := a.about.Header.Protocol.noiseSeeds(); record.Method == modelMethod && !slices.Contains(seeds, record.Seed) {
			return nil, 0, fmt.Errorf("a record with seed %d of the noise, want %v; remove the file, and evaluate these clips again", record.Seed, seeds)
		}
		p.Records = append(p.Records, record)
	}
	p.Seconds = *end.Seconds
	return p, end.Features, nil
}

// loadFeatures reads the features of a part, if it has any.
func (a *Archive) loadFeatures(p *Part) error {
	f, err := weights.Open(a.path(p.Range, featuresEnd))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	for _, t := range f.Tensors() {
		values, err := f.Float32s(t.Name)
		if err != nil {
			return err
		}
		key, real, err := featureKey(t.Name)
		if err != nil || len(t.Shape) != 2 {
			return fmt.Errorf("%s: tensor %s of shape %v, want METRIC/real, METRIC/BASELINE or METRIC/model/SEED of two axes", f.Path(), t.Name, t.Shape)
		}
		rows := slices.Collect(slices.Chunk(values, max(1, t.Shape[1])))
		if real {
			p.Real[key] = rows
		} else {
			p.Made[key] = rows
		}
	}
	return nil
}

// tensors are the features as entries of a file, one for each set: [clips, numbers].
func (p *Part) tensors() (entries []weights.Entry) {
	for _, set := range []Features{p.Real, p.Made} {
		for _, key := range sorted(set) {
			entries = append(entries, rowsEntry(key.tensor(), set[key]))
		}
	}
	return entries
}

// rowsEntry is vectors as an entry of a file, [vectors, numbers].
func rowsEntry(name string, rows [][]float32) weights.Entry {
	return weights.Entry{
		Tensor: weights.Tensor{Name: name, DType: weights.F32, Shape: []int{len(rows), len(rows[0])}},
		Data: func() (data []byte, err error) {
			for _, v := range slices.Concat(rows...) {
				data = binary.LittleEndian.AppendUint32(data, math.Float32bits(v))
			}
			return data, nil
		},
	}
}

// featuresSum is the checksum of the features, with the names of their sets; 0 if there are none.
func (p *Part) featuresSum() (sum uint32, err error) {
	for _, t := range p.tensors() {
		data, err := t.Data()
		if err != nil {
			return 0, err
		}
		sum = crc32.Update(sum, castagnoli, append([]byte(t.Name), data...))
	}
	return sum, nil
}

// tensor is the name of a set's tensor.
func (k FeatureKey) tensor() string {
	switch k.Method {
	case "":
		return k.Metric + "/" + realFeatures
	case modelMethod:
		return fmt.Sprintf("%s/%s/%d", k.Metric, k.Method, k.Seed)
	}
	return k.Metric + "/" + k.Method
}

// featureKey undoes [FeatureKey.tensor], and says whether the set is of real clips.
func featureKey(tensor string) (k FeatureKey, real bool, err error) {
	name, method, _ := strings.Cut(tensor, "/")
	k = FeatureKey{Metric: name, Method: method}
	if of, seed, ok := strings.Cut(method, "/"); ok {
		k.Method = of
		k.Seed, err = strconv.ParseUint(seed, 10, 64)
	}
	if k.Method == realFeatures {
		k.Method = ""
	}
	if err == nil && k.tensor() != tensor {
		err = fmt.Errorf("another name")
	}
	return k, k.Method == "", err
}

func (a *Archive) path(r Range, end string) string {
	return filepath.Join(a.dir, fmt.Sprintf("clips-%05d-%05d%s", r.First, r.End-1, end))
}

// checkEmpty refuses a folder that holds something else.
func (a *Archive) checkEmpty() error {
	entries, err := os.ReadDir(a.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), atomicfile.Prefix) {
			return fmt.Errorf("%s: holds %s; want a new or empty folder, or one with records", a.dir, e.Name())
		}
	}
	return nil
}

// differences lists the values that differ between two texts of JSON. The format gets a value's path
// and the value in both.
func differences(old, new []byte, format string) (lines []string) {
	was, is := map[string]string{}, map[string]string{}
	for text, flat := range map[*[]byte]map[string]string{&old: was, &new: is} {
		var tree any
		if json.Unmarshal(*text, &tree) != nil {
			return []string{"it is no JSON"}
		}
		flatten(tree, "", flat)
	}
	keys := maps.Clone(was)
	maps.Copy(keys, is)
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if was[key] != is[key] {
			lines = append(lines, fmt.Sprintf(format, strings.TrimPrefix(key, "header."), orNothing(was[key]), orNothing(is[key])))
		}
	}
	return lines
}

// flatten writes each value of a tree of JSON under its path.
func flatten(tree any, path string, into map[string]string) {
	switch t := tree.(type) {
	case map[string]any:
		for key, v := range t {
			flatten(v, strings.TrimPrefix(path+"."+key, "."), into)
		}
	case []any:
		text, _ := json.Marshal(t)
		into[path] = string(text)
	default:
		into[path] = fmt.Sprint(t)
	}
}

func orNothing(s string) string {
	if s == "" {
		return "nothing"
	}
	return s
}

func writeText(path string, text []byte) error {
	return atomicfile.Write(path, func(f *os.File) error {
		_, err := f.Write(text)
		return err
	})
}
