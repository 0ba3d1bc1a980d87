#!/usr/bin/env python3
"""The peer of the benchmarks: the two published networks of MCVD, concat and SPATIN, in plain PyTorch.

  peer.py --check                                    hold the peer against the parity fixtures, eager and channels-last; exit 1 if it deviates
  peer.py --check --variant compiled                 the same for a variant (compiling takes a minute or more)
  peer.py --bench concat32 --what train              time training steps of a network of networks.json, after a check
  peer.py --bench bair --what train,sample --variant compiled-bf16 --device cuda
  peer.py --matmul 8192 --device cuda                the speed of a bfloat16 matrix product
  peer.py --list                                     the networks

A variant is eager or compiled, with -channels-last and -bf16 (autocast) as wanted. Results are JSON, a line each: see README.md.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import sys
import time
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

from check import check
from network import Shape, UNet
from steps import Form, Sampler, Trainer

NETWORKS = json.loads((Path(__file__).parent / "networks.json").read_text())


def synchronize(device):
    if device.type == "cuda":
        torch.cuda.synchronize()


def timed(step, device, warmup, steps, seconds):
    """Milliseconds of the first step, which compiles, and of each step after the warm-up; they end early after so many seconds."""
    ms = []
    end = None
    for i in range(warmup + steps):
        synchronize(device)
        start = time.perf_counter()
        step(i)
        synchronize(device)
        now = time.perf_counter()
        ms.append(1e3 * (now - start))
        if i == warmup - 1:
            end = now + seconds
        if end and i >= warmup + 2 and now > end:
            break
    return round(ms[0], 3), [round(m, 3) for m in ms[warmup:]]


def gigaflop(shape):
    """10^9 floating-point operations of one evaluation for one clip, 2 a multiply-add."""
    with torch.device("meta"):
        net = UNet(shape)
        x = torch.empty(1, shape.current * shape.channels, shape.size, shape.size)
        cond = torch.empty(1, (shape.past + shape.future) * shape.channels, shape.size, shape.size)
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            net(x, torch.zeros(1), cond)
    return counter.get_total_flops() / 1e9


def versions(device):
    v = {"python": platform.python_version(), "torch": torch.__version__}
    if device.type == "cuda":
        v |= {"cuda": torch.version.cuda, "cudnn": str(torch.backends.cudnn.version()), "gpu": torch.cuda.get_device_name(device)}
    return v


def clips(shape, batch, form):
    """Past, current and future frames of random clips, moved to the device before anything is timed."""

    def frames(n):
        return form.images(torch.rand(batch, n * shape.channels, shape.size, shape.size) * 2 - 1)

    return frames(shape.past), frames(shape.current), frames(shape.future)


def bench_train(shape, batch, form):
    past, x0, future = clips(shape, batch, form)
    trainer = Trainer(form.network(shape).train(), form)
    return lambda _: trainer.random_step(x0, past, future)


def bench_sample(shape, batch, form):
    past, x, future = clips(shape, batch, form)
    sampler = Sampler(form.network(shape), form)
    cond = form.images(torch.cat([past, future], dim=1))
    visible = torch.ones(batch, dtype=torch.long, device=form.device)
    x = form.images(torch.randn_like(x))

    def step(i):
        nonlocal x
        x = sampler.step(i % len(sampler.labels), x, cond, visible)

    return step, sampler.net


def bench(name, what, a):
    config = NETWORKS[name]
    config["model"].setdefault("spatin_width", 0)
    shape, batch, form = Shape.of_config(config), config["train"]["batch"], Form(a.variant, a.device)
    torch.manual_seed(1)
    result = {"impl": "pytorch", "network": name, "variant": a.variant, "device": a.device, "what": what}
    if what == "train":
        step, evaluations = bench_train(shape, batch, form), 3  # the way back takes twice the way there
    else:
        (step, net), evaluations = bench_sample(shape, batch, form), 1
        if a.cache:
            result["variant"] += "-cache"
            net.keep_maps(True)
            result["window_ms"], _ = timed(step, form.device, 1, 0, 0)
    first, ms = timed(step, form.device, a.warmup, a.steps, a.seconds)
    with torch.device("meta"):
        parameters = sum(p.numel() for p in UNet(shape).parameters())
    result |= {
        "ms": ms, "first_ms": first, "median_ms": round(statistics.median(ms), 3), "params": parameters, "batch": batch,
        "gflop": round(evaluations * batch * gigaflop(shape), 3),
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6, 1), "threads": torch.get_num_threads(),
        "tf32": form.device.type == "cuda" and torch.backends.cudnn.allow_tf32, "versions": versions(form.device),
    }  # fmt: skip
    if form.device.type == "cuda":
        result["peak_gpu_mb"] = round(torch.cuda.max_memory_allocated() / 1e6, 1)
    print(json.dumps(result), flush=True)


def matmul(n, a):
    """The best of several runs of a bfloat16 product of two n x n matrices."""
    device = torch.device(a.device)
    x, y = (torch.randn(n, n, device=device).to(torch.bfloat16) for _ in range(2))
    _, ms = timed(lambda _: x @ y, device, a.warmup, a.steps, a.seconds)
    tflops = 2 * n**3 / (min(ms) * 1e9)
    print(json.dumps({"impl": "pytorch", "what": "matmul", "dtype": "bf16", "n": n, "ms": ms, "tflops": round(tflops, 3),
                      "device": a.device, "versions": versions(device)}))  # fmt: skip


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--check", action="store_true", help="hold the peer against the fixtures")
    p.add_argument("--bench", metavar="NETWORK", choices=NETWORKS, help=", ".join(NETWORKS))
    p.add_argument("--matmul", metavar="N", type=int, help="size of the matrices")
    p.add_argument("--list", action="store_true", help="list the networks")
    p.add_argument("--what", default="train,sample", help="train, sample or both, with a comma")
    p.add_argument("--variant", default=None, help="eager (default), compiled; with -channels-last, -bf16")
    p.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    p.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="default: the cores that it may use")
    p.add_argument("--warmup", type=int, default=6, help="steps that are not counted, the first of which compiles: as many as mcvd bench leaves out")
    p.add_argument("--steps", type=int, default=20, help="steps that are")
    p.add_argument("--seconds", type=float, default=120, help="stop counting after so long, but not before 3 steps")
    p.add_argument("--cache", action="store_true", help="sampling keeps SPATIN's maps, unlike the published code")
    a = p.parse_args()
    if not (a.check or a.bench or a.matmul or a.list):
        p.error("one of --check, --bench, --matmul, --list")
    if unknown := set(a.what.split(",")) - {"train", "sample"}:
        p.error(f"--what: unknown {', '.join(unknown)}")
    return a


def main():
    a = arguments()
    if a.list:
        print("\n".join(NETWORKS))
        return
    torch.set_num_threads(a.threads)
    if a.check:
        sys.exit(1 if check([a.variant] if a.variant else ["eager", "channels-last"], a.device) else 0)
    a.variant = a.variant or "eager"
    torch.backends.cudnn.benchmark = True
    torch.set_float32_matmul_precision("high")  # TF32 on GPUs, as XLA does; nothing on CPUs
    if a.matmul:
        matmul(a.matmul, a)
        return
    layout = "channels-last" if "channels-last" in a.variant else "eager"
    torch.set_num_threads(1)  # faster for networks as small as these
    if check([layout], a.device, say=False):
        sys.exit(f"{a.bench}: not timed, the peer deviates from the published network")
    torch.set_num_threads(a.threads)
    for what in a.what.split(","):
        bench(a.bench, what, a)


if __name__ == "__main__":
    main()
