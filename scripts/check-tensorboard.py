"""Kills a training and lets it go on, while TensorBoard's own reader follows it, and compares what that has with the log.

Call: check-tensorboard.py MCVD RUN (see check-tensorboard.sh).
"""

import io
import json
import math
import pathlib
import signal
import subprocess
import sys

from PIL import Image
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer

STEPS = 120


def log(run):
    """What the log says, as {tag: [(step, value)]}: means of training lines, and the validation."""
    tags = {}
    for text in (run / "log.jsonl").read_text().splitlines():
        line = json.loads(text)
        step = line["step"]
        if "scores" in line:
            values = {f"score/{name}": x for name, x in line["scores"].items()}
        elif "validation" in line:
            values = {"validation/loss": line["loss"], "validation/x0": line["x0"]}
            values |= {f"validation/fifth_{i + 1}": x for i, x in enumerate(line["validation"])}
        else:
            names = {"train/loss": "loss", "train/gradient_norm": "gradient_norm", "train/learning_rate": "learning_rate",
                     "speed/clips": "clips_per_second", "speed/flops": "flops"}
            values = {tag: line[name] for tag, name in names.items() if name in line}
        for tag, value in values.items():
            tags.setdefault(tag, []).append((step, float(value)))
    return tags


def compare(run, reader, want):
    accumulator = reader.GetAccumulator(reader.Runs().__iter__().__next__())
    for tag, values in want.items():
        events = accumulator.Tensors(tag)
        got = [(e.step, float(e.tensor_proto.float_val[0])) for e in events]
        assert [s for s, _ in got] == [s for s, _ in values], f"{tag}: steps {got}, want {values}"
        for (step, a), (_, b) in zip(got, values):
            assert abs(a - b) <= 1e-6 * abs(b) or math.isnan(a) and math.isnan(b), f"{tag}, step {step}: {a}, want {b}"
    for tag, kind in {"samples/sheet": "PNG", "samples/film": "GIF"}.items():
        events = accumulator.Tensors(tag)
        steps = [e.step for e in events]
        assert steps == sorted(int(p.name[5:13]) for p in (run / "samples").glob(f"*.{kind.lower()}")), f"{tag}: steps {steps}"
        for e in events:
            width, height, *pictures = e.tensor_proto.string_val
            picture = Image.open(io.BytesIO(pictures[0]))
            assert picture.format == kind and picture.size == (int(width), int(height)), f"{tag}: {picture}"
    print(f"{len(want)} scalars, {sum(map(len, want.values()))} values and {len(steps)} steps of samples are as in the run folder")


def main():
    mcvd, run = sys.argv[1], pathlib.Path(sys.argv[2])
    command = [mcvd, "train", "-c", "configs/tiny.yml", "-o", str(run), "--backend", "go"]
    for setting in (f"train.steps={STEPS}", "train.checkpoint_every=25", "train.validate_every=10", "train.sample_every=10", "train.scores.every=20"):
        command += ["--set", setting]
    reader = EventMultiplexer(size_guidance=None, tensor_size_guidance={"scalars": 0, "images": 0})
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    while process.poll() is None:  # kill it between two checkpoints
        lines = (run / "log.jsonl").read_text().splitlines() if (run / "log.jsonl").exists() else []
        if lines and lines[-1].endswith("}") and json.loads(lines[-1])["step"] > 60:
            process.send_signal(signal.SIGKILL)
            break
    assert process.wait() == -signal.SIGKILL, "the training ended before it was killed"
    reader.AddRunsFromDirectory(str(run))
    reader.Reload()
    killed = max(s for s, _ in log(run)["train/loss"])
    compare(run, reader, log(run))
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    reader.Reload()
    print(f"killed behind step {killed}; then the reader that went on and one that begins:")
    compare(run, reader, log(run))
    again = EventMultiplexer(tensor_size_guidance={"scalars": 0, "images": 0})
    again.AddRunsFromDirectory(str(run))
    again.Reload()
    compare(run, again, log(run))


main()
