"""Writes recording/ with the lerobot library, and what that library then reads to frames.json.

    pip install lerobot==0.4.4
    python write.py

The mean of each quarter of each frame is recorded, for red, green and blue: [episode][frame][12].
"""

import json
import shutil
from pathlib import Path

import numpy as np
from lerobot.datasets.lerobot_dataset import LeRobotDataset

root = Path(__file__).parent / "recording"
shutil.rmtree(root, ignore_errors=True)
cameras = {"observation.images.top": (64, 64, 0), "observation.images.wrist": (48, 64, 90)}
features = {"observation.state": {"dtype": "float32", "shape": (2,), "names": ["x", "y"]}}
for key, (height, width, _) in cameras.items():
    features[key] = {"dtype": "video", "shape": (height, width, 3), "names": ["height", "width", "channels"]}


def picture(height, width, add, episode, i):
    y, x = np.mgrid[0:height, 0:width]
    blue = np.full((height, width), episode * 40 + i * 3)
    return (np.stack([x * 3 + episode * 37 + add, y * 3 + i * 11, blue], -1) % 256).astype(np.uint8)


ds = LeRobotDataset.create("test/tiny", fps=10, features=features, root=root, robot_type="none")
for episode, frames in enumerate([7, 12, 5, 9, 6, 8]):
    for i in range(frames):
        pictures = {key: picture(*shape, episode, i) for key, shape in cameras.items()}
        state = {"observation.state": np.array([episode, i], np.float32), "task": "push" if episode % 2 else "lift"}
        ds.add_frame(state | pictures)
    ds.save_episode()
ds.finalize()

ds = LeRobotDataset("test/tiny", root=root, video_backend="pyav")
means = {key: [] for key in cameras}
for item in ds:
    for key, episodes in means.items():
        if item["frame_index"] == 0:
            episodes.append([])
        frame = item[key].numpy() * 255
        h, w = frame.shape[1] // 2, frame.shape[2] // 2
        quarters = [frame[:, y : y + h, x : x + w].mean((1, 2)) for y in (0, h) for x in (0, w)]
        episodes[-1].append([round(float(v), 2) for v in np.concatenate(quarters)])
(Path(__file__).parent / "frames.json").write_text(json.dumps(means))
