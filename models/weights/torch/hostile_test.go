package torch

import (
	"archive/zip"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
)

// Nothing of these is run; a file that names them is refused before that could be a question.
func TestCodeIsRefused(t *testing.T) {
	for _, name := range []string{"posix system", "nt system", "os system", "subprocess Popen", "builtins eval", "builtins exec", "builtins getattr",
		"builtins __import__", "__builtin__ apply", "sys exit", "runpy _run_code", "importlib import_module", "socket socket", "shutil rmtree",
		"pickle loads", "torchvision load", "collectionsx X", "__main__ Config", "__torch__ Net", "_codecs decode", "types CodeType", "operator attrgetter", " "} {
		module, function, _ := strings.Cut(name, " ")
		for form, body := range map[string]string{
			"GLOBAL":       called(module, function, text("touch /tmp/x")),
			"STACK_GLOBAL": text(module) + text(function) + "\x93" + tuple(text("touch /tmp/x")) + "R",
			"not called":   "c" + module + "\n" + function + "\n",
		} {
			want := `calls "` + module + "." + function + `": refused`
			for _, b := range [][]byte{saved(body), legacy(body, "]", "")} {
				if _, err := openBytes(b); err == nil || !strings.HasPrefix(err.Error(), "mem: pickle, instruction") || !strings.Contains(err.Error(), want) {
					t.Errorf("%s, %s: %v, want %s", name, form, err, want)
				}
			}
		}
	}
	if _, err := openBytes(saved(text("torch.serialization") + text("os.system") + "\x93")); err == nil || !strings.Contains(err.Error(), `calls "torch.serialization.os.system": refused`) {
		t.Errorf("a name that leads through a module: %v", err)
	}
	// Harmless names, which PyTorch has functions for that would read files, are inert.
	root := mustOpen(t, saved(called("torch", "load", text("/etc/passwd")))).Root()
	if o, ok := root.(*Object); !ok || o.Class != "torch.load" || o.Args[0] != "/etc/passwd" {
		t.Errorf("torch.load = %v", root)
	}
}

func TestBadPickles(t *testing.T) {
	eight := func(n uint64) string {
		var b strings.Builder
		for i := range 8 {
			b.WriteByte(byte(n >> (8 * i)))
		}
		return b.String()
	}
	defer debug.SetMaxStack(debug.SetMaxStack(4 << 20)) // bytes; more end the program
	for _, tt := range []struct{ name, body, want string }{
		{"BINUNICODE8 of 2^60 bytes", "\x8d" + eight(1<<60), "1152921504606846976 bytes announced"},
		{"BINBYTES8 of 2^63 bytes", "\x8e" + eight(1<<63), "9223372036854775808 bytes announced"},
		{"BYTEARRAY8 of 2^64-1 bytes", "\x96" + eight(math.MaxUint64), "18446744073709551615 bytes announced"},
		{"BINUNICODE of 4 GiB", "X\xff\xff\xff\xff", "4294967295 bytes announced"},
		{"BINBYTES of 2 GiB", "B\xff\xff\xff\x7f", "2147483647 bytes announced"},
		{"BINSTRING of 2 GiB", "T\xff\xff\xff\x7f", "2147483647 bytes announced"},
		{"SHORT_BINBYTES", "C\x09", "9 bytes announced, 1 left"},
		{"FRAME of 2^60 bytes", "\x95" + eight(1<<60), "frame of 1152921504606846976 bytes"},
		{"LONG4 of 2 GiB", "\x8b\xff\xff\xff\x7f", "integer of 2147483647 bytes, want 1024"},
		{"LONG4 of -1 bytes", "\x8b\xff\xff\xff\xff", "integer of 4294967295 bytes"},
		{"LONG_BINPUT of 2^31", "Nr\x00\x00\x00\x80", "memo index 2147483648 after 3 instructions"},
		{"LONG_BINPUT ahead", "Nr\x04\x00\x00\x00", "memo index 4 after 3 instructions"},
		{"BINGET of nothing", "h\x07", "memo index 7, there are 0"},
		{"LONG_BINGET of nothing", "j\xff\xff\xff\xff", "memo index 4294967295"},
		{"BINPUT of nothing", "q\x00", "nothing on the stack"},
		{"an empty stack", "", "nothing on the stack"},
		{"POP of nothing", "0", "nothing on the stack"},
		{"POP beyond a mark", "N(0", "nothing on the stack"},
		{"TUPLE2 beyond a mark", "N(N\x86", "nothing on the stack"},
		{"TUPLE without a mark", "Nt", "no mark"},
		{"APPENDS without a mark", "]e", "no mark"},
		{"APPEND to a number", "K\x00K\x00a", "items for int64, want a list"},
		{"APPEND to nothing", "Na", "nothing on the stack"},
		{"SETITEM of a list", "]NNs", "keys for *torch.list, want a dict"},
		{"SETITEMS of three", "}(NNNu", "a key without a value"},
		{"SETITEM of a class", "ctorch\nSize\nNNs", "keys for *torch.object"},
		{"BUILD of a number", "K\x00}b", "state for int64"},
		{"BUILD of a class", "ctorch\nSize\n}b", "state for the class"},
		{"REDUCE of a number", "K\x00)R", "a call without a function"},
		{"REDUCE with a number", "ctorch\nSize\nK\x00R", "a call without a function"},
		{"REDUCE of an object", "ctorch\nSize\n)R)R", "a call without a function"},
		{"STACK_GLOBAL of numbers", "K\x00K\x00\x93", "names of a class that aren't strings"},
		{"GLOBAL without an end", "ctorch", "ends without a STOP"},
		{"GLOBAL of a long name", "c" + strings.Repeat("a", 2000), "a name of more than 1024 bytes"},
		{"STACK_GLOBAL of a long name", text("torch") + text(strings.Repeat("a", 2000)) + "\x93", "a name of more than 1024 bytes"},
		{"protocol 0", "I1\n", "instruction 0x49 at byte 2: not an instruction"},
		{"extension", "\x82\x01", "not an instruction"},
		{"buffer beside the pickle", "\x97", "not an instruction"},
		{"protocol 6", "\x80\x06", "protocol 6, want 2 to 5"},
		{"encode to UTF-8", called("_codecs", "encode", text("a"), text("utf-8")), "other than latin1"},
		{"encode a number", called("_codecs", "encode", "N", text("latin1")), "other than text"},
		{"encode what Latin-1 lacks", called("_codecs", "encode", text("€"), text("latin1")), "'€' to latin1"},
		{"OrderedDict of numbers", called("collections", "OrderedDict", "K\x00"), "OrderedDict of int64"},
		{"OrderedDict of triples", called("collections", "OrderedDict", "]N\x85a"), "other than pairs"},
		{"list in itself", "]\x94h\x00a", "an object that contains itself"},
		{"dict in itself", "}\x94Nh\x00s", "an object that contains itself"},
		{"tuple in itself", "]\x94h\x00\x85a0h\x00", "an object that contains itself"},
		{"state in its object", "ctorch\nSize\n)R\x94h\x00b", "an object that contains itself"},
		{"arguments in their object", "ctorch\nSize\n(]\x94\x94h\x00t\x940h\x02h\x00h\x02a0R", "an object that contains itself"},
		{"tensor of a class of itself", "]\x94(ctorch._tensor\n_rebuild_from_type_v2\nNh\x00}e0ctorch._tensor\n_rebuild_from_type_v2\nh\x00R", "a class that isn't known"},
		{"deep list", strings.Repeat("]", 5e5) + strings.Repeat("a", 5e5-1), "nested in more than 1000"},
		{"deep tuple", "N" + strings.Repeat("\x85", 1e6), "nested in more than 1000"},
		{"deep by references", "N" + strings.Repeat("\x85", 900) + "\x94" + "h\x00" + strings.Repeat("\x85", 900) + "\x86", "nested in more than 1000"},
		{"billion laughs of lists", laughs("(h%h%h%h%h%h%h%h%h%h%t", 12), "references multiply"},
		{"billion laughs of dicts", laughs("}(K\x00h%K\x01h%u", 40), "references multiply"},
		{"billion laughs of states", laughs("ctorch\nSize\n(h%tRh%b", 40), "references multiply"},
		{"too many instructions", strings.Repeat("N0", maxSteps/2), "more than 1048576 instructions"},
		{"OrderedDicts of one list", "](" + strings.Repeat("NN\x86", 1e5) + "e\x85\x94ccollections\nOrderedDict\n\x94" + strings.Repeat("h\x01h\x00R0", 1e5), "more than 1048576 instructions"},
		{"bytes of one text", "X\x00\x00\x10\x00" + strings.Repeat("a", 1<<20) + text("latin1") + "\x86\x94c_codecs\nencode\n\x94" + strings.Repeat("h\x01h\x00R0", 1e4), "more than 1048576 instructions"},
		{"tensors of many dimensions", "ctorch._utils\n_rebuild_tensor_v2\n\x94(" + stored("FloatStorage", "0", 4) + "K\x00" + strings.Repeat(tuple(strings.Repeat("K\x01", 64)), 2) + "t\x94" +
			strings.Repeat("h\x00h\x01R0", 1e4), "more than 1048576 instructions"},
		{"named arguments", "(" + strings.Repeat("N", 1e5) + "t\x94ctorch\nSize\n\x94" + strings.Repeat("h\x01h\x00}\x920", 1e4), "more than 1048576 instructions"},
	} {
		t.Run(tt.name, func(t *testing.T) { refused(t, saved(tt.body, floats(4)), tt.want) })
	}
}

// laughs repeats value, in which h% stands for the value before it.
func laughs(value string, times int) string {
	var b strings.Builder
	b.WriteString("N\x94")
	for i := range times {
		b.WriteString(strings.ReplaceAll(value, "h%", "h"+string([]byte{byte(i)})) + "\x94")
	}
	return b.String()
}

func TestBadTensors(t *testing.T) {
	const big = math.MaxInt64
	one := stored("FloatStorage", "0", 4)
	typed := func(dtype string) string {
		return called("torch._utils", "_rebuild_tensor_v3", stored("UntypedStorage", "0", 16), integer(0), integers64(4), integers64(1), "\x89", "}", "ctorch\n"+dtype+"\n")
	}
	for _, tt := range []struct{ name, body, want string }{
		{"shape beyond the storage", viewed(one, 0, []int64{5}, []int64{1}), "tensor of shape [5] and strides [1] at 0: its storage has 4"},
		{"offset beyond the storage", viewed(one, 1, []int64{4}, []int64{1}), "at 1: its storage has 4"},
		{"stride beyond the storage", viewed(one, 0, []int64{2}, []int64{4}), "its storage has 4"},
		{"strides that sum up", viewed(one, 0, []int64{2, 2}, []int64{2, 2}), "its storage has 4"},
		{"negative offset", viewed(one, -1, []int64{1}, []int64{1}), "at -1"},
		{"negative size", viewed(one, 0, []int64{-1}, []int64{1}), "shape [-1] has a negative dimension"},
		{"negative stride", viewed(one, 3, []int64{2}, []int64{-1}), "strides [-1]"},
		{"size that overflows", viewed(one, 0, []int64{1 << 32, 1 << 32}, []int64{0, 0}), "overflows"},
		{"bytes that overflow", viewed(one, 0, []int64{1 << 62}, []int64{0}), "overflows"},
		{"stride that overflows", viewed(one, 0, []int64{3}, []int64{big}), "strides"},
		{"strides whose sum overflows", viewed(one, 0, []int64{2, 2, 2}, []int64{big / 2, big / 2, big / 2}), "strides"},
		{"offset that overflows", viewed(one, big, []int64{2}, []int64{1}), "strides"},
		{"repetition", viewed(one, 0, []int64{1 << 24, 2}, []int64{0, 0}), "repeats 4 elements to more than 16777216"},
		{"65 dimensions", viewed(one, 0, make([]int64, 65), make([]int64, 65)), "without offset, shape and strides"},
		{"strides for another shape", viewed(one, 0, []int64{1, 1}, []int64{1}), "without offset, shape and strides"},
		{"shape of strings", called("torch._utils", "_rebuild_tensor_v2", one, integer(0), tuple(text("a")), integers64(1)), "without offset, shape"},
		{"no storage", called("torch._utils", "_rebuild_tensor_v2", "N", integer(0), ")", ")"), "a tensor of <nil>, want a storage"},
		{"no arguments", called("torch._utils", "_rebuild_tensor_v2"), "a tensor of 0 arguments"},
		{"no type", called("torch._utils", "_rebuild_tensor_v3", one), "a tensor of 1 arguments"},
		{"type that isn't one", typed("load"), `elements of "torch.load"`},
		{"more than the untyped storage", typed("float64"), "its storage has 2 elements"},
		{"identifier that isn't a tuple", "NQ", "doesn't name a storage"},
		{"identifier of something else", tuple(text("module"), "N", "N", "N", "N") + "Q", "doesn't name a storage"},
		{"short identifier", tuple(text("storage")) + "Q", "doesn't name a storage"},
		{"identifier of wrong types", tuple(text("storage"), "N", "N", "N", "N") + "Q", "without class, key"},
		{"complex storage", stored("ComplexFloatStorage", "0", 2), `elements of "torch.ComplexFloatStorage"`},
		{"storage that isn't PyTorch's", tuple(text("storage"), "cnumpy\nFloatStorage\n", text("0"), "N", integer(4)) + "Q", `elements of "numpy.FloatStorage"`},
		{"negative count", stored("FloatStorage", "0", -1), `storage "0": -1 elements`},
		{"count that overflows", stored("FloatStorage", "0", 1<<62), "4611686018427387904 elements"},
		{"count beyond the record", stored("FloatStorage", "0", 5), `data/0": 16 bytes, want 20 for 5 elements of F32`},
		{"count short of the record", stored("FloatStorage", "0", 3), "16 bytes, want 12"},
		{"two types", tuple(one, stored("IntStorage", "0", 4)), "4 of F32 in one place and 4 of I32 in another"},
		{"two counts", tuple(one, stored("FloatStorage", "0", 2)), "4 of F32 in one place and 2 of F32"},
		{"no record", stored("FloatStorage", "1", 4), `no zip record "any name/data/1"`},
		{"path", stored("FloatStorage", "../../data.pkl", 4), `no zip record "any name/data/../../data.pkl"`},
		{"absolute path", stored("FloatStorage", "/etc/passwd", 4), `no zip record "any name/data//etc/passwd"`},
	} {
		t.Run(tt.name, func(t *testing.T) { refused(t, saved(tt.body, floats(4)), tt.want) })
	}
}

func TestBadZipFiles(t *testing.T) {
	good := saved(stored("FloatStorage", "0", 4), floats(4))
	pickle := record{"a/data.pkl", pickled("N")}
	for _, tt := range []struct {
		name string
		file []byte
		want string
	}{
		{"no records", append([]byte("PK\x03\x04"), zipped()...), "empty zip file"},
		{"no pickle", zipped(record{"a/data/0", ""}), `no record "a/data.pkl"`},
		{"pickle in another folder", zipped(record{"a/version", "3"}, record{"b/data.pkl", pickled("N")}), `no record "a/data.pkl"`},
		{"empty pickle", zipped(record{"a/data.pkl", ""}), "ends without a STOP"},
		{"TorchScript", zipped(pickle, record{"a/constants.pkl", ""}), "TorchScript"},
		{"big-endian", zipped(pickle, record{"a/byteorder", "big"}), `byte order "big", want little`},
		{"member twice", zipped(pickle, pickle), `zip record "a/data.pkl": there twice`},
		{"compressed", zippedAs(zip.FileHeader{Method: zip.Deflate}, pickle), "compressed or encrypted"},
		{"encrypted", zippedAs(zip.FileHeader{Flags: 1}, pickle), "compressed or encrypted"},
		{"truncated", good[:len(good)-30], "truncated or damaged"},
		{"start only", []byte("PK\x03\x04"), "truncated or damaged"},
		{"large pickle", zipped(record{"a/data.pkl", strings.Repeat("N", maxPickle+1)}), "67108865 bytes, want 67108864 or fewer"},
		{"large directory", zipped(manyRecords(200_000, pickle)...), "zip directory of more than 8388608 bytes"},
		{"record beyond the file", []byte(strings.ReplaceAll(string(zipped(pickle)), "\x04\x00\x00\x00\x04\x00\x00\x00", "\x00\x00\x01\x00\x00\x00\x01\x00")), "65536 bytes at"},
	} {
		t.Run(tt.name, func(t *testing.T) { refused(t, tt.file, tt.want) })
	}
	for n := range good {
		if _, err := openBytes(good[:n]); err == nil {
			t.Errorf("%d of %d bytes: no error", n, len(good))
		}
	}
}

// manyRecords adds n empty records.
func manyRecords(n int, records ...record) []record {
	for i := range n {
		records = append(records, record{name: strconv.FormatInt(int64(i), 36)})
	}
	return records
}

func TestBadLegacyFiles(t *testing.T) {
	one := tuple(text("storage"), "ctorch\nFloatStorage\n", text("a"), text("cpu"), integer(2), "N") + "Q"
	part := func(offset, size string) string {
		return strings.Replace(one, "NtQ", tuple(text("b"), offset, size)+"tQ", 1)
	}
	keys, two := tuple(text("a")), "\x02\x00\x00\x00\x00\x00\x00\x00"+floats(2)
	good := legacy(one, keys, two)
	for _, tt := range []struct {
		name string
		file []byte
		want string
	}{
		{"another pickle", []byte(pickled("N")), "not a file of torch.save"},
		{"another number", []byte(pickled(integer(1))), "not a file of torch.save"},
		{"another version", []byte(magicPickle + pickled("K\x01")), "not the version 1001"},
		{"magic number only", []byte(magicPickle), "ends without a STOP"},
		{"facts that aren't a dict", []byte(magicPickle + versionPickle + pickled("N")), "the third pickle is not a dict"},
		{"big-endian", []byte(magicPickle + versionPickle + pickled("}"+text("little_endian")+"\x89s")), "byte order not little"},
		{"keys that aren't a list", legacy("N", "N", ""), "the fifth pickle is not a list"},
		{"storage that isn't listed", legacy(one, "]", ""), `storage "a": not in the file`},
		{"storage without a tensor", legacy("N", keys, two), `storage "a": there twice, or without a tensor`},
		{"storage listed twice", legacy(one, tuple(text("a"), text("a")), two+two), `storage "a": there twice`},
		{"key that isn't a string", legacy(one, tuple("N"), two), `storage "": there twice, or without`},
		{"another count", legacy(one, keys, "\x01"+two[1:]), `storage "a": 1 elements, want 2`},
		{"truncated elements", good[:len(good)-1], `storage "a": 7 bytes left, want 8: truncated`},
		{"truncated count", good[:len(good)-9], `storage "a": EOF: truncated`},
		{"part beyond the storage", legacy(part(integer(1), integer(2)), keys, two), "part of 2 elements at 1, it has 2"},
		{"part that overflows", legacy(part(integer(1), integer(math.MaxInt64)), keys, two), "part of 9223372036854775807 elements at 1, it has 2"},
		{"negative part", legacy(part(integer(-1), integer(1)), keys, two), "part of 1 elements at -1"},
		{"part of strings", legacy(part(text("x"), integer(1)), keys, two), "part of 1 elements at 0, it has 2"},
		{"part of one", legacy(strings.Replace(one, "NtQ", tuple("N")+"tQ", 1), keys, two), "a part without key, offset and size"},
		{"identifier in the keys", legacy("N", one, ""), "an identifier that doesn't name a storage"},
	} {
		t.Run(tt.name, func(t *testing.T) { refused(t, tt.file, tt.want) })
	}
	for n := range good {
		if _, err := openBytes(good[:n]); err == nil {
			t.Errorf("%d of %d bytes: no error", n, len(good))
		}
	}
}

func TestFilesOfOtherKinds(t *testing.T) {
	dir := t.TempDir()
	for _, tt := range []struct{ name, content, want string }{
		{"empty", "", "the file is empty"},
		{"tar", strings.Repeat("\x00", 257) + "ustar  \x00" + strings.Repeat("\x00", 1000), "a tar archive"},
		{"video.mp4", "\x00\x00\x00\x20ftypisom" + strings.Repeat("\x00\x01isomavc1", 100), "not a file of torch.save"},
		{"safetensors", "\x02\x00\x00\x00\x00\x00\x00\x00{}", "not a file of torch.save"},
		{"text", "hello\n", "not a file of torch.save"},
		{"zeros", strings.Repeat("\x00", 1<<16), "not a file of torch.save"},
	} {
		path := filepath.Join(dir, tt.name)
		if err := os.WriteFile(path, []byte(tt.content), 0o666); err != nil {
			t.Fatal(err)
		}
		if f, err := Open(path); f != nil || err == nil || !strings.HasPrefix(err.Error(), path+": ") || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %s: ... %s", tt.name, err, path, tt.want)
		}
	}
	if _, err := Open(dir); err == nil || err.Error() != dir+": not a regular file" {
		t.Errorf("directory: %v", err)
	}
	if _, err := Open(filepath.Join(dir, "missing")); !os.IsNotExist(err) {
		t.Errorf("missing file: %v", err)
	}
}

// What takes the most memory for an instruction or a byte, as often as the limits allow.
func TestMemoryIsBounded(t *testing.T) {
	fill := func(start, repeated, end string, steps int) string {
		n := (maxSteps - 1000) / steps
		return "\x80\x02" + start + strings.Repeat(repeated, n) + end + "."
	}
	files := map[string][]byte{}
	for _, tt := range []struct{ name, pickle string }{
		{"records", pickled("N")},
		{"empty lists", fill("(", "]", "t", 1)},
		{"empty dicts", fill("(", "}", "t", 1)},
		{"memo", fill("(", "}\x94", "t", 2)},
		{"dicts of one", fill("(", "}NNs", "t", 4)},
		{"dicts of nine", fill("(", "}(NNK\x01NK\x02NK\x03NK\x04NK\x05NK\x06NK\x07NK\x08Nu", "t", 21)},
		{"a large dict", fill("}(", "NN", "u", 2)},
		{"keys of a large dict", fill("}(", "M\x00\x00N", "u", 2)},
		{"integers", fill("(", "M\xff\xff", "t", 1)},
		{"integers of nine bytes", fill("(", "\x8a\x09\x01\x01\x01\x01\x01\x01\x01\x01\x01", "t", 1)},
		{"tuples", fill("N(", "N\x85", "t", 2)},
		{"objects", fill("(ctorch\nSize\n\x94", "h\x00)R", "t", 3)},
		{"objects with items", fill("(ctorch\nSize\n\x94", "h\x00)RNNs", "t", 6)},
		{"classes", fill("(", "ctorch\nx\n", "t", 1)},
		{"marks", fill("", "(", "", 1)},
		{"tensors", fill("(ctorch._utils\n_rebuild_tensor_v2\n\x94("+stored("FloatStorage", "0", 1)+"K\x00"+tuple("K\x01")+tuple("K\x01")+"t\x94", "h\x00h\x01R", "t", 5)},
		{"tensors of many dimensions", fill("(ctorch._utils\n_rebuild_tensor_v2\n\x94("+stored("FloatStorage", "0", 1)+"K\x00"+tuple(strings.Repeat("K\x01", 64))+tuple(strings.Repeat("K\x01", 64))+"t\x94", "h\x00h\x01R", "t", 131)},
		{"storages", fill("("+stored("FloatStorage", "0", 1)+"\x94", "h\x00", "t", 1)},
		{"text, classes and records", fill("("+strings.Repeat("X\x00\x00\x10\x00"+strings.Repeat("a", 1<<20), 52), "ctorch\nx\n", "t", 1)},
		{"text", "\x80\x02" + "(" + strings.Repeat("X\x00\x00\x10\x00"+strings.Repeat("a", 1<<20), 63) + "t."},
		{"bytes of one text", "\x80\x02(" + "X\x00\x00\x10\x00" + strings.Repeat("a", 1<<20) + text("latin1") + "\x86\x94c_codecs\nencode\n\x94" + strings.Repeat("h\x01h\x00R", 63) + "t."},
	} {
		records := []record{{"a/data.pkl", tt.pickle}, {"a/data/0", floats(1)}}
		if strings.Contains(tt.name, "records") {
			records = manyRecords(150_000, records...)
		}
		files[tt.name] = zipped(records...)
	}
	for name, b := range files {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			f, err := openBytes(b)
			runtime.ReadMemStats(&after)
			got := (after.TotalAlloc - before.TotalAlloc) >> 20
			if got >= 512 || err != nil && name != "marks" {
				t.Errorf("%d MiB allocated, want less than 512, error %v", got, err)
			}
			t.Logf("%d MiB, %v", got, err)
			runtime.KeepAlive(f)
		})
	}
}

func TestReadErrorsNameTheFile(t *testing.T) {
	b := saved(stored("FloatStorage", "0", 4), floats(4))
	f := mustOpen(t, b)
	f.data = readerAt{}
	if _, err := f.Root().(*Tensor).Float32s(); err == nil || err.Error() != "mem: tensor of shape [4]: timeout" {
		t.Errorf("%v", err)
	}
	if _, err := newFile("mem", readerAt{}, 100, false); err == nil || err.Error() != "mem: timeout" {
		t.Errorf("%v", err)
	}
}

// readerAt fails always.
type readerAt struct{}

func (readerAt) ReadAt([]byte, int64) (int, error) { return 0, iotest.ErrTimeout }

// refused wants an error of one line that begins with the path.
func refused(t *testing.T, file []byte, want string) {
	t.Helper()
	_, err := openBytes(file)
	if err == nil || !strings.HasPrefix(err.Error(), "mem: ") || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") || len(err.Error()) > 1000 {
		t.Errorf("error %v, want mem: ... %s", err, want)
	}
}
