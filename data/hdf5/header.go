package hdf5

import "fmt"

// The types of header messages that matter here.
const (
	msgDataspace    = 0x0001
	msgLinkInfo     = 0x0002
	msgDatatype     = 0x0003
	msgOldFill      = 0x0004
	msgFill         = 0x0005
	msgLink         = 0x0006
	msgExternal     = 0x0007
	msgLayout       = 0x0008
	msgFilters      = 0x000b
	msgContinuation = 0x0010
	msgSymbolTable  = 0x0011
)

// The flags of a header message that matter here.
const (
	flagShared       = 0x02 // the message stands elsewhere
	flagFailUnlessOK = 0x80 // who doesn't know the message must not read the object
)

// known are messages that are read here, or that say nothing about an object's values.
var known = map[uint64]bool{
	0: true, msgDataspace: true, msgLinkInfo: true, msgDatatype: true, msgOldFill: true, msgFill: true, msgLink: true,
	msgExternal: true, msgLayout: true, 0x000a: true, msgFilters: true, 0x000c: true, 0x000d: true, 0x000e: true,
	msgContinuation: true, msgSymbolTable: true, 0x0012: true, 0x0013: true, 0x0016: true,
}

// header reads the messages of an object header version 1, by type. Of several messages of one type
// it keeps the first. Attributes are left out.
func (f *File) header(o Object) (map[uint64][]byte, error) {
	w := f.walk()
	prefix, err := w.read(uint64(o), 16)
	if err != nil {
		return nil, fmt.Errorf("object header: %w", err)
	}
	if string(prefix[:4]) == "OHDR" {
		return nil, fmt.Errorf("object header at %#x: version 2, want 1: write the file anew with h5py's default settings", uint64(o))
	}
	c := cursor{b: prefix}
	if version := c.number(1); version != 1 {
		return nil, fmt.Errorf("object header at %#x: version %d, want 1", uint64(o), version)
	}
	c.bytes(7) // reserved; the number of messages, which the blocks' sizes say as well; links to it
	type block struct{ address, size uint64 }
	blocks := []block{{uint64(o) + 16, c.number(4)}}
	messages := map[uint64][]byte{}
	for len(blocks) > 0 {
		body, err := w.read(blocks[0].address, blocks[0].size)
		if err != nil {
			return nil, fmt.Errorf("object header at %#x: %w", uint64(o), err)
		}
		blocks = blocks[1:]
		for c := (cursor{b: body}); len(c.b) >= 8; {
			kind, size, flags := c.number(2), c.number(2), c.number(1)
			c.bytes(3)
			data := c.bytes(size)
			if c.cut {
				return nil, fmt.Errorf("damaged: object header at %#x: message %#x of %d bytes is cut off", uint64(o), kind, size)
			}
			if !known[kind] && flags&flagFailUnlessOK != 0 {
				return nil, fmt.Errorf("object header at %#x: message %#x is not known, and the file says that it must be", uint64(o), kind)
			}
			if known[kind] && flags&flagShared != 0 && kind != 0x000c {
				return nil, fmt.Errorf("object header at %#x: message %#x is shared with other objects, which is not supported", uint64(o), kind)
			}
			if kind == msgContinuation {
				at := cursor{b: data}
				next := block{at.number(8), at.number(8)}
				if at.cut || next.size == 0 {
					return nil, fmt.Errorf("damaged: object header at %#x: continuation of %d bytes", uint64(o), next.size)
				}
				blocks = append(blocks, next)
			} else if _, ok := messages[kind]; !ok {
				messages[kind] = data
			}
		}
	}
	return messages, nil
}
