package hdf5

import (
	"bytes"
	"fmt"
)

// The sizes in bytes of a tree node's head, and of a symbol table's head and entry.
const (
	treeHead    = 24
	symbolHead  = 8
	symbolEntry = 40
)

// Group lists what a group holds, by name. It fails if o is a data set, or holds links to other
// names or files.
func (f *File) Group(o Object) (map[string]Object, error) {
	messages, err := f.header(o)
	if err != nil {
		return nil, err
	}
	table, ok := messages[msgSymbolTable]
	if !ok {
		if messages[msgLinkInfo] != nil || messages[msgLink] != nil {
			return nil, fmt.Errorf("group at %#x: its links are stored in the newer layout, want a symbol table: "+
				"write the file anew with h5py's default settings", uint64(o))
		}
		return nil, fmt.Errorf("object at %#x: no group", uint64(o))
	}
	c := cursor{b: table}
	tree, heap := c.number(8), c.number(8)
	if c.cut {
		return nil, fmt.Errorf("damaged: group at %#x: symbol table message of %d bytes, want 16", uint64(o), len(table))
	}
	g := groupReader{walk: f.walk(), links: map[string]Object{}}
	if g.names, err = g.heap(heap); err == nil {
		err = g.tree(tree, -1)
	}
	if err != nil {
		return nil, fmt.Errorf("group at %#x: %w", uint64(o), err)
	}
	return g.links, nil
}

// groupReader collects the links of one group.
type groupReader struct {
	*walk
	names []byte // the data of the local heap: names that end in a zero byte
	links map[string]Object
}

// heap reads the data of a local heap.
func (g *groupReader) heap(address uint64) ([]byte, error) {
	head, err := g.read(address, 32)
	if err != nil {
		return nil, fmt.Errorf("local heap: %w", err)
	}
	if string(head[:4]) != "HEAP" || head[4] != 0 {
		return nil, fmt.Errorf("damaged: no local heap version 0 at %#x", address)
	}
	c := cursor{b: head[8:]}
	size := c.number(8)
	c.number(8) // where the list of free space begins
	data, err := g.read(c.number(8), size)
	if err != nil {
		return nil, fmt.Errorf("local heap: %w", err)
	}
	return data, nil
}

// tree reads a node of the group's B-tree version 1 and all below it. level is the node's, which is
// 0 above symbol tables; -1 stands for any at the root. As levels only fall, a tree can't be
// cyclic.
func (g *groupReader) tree(address uint64, level int) error {
	head, err := g.read(address, treeHead)
	if err != nil {
		return fmt.Errorf("tree of links: %w", err)
	}
	n, err := treeNode(head, address, 0, level, 2*g.f.internalK)
	if err != nil {
		return err
	}
	body, err := g.read(address+treeHead, uint64(n*16))
	if err != nil {
		return fmt.Errorf("tree of links: %w", err)
	}
	level = int(head[5])
	for c := (cursor{b: body}); len(c.b) > 0 && err == nil; {
		c.number(8) // the key is a name, by which a single link could be looked up
		if child := c.number(8); level > 0 {
			err = g.tree(child, level-1)
		} else {
			err = g.symbols(child)
		}
	}
	return err
}

// treeNode checks the head of a B-tree node of a kind, 0 for groups and 1 for chunks, and returns
// how many children it has, at most limit.
func treeNode(head []byte, address uint64, kind byte, level, limit int) (int, error) {
	c := cursor{b: head[6:]}
	n := int(c.number(2))
	switch {
	case string(head[:4]) != "TREE" || head[4] != kind:
		return 0, fmt.Errorf("damaged: no B-tree node of kind %d at %#x", kind, address)
	case level >= 0 && int(head[5]) != level:
		return 0, fmt.Errorf("damaged: the B-tree node at %#x has level %d, want %d: the tree is cyclic or broken", address, head[5], level)
	case n > limit:
		return 0, fmt.Errorf("damaged: the B-tree node at %#x has %d children, want up to %d", address, n, limit)
	}
	return n, nil
}

// symbols adds the links of a symbol table node.
func (g *groupReader) symbols(address uint64) error {
	head, err := g.read(address, symbolHead)
	if err != nil {
		return fmt.Errorf("symbol table: %w", err)
	}
	c := cursor{b: head[6:]}
	n := c.number(2)
	if string(head[:4]) != "SNOD" || head[4] != 1 || n > uint64(2*g.f.leafK) {
		return fmt.Errorf("damaged: no symbol table node version 1 with up to %d entries at %#x", 2*g.f.leafK, address)
	}
	body, err := g.read(address+symbolHead, n*symbolEntry)
	if err != nil {
		return fmt.Errorf("symbol table: %w", err)
	}
	for c := (cursor{b: body}); len(c.b) > 0; {
		name, object, cached := c.number(8), Object(c.number(8)), c.number(4)
		c.bytes(20) // reserved, and what the entry caches of the object
		if err := g.add(name, object, cached); err != nil {
			return err
		}
	}
	return nil
}

// add adds a link whose name stands at an offset of the heap. cached says what the entry caches: 2
// is the text of a soft link.
func (g *groupReader) add(offset uint64, object Object, cached uint64) error {
	var name []byte
	if offset < uint64(len(g.names)) {
		name, _, _ = bytes.Cut(g.names[offset:], []byte{0})
	}
	// A name is at most 64 KiB long, and paid for like a part that is read: otherwise many entries
	// with one long name would fill the memory.
	if len(name) == 0 || len(name) > 1<<16 || uint64(len(name)) > g.left {
		return fmt.Errorf("damaged: a link has no name at offset %d of the heap", offset)
	}
	g.left -= uint64(len(name))
	if cached == 2 || uint64(object) == undefined {
		return fmt.Errorf("%q is a soft link, which is not supported", name)
	}
	if _, twice := g.links[string(name)]; twice {
		return fmt.Errorf("damaged: two links have the name %q", name)
	}
	g.links[string(name)] = object
	return nil
}
