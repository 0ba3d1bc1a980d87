"""Reads clips as other libraries do: the peers of scripts/bench/store.sh.

    store.py make MP4S FOLDER    write the clips of a folder of MP4s as tars of webdataset and as MDS of mosaicml-streaming
    store.py PEER FOLDER         read every clip once and print frames a second; PEER is webdataset, streaming, pyav or decord

Every peer gives each clip as an array of bytes [frames, height, width, 3], in one process. A library that isn't installed is an
error. MP4s are in the folder mp4 of FOLDER.
"""

import pathlib
import shutil
import sys
import time

import numpy as np


def decode(path):
    import av

    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def make(source, folder):
    paths = sorted(pathlib.Path(source).glob("*.mp4"))
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    shape = decode(paths[0]).shape
    try:
        import webdataset

        with webdataset.TarWriter(str(folder / "clips.tar")) as tar:
            for i, path in enumerate(paths):
                tar.write({"__key__": f"{i:06d}", "rgb": decode(path).tobytes()})
    except ImportError:
        print("webdataset is not installed")
    try:
        from streaming import MDSWriter

        encoding = "ndarray:uint8:" + ",".join(map(str, shape))
        with MDSWriter(out=str(folder / "mds"), columns={"rgb": encoding}, compression=None) as mds:
            for path in paths:
                mds.write({"rgb": decode(path)})
    except ImportError:
        print("mosaicml-streaming is not installed")
    np.save(folder / "shape.npy", np.array(shape))


def read_webdataset(folder, shape):
    import webdataset

    for sample in webdataset.WebDataset(str(folder / "clips.tar"), shardshuffle=False, empty_check=False):
        yield np.frombuffer(sample["rgb"], np.uint8).reshape(shape)


def read_streaming(folder, shape):
    from streaming import StreamingDataset

    dataset = StreamingDataset(local=str(folder / "mds"), shuffle=True, batch_size=1)
    for sample in dataset:
        yield sample["rgb"]


def read_pyav(folder, shape):
    for path in sorted((folder.parent / "mp4").glob("*.mp4")):
        yield decode(path)


def read_decord(folder, shape):
    import decord

    for path in sorted((folder.parent / "mp4").glob("*.mp4")):
        video = decord.VideoReader(str(path))
        yield video.get_batch(range(len(video))).asnumpy()


def main():
    what, *rest = sys.argv[1:]
    if what == "make":
        make(rest[0], pathlib.Path(rest[1]))
        return
    folder = pathlib.Path(rest[0])
    shape = tuple(np.load(folder / "shape.npy"))
    clips = globals()["read_" + what](folder, shape)
    first = next(clips)  # opens everything
    assert first.shape == shape and first.dtype == np.uint8, first.shape
    start, frames = time.perf_counter(), 0
    for clip in clips:
        frames += len(clip)
    print(f"{frames / (time.perf_counter() - start):.0f}")


if __name__ == "__main__":
    main()
