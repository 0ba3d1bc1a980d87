package hdf5

import "fmt"

// chunkK is half of the children of a node of the tree of chunks: superblock version 0 has no
// setting for it.
const chunkK = 32

// chunkReader copies chunks into the array of a data set.
type chunkReader struct {
	*walk
	d    *Dataset
	to   []byte
	next int // the number of the first chunk that may come next, row-major; chunks come in order
}

// readChunks reads all chunks. Elements of chunks that were never written get the fill value.
func (d *Dataset) readChunks(to []byte) error {
	d.blank(to)
	r := chunkReader{walk: d.f.walk(), d: d, to: to}
	if err := r.tree(d.layout.address, -1); err != nil {
		return fmt.Errorf("chunks: %w", err)
	}
	return nil
}

// tree reads a node of the B-tree of chunks and all below it; see [groupReader.tree].
func (r *chunkReader) tree(address uint64, level int) error {
	head, err := r.read(address, treeHead)
	if err != nil {
		return err
	}
	n, err := treeNode(head, address, 1, level, 2*chunkK)
	if err != nil {
		return err
	}
	key := uint64(8 + 8*(len(r.d.Shape)+1))
	body, err := r.read(address+treeHead, uint64(n)*(key+8))
	if err != nil {
		return err
	}
	level = int(head[5])
	for c := (cursor{b: body}); len(c.b) > 0 && err == nil; {
		size, skipped := c.number(4), c.number(4)
		corner := make([]int, len(r.d.Shape))
		for axis := range corner {
			corner[axis] = int(min(c.number(8), maxBytes))
		}
		c.number(8) // where in an element the chunk begins: 0
		if child := c.number(8); level > 0 {
			err = r.tree(child, level-1)
		} else {
			err = r.chunk(child, size, skipped, corner)
		}
	}
	return err
}

// chunk reads the chunk of size bytes at an address whose first element has the place corner in the
// array. The bits of skipped say which filters were not applied to it.
func (r *chunkReader) chunk(address, size, skipped uint64, corner []int) error {
	d := r.d
	number := 0
	for axis, at := range corner {
		n := d.layout.chunk[axis]
		if at >= d.Shape[axis] || at%n != 0 {
			return fmt.Errorf("damaged: a chunk of shape %v at %v of %v", d.layout.chunk, corner, d.Shape)
		}
		number = number*((d.Shape[axis]+n-1)/n) + at/n
	}
	if number < r.next {
		return fmt.Errorf("damaged: the chunk at %v comes twice or out of order", corner)
	}
	r.next = number + 1
	packed, err := r.read(address, size)
	if err != nil {
		return fmt.Errorf("at %v: %w", corner, err)
	}
	whole, err := d.decode(packed, skipped)
	if err != nil {
		return fmt.Errorf("at %v: %w", corner, err)
	}
	d.place(r.to, whole, corner, 0)
	return nil
}

// place copies what lies inside of the array of a chunk, or of a part of one: to and from begin with
// the elements whose places on the axes before axis are chosen already.
func (d *Dataset) place(to, from []byte, corner []int, axis int) {
	toSize, fromSize := d.Size, d.Size // of one place on this axis, in bytes
	for later := axis + 1; later < len(corner); later++ {
		toSize, fromSize = toSize*d.Shape[later], fromSize*d.layout.chunk[later]
	}
	n := min(d.layout.chunk[axis], d.Shape[axis]-corner[axis])
	to = to[corner[axis]*toSize:]
	if axis == len(corner)-1 {
		copy(to[:n*toSize], from)
		return
	}
	if last := axis + 1; last == len(corner)-1 {
		first, size := corner[last]*d.Size, min(d.layout.chunk[last], d.Shape[last]-corner[last])*d.Size
		if size < 8 { // as of the channels of a pixel, for which a call takes longer than the bytes
			for i := range n {
				line := to[i*toSize+first:][:size]
				//lint:ignore S1001 a call of copy takes longer
				for k, b := range from[i*fromSize:][:size] {
					line[k] = b
				}
			}
			return
		}
	}
	for i := range n {
		d.place(to[i*toSize:], from[i*fromSize:], corner, axis+1)
	}
}
