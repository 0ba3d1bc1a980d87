package backend

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"strings"
)

// check says why a file can't be a plugin of PJRT for this machine. The dynamic loader would report
// most reasons, too, but at a file that is cut off it kills the process.
func check(path string) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: no such file", path)
	}
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s: not a file, want a plugin (a shared library)", path)
	}
	f, err := elf.Open(path)
	if err != nil {
		return fmt.Errorf("%s: broken or not a shared library (%v)", path, err)
	}
	defer f.Close()
	if want := elfMachine[runtime.GOARCH]; f.Machine != want || f.Type != elf.ET_DYN {
		return fmt.Errorf("%s: %v for %v, want a shared library for %v", path, f.Type, f.Machine, want)
	}
	for _, p := range f.Progs {
		if end := p.Off + p.Filesz; end > uint64(info.Size()) {
			return fmt.Errorf("%s: cut off: %d bytes, its header speaks of %d or more", path, info.Size(), end)
		}
	}
	symbols, err := f.DynamicSymbols()
	if err != nil {
		return fmt.Errorf("%s: broken: %v", path, err)
	}
	if !slices.ContainsFunc(symbols, func(s elf.Symbol) bool { return s.Name == "GetPjrtApi" && s.Section != elf.SHN_UNDEF }) {
		return fmt.Errorf("%s: a shared library, but no plugin of PJRT (it has no function GetPjrtApi)", path)
	}
	return nil
}

var elfMachine = map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}

// unknownFlags lists the flags that a plugin doesn't know, because XLA would end the process at
// them. The names of known flags are read from the plugin's constants, 10 to 25 MB.
func unknownFlags(path string, flags []string) ([]string, error) {
	f, err := elf.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	section := f.Section(".rodata")
	if section == nil {
		return nil, nil
	}
	constants, err := section.Data()
	if err != nil {
		return nil, err
	}
	var unknown []string
	for _, flag := range flags {
		name, _, _ := strings.Cut(strings.TrimPrefix(flag, "--"), "=")
		if !bytes.Contains(constants, []byte(name+"\x00")) {
			unknown = append(unknown, flag)
		}
	}
	return unknown, nil
}
