package backend

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// tree is a file system in a temporary folder, with the home of a user.
type tree struct {
	*testing.T
	root string
}

func newTree(t *testing.T) tree {
	t.Helper()
	root := filepath.Join(t.TempDir(), "root") // without what the name of a test brings into the path
	return tree{t, root}
}

func (r tree) home() string { return filepath.Join(r.root, "home/ann") }

// look describes the tree as a machine that runs a program with XLA in it; environ adds to HOME.
func (r tree) look(environ ...string) machine {
	return look(r.root, append([]string{"HOME=" + r.home()}, environ...), "")
}

func (r tree) write(path, text string) string {
	r.Helper()
	path = filepath.Join(r.root, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		r.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		r.Fatal(err)
	}
	return path
}

// Where install-xla.sh puts the plugins.
const (
	ownCPU  = "home/ann/.local/share/mcvd/xla/cpu/xla_plugins/xla_cpu_pjrt/xla_cpu_pjrt.so"
	ownCUDA = "home/ann/.local/share/mcvd/xla/cuda13/jax_plugins/xla_cuda13/xla_cuda_plugin.so"
)

// ourFlags are those that are added to XLA_FLAGS.
var ourFlags = []string{"xla_cpu_prefer_vector_width", "xla_gpu_cuda_data_dir", "xla_gpu_per_fusion_autotune_cache_dir"}

// plugin writes a file that looks like a plugin that knows our flags.
func (r tree) plugin(path string) string {
	r.Helper()
	return r.write(path, sharedLibrary{}.text())
}

// sharedLibrary is the little of a shared library that is read before one is loaded.
type sharedLibrary struct {
	machine elf.Machine // default: this machine's
	kind    elf.Type    // default: a shared library
	symbol  string      // default: GetPjrtApi
	flags   []string    // default: ours
}

func (l sharedLibrary) text() string {
	if l.machine == 0 {
		l.machine = elfMachine[runtime.GOARCH]
	}
	if l.kind == 0 {
		l.kind = elf.ET_DYN
	}
	if l.symbol == "" {
		l.symbol = "GetPjrtApi"
	}
	if l.flags == nil {
		l.flags = ourFlags
	}
	names := "\x00.dynsym\x00.dynstr\x00.rodata\x00.shstrtab\x00"
	symbols := "\x00" + l.symbol + "\x00"
	constants := "\x00" + strings.Join(l.flags, "\x00") + "\x00"
	const headers, symbolTable = 64 + 56, 2 * elf.Sym64Size
	at := struct{ dynsym, dynstr, rodata, shstrtab, sections uint64 }{dynsym: headers}
	at.dynstr = at.dynsym + symbolTable
	at.rodata = at.dynstr + uint64(len(symbols))
	at.shstrtab = at.rodata + uint64(len(constants))
	at.sections = at.shstrtab + uint64(len(names))

	var out bytes.Buffer
	put := func(parts ...any) {
		for _, part := range parts {
			if err := binary.Write(&out, binary.LittleEndian, part); err != nil {
				panic(err)
			}
		}
	}
	name := func(s string) uint32 { return uint32(strings.Index(names, s)) }
	put(elf.Header64{
		Ident: [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
		Type:  uint16(l.kind), Machine: uint16(l.machine), Version: uint32(elf.EV_CURRENT),
		Phoff: 64, Shoff: at.sections, Ehsize: 64, Phentsize: 56, Phnum: 1, Shentsize: 64, Shnum: 5, Shstrndx: 4,
	}, elf.Prog64{Type: uint32(elf.PT_LOAD), Filesz: at.sections, Memsz: at.sections},
		elf.Sym64{}, elf.Sym64{Name: 1, Info: byte(elf.STB_GLOBAL)<<4 | byte(elf.STT_FUNC), Shndx: 3},
		[]byte(symbols+constants+names),
		elf.Section64{},
		elf.Section64{Name: name(".dynsym"), Type: uint32(elf.SHT_DYNSYM), Off: at.dynsym, Size: symbolTable, Link: 2, Entsize: elf.Sym64Size},
		elf.Section64{Name: name(".dynstr"), Type: uint32(elf.SHT_STRTAB), Off: at.dynstr, Size: uint64(len(symbols))},
		elf.Section64{Name: name(".rodata"), Type: uint32(elf.SHT_PROGBITS), Off: at.rodata, Size: uint64(len(constants))},
		elf.Section64{Name: name(".shstrtab"), Type: uint32(elf.SHT_STRTAB), Off: at.shstrtab, Size: uint64(len(names))})
	return out.String()
}
