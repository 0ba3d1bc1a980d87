"""Writes library.tar with the Python library webdataset, reads it back with it, and prints the frames'
SHA-256 by the samples' keys. Call: python write.py > library.json (pip install webdataset pillow)"""

import hashlib
import json

import numpy
import webdataset

random = numpy.random.default_rng(1)
with webdataset.TarWriter("library.tar", mtime=0) as tar:
    for k in range(2):
        tar.write({"__key__": f"a/array{k}", "npy": random.integers(0, 256, (3, 8, 8, 3), "uint8"), "json": {"label": k}})
    for k in range(2):
        frames = {f"{t:03d}.png": random.integers(0, 256, (8, 8, 3), "uint8") for t in range(11)}
        tar.write({"__key__": f"images{k}", **frames, "cls": k})

sums = {}
for sample in webdataset.WebDataset("library.tar", shardshuffle=False).decode("rgb8"):
    frames = sample.get("npy")
    if frames is None:
        frames = numpy.stack([sample[key] for key in sorted(sample) if key.endswith(".png")])
    sums[sample["__key__"]] = hashlib.sha256(frames.tobytes()).hexdigest()
print(json.dumps(sums, indent=1))
