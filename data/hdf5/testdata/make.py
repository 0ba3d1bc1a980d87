"""Writes the files of this folder with h5py (3.16 was used). Every element of an array is
(7919 i + 31) modulo 251, i being its row-major number."""
import gzip, os, zlib
import h5py, numpy as np

def array(shape, kind):
    return ((np.arange(np.prod(shape), dtype=np.int64) * 7919 + 31) % 251).astype(kind).reshape(shape)

def pack(name):
    with open(name, "rb") as f, open(name + ".gz", "wb") as g:
        g.write(gzip.compress(f.read(), 9, mtime=0))
    os.remove(name)

with h5py.File("arrays.hdf5", "w") as f:
    group = f.create_group("len")
    for i in range(1200):  # B-trees of two levels
        group[str(i)] = i
    for kind in ("u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8"):
        f["number/" + kind] = np.array(-3 if kind[0] == "i" else 250, kind)
        f["plain/" + kind] = array((5, 7), kind)
    chunked = dict(data=array((37, 50, 3), "u1"), chunks=(4, 8, 2))  # stick out on each axis; 140 of them
    f.create_dataset("chunked/none", **chunked)
    f.create_dataset("chunked/gzip", compression="gzip", **chunked)
    f.create_dataset("chunked/lzf", compression="lzf", **chunked)
    f.create_dataset("chunked/fletcher32", fletcher32=True, **chunked)
    f.create_dataset("chunked/odd", data=array((5, 5), "u1"), chunks=(3, 3), fletcher32=True)
    for kind in ("i2", "i4", "i8"):
        for compression in ("gzip", "lzf"):
            f.create_dataset("all/" + compression + kind, data=array((21, 9), kind), chunks=(8, 8), shuffle=True,
                             fletcher32=True, compression=compression)
    repeated = np.repeat(np.arange(4, dtype="u1"), 4096).reshape(4, 64, 64)  # long matches of LZF
    f.create_dataset("repeated", data=repeated, compression="lzf", chunks=(2, 64, 64))
    f.create_dataset("unwritten", (4, 4), "u2", fillvalue=513)
    f.create_dataset("part", (4, 4), "u1", chunks=(2, 2), fillvalue=7)[0:2, 0:2] = 9
    space = h5py.h5s.create_simple((3, 5))
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_layout(h5py.h5d.COMPACT)
    compact = h5py.h5d.create(f["plain"].id, b"compact", h5py.h5t.STD_U8LE, space, plist)
    compact.write(h5py.h5s.ALL, h5py.h5s.ALL, array((3, 5), "u1"))
    with_attributes = f.create_dataset("attributes", data=array((2, 2), "u1"))
    for i in range(30):  # continues the object header elsewhere
        with_attributes.attrs["attribute %d" % i] = "x" * 50
    f["refused/float"] = array((2,), "f4")
    f["refused/big"] = array((2,), ">i4")
    f["refused/string"] = np.array([b"abc"])
    f.create_dataset("refused/scale", data=array((8,), "i4"), chunks=(8,), scaleoffset=0)
    f.create_dataset("refused/nothing", data=h5py.Empty("u1"))
    f.create_group("tracked", track_order=True)["a"] = 1
    f["soft/link"] = h5py.SoftLink("/plain/u1")
pack("arrays.hdf5")
with h5py.File("latest.hdf5", "w", libver="latest") as f:
    f["a"] = 1
pack("latest.hdf5")
with h5py.File("small.hdf5", "w") as f:
    for name, filters in (("gzip", dict(compression="gzip")), ("lzf", dict(compression="lzf", shuffle=True)), ("sum", dict(fletcher32=True))):
        f.create_dataset("0/" + name, data=array((9, 10), "u2") // 16, chunks=(8, 8), **filters)
    f["len/0"] = 3
pack("small.hdf5")
with h5py.File("rare.hdf5", "w") as f:
    # One filter of a chunk at a time is left out, as a writer does where it saves nothing. Chunks are
    # written from the last to the first.
    whole = array((6, 9), "u2")
    mixed = f.create_dataset("masked", (6, 9), "u2", chunks=(3, 3), shuffle=True, compression="gzip")
    for n in reversed(range(6)):
        at = (n // 3 * 3, n % 3 * 3)
        chunk = np.ascontiguousarray(whole[at[0]:at[0] + 3, at[1]:at[1] + 3])
        shuffled = chunk.view("u1").reshape(-1, 2).T.tobytes()
        data, mask = [(zlib.compress(shuffled), 0), (zlib.compress(chunk.tobytes()), 1), (shuffled, 2), (chunk.tobytes(), 3)][n % 4]
        mixed.id.write_direct_chunk(at, data, filter_mask=mask)
    f.create_dataset("external", (4,), "u1", external=[("elsewhere.bin", 0, 4)])
pack("rare.hdf5")
