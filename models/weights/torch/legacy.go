package torch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/big"
)

const (
	legacyMagic    = "1950a86a20f9469cfc6c" // hexadecimal
	legacyProtocol = 1001
)

// A legacy file is five pickles, the magic number, a version, facts about the machine, the object
// and the list of the storages' keys, and the storages in that order: an int64 number of elements,
// then the elements.
func (f *File) readLegacy() error {
	f.unsummed = true
	in := newInput(io.NewSectionReader(f.data, 0, f.size), min(f.size, maxPickle))
	magic, err := in.unpickle(nil)
	if n, ok := magic.(*big.Int); f.plain && (!ok || n.Text(16) != legacyMagic) {
		f.root = magic
		return f.checkPlain(in.read, err)
	}
	if n, ok := magic.(*big.Int); err != nil || !ok || n.Text(16) != legacyMagic {
		return errors.New("neither a zip file nor one with the magic number of PyTorch's legacy form: not a file of torch.save")
	}
	version, err := in.unpickle(nil)
	if err != nil {
		return err
	}
	if version != any(int64(legacyProtocol)) {
		return fmt.Errorf("the second pickle is not the version %d: not a file of torch.save", legacyProtocol)
	}
	machine, err := in.unpickle(nil)
	if err != nil {
		return err
	}
	facts, ok := machine.(*Dict)
	if !ok {
		return errors.New("the third pickle is not a dict: not a file of torch.save")
	}
	if little, _ := facts.Get("little_endian"); little != any(true) {
		return errors.New("byte order not little, or not given")
	}
	if f.root, err = in.unpickle(f.persistent); err != nil {
		return err
	}
	keys, err := in.unpickle(nil)
	if err != nil {
		return err
	}
	list, ok := keys.(*list)
	if !ok {
		return errors.New("the fifth pickle is not a list of storages: not a file of torch.save")
	}
	return f.placeStorages(list.items, in.read)
}

// checkPlain makes sure that a file is a pickle of read bytes and nothing else, given the pickle's
// error.
func (f *File) checkPlain(read int64, err error) error {
	var start [1]byte
	if _, err := f.data.ReadAt(start[:], 0); err != nil {
		return err
	}
	switch {
	case start[0] != protoInstruction:
		return errors.New("neither a zip file nor a pickle of protocol 2 or later")
	case f.size > maxPickle:
		return fmt.Errorf("a pickle of %d bytes, want %d or fewer", f.size, maxPickle)
	case err == nil && read != f.size:
		return fmt.Errorf("%d bytes behind the pickle, want none", f.size-read)
	}
	return err
}

// placeStorages finds the storages, which lie one after the other from at on.
func (f *File) placeStorages(keys []any, at int64) error {
	for _, k := range keys {
		key, _ := k.(string)
		s := f.storages[key]
		if s == nil || s.at >= 0 {
			return fmt.Errorf("storage %.40q: there twice, or without a tensor", key)
		}
		var count [8]byte
		if _, err := f.data.ReadAt(count[:], at); err != nil {
			return fmt.Errorf("storage %.40q: %w: truncated", key, err)
		}
		if n := int64(binary.LittleEndian.Uint64(count[:])); n != s.count {
			return fmt.Errorf("storage %.40q: %d elements, want %d", key, n, s.count)
		}
		s.at = at + int64(len(count))
		if left := f.size - s.at; s.count*s.width > left {
			return fmt.Errorf("storage %.40q: %d bytes left, want %d: truncated", key, left, s.count*s.width)
		}
		at = s.at + s.count*s.width
	}
	for key, s := range f.storages {
		if s.at < 0 {
			return fmt.Errorf("storage %.40q: not in the file", key)
		}
	}
	return nil
}
