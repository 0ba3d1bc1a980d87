#!/usr/bin/env python3
"""Times mcvd and PyTorch on the same networks in turns, and writes a table of ratios (Markdown) and all raw data (JSON).

  compare.py --networks concat32,spatin32 --backends xla-cpu,go --variants eager,compiled,channels-last
  compare.py --networks bair --backends xla-cuda,xla-cuda:bf16 --variants eager,compiled-bf16 --device cuda --matmul 8192
  compare.py --dry-run ...                       print the commands

Machines are noisy, so every round runs each implementation once, in a process of its own and in another order, and what counts is the
median of the rounds' medians. The peer is held against the parity fixtures first. An implementation that fails is a row with its error.
It needs bin/mcvd (make build) and, for --python, a Python with requirements.txt; itself it needs only Python's own library.
"""

import argparse
import datetime
import json
import os
import platform
import resource
import shlex
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PEER = "scripts/bench/peer.py"  # commands run in ROOT


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = lambda text: [t for t in text.split(",") if t]  # noqa: E731
    p.add_argument("--networks", type=names, default=["concat32", "spatin32"], help="of networks.json, with commas")
    p.add_argument("--what", type=names, default=["train", "sample"])
    p.add_argument("--backends", type=names, default=["xla-cpu", "go"], help="of mcvd; BACKEND:bf16 for that precision")
    p.add_argument("--variants", type=names, default=["eager", "compiled"], help="of PyTorch: see peer.py")
    p.add_argument("--device", choices=["cpu", "cuda"], default="cpu", help="of PyTorch")
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--steps", type=int, default=10, help="timed steps of a run")
    p.add_argument("--wait", type=float, default=0, help="wait up to so many seconds before a run for others to use less than 10 %% of the CPU")
    p.add_argument("--timeout", type=float, default=1800, help="seconds that a run may take")
    p.add_argument("--matmul", type=int, default=0, help="first measure a bfloat16 matrix product of this size: what the device can do")
    p.add_argument("--cache", action="store_true", help="a PyTorch row more for SPATIN, with kept maps")
    p.add_argument("--mcvd", default="bin/mcvd", help="command")
    p.add_argument("--python", default=os.environ.get("PYTHON") or sys.executable, help="command that runs peer.py")
    p.add_argument("--out", default="out/bench", help="the results are OUT.json and OUT.md")
    p.add_argument("--dry-run", action="store_true")
    a = p.parse_args()
    known = json.loads((HERE / "networks.json").read_text())
    if unknown := [n for n in a.networks if n not in known]:
        p.error(f"--networks: unknown {', '.join(unknown)}; known: {', '.join(known)}")
    if unknown := [w for w in a.what if w not in ("train", "sample")]:
        p.error(f"--what: unknown {', '.join(unknown)}; known: train, sample")
    if a.rounds < 1 or a.steps < 1:
        p.error("--rounds and --steps: want 1 or more")
    return a, known


def cpu_seconds():
    """What all processes and the machine's other guests used so far; 0 where the system doesn't say."""
    try:
        user, nice, system, _idle, _iowait, *more = map(int, Path("/proc/stat").read_text().split("\n")[0].split()[1:9])
    except (OSError, ValueError):
        return 0
    return (user + nice + system + sum(more)) / os.sysconf("SC_CLK_TCK")


def own_seconds():
    """What this process and those that it ran to their end used."""
    usages = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return sum(u.ru_utime + u.ru_stime for u in usages)


class Others:
    """The share of the machine's CPU time that others use from now on. Threads that wait for one another, as PyTorch's do, then lose more
    time than they are deprived of."""

    def __init__(self):
        self.start, self.cpu, self.own = time.time(), cpu_seconds(), own_seconds()

    def share(self):
        used = cpu_seconds() - self.cpu - (own_seconds() - self.own)
        return max(0, round(used / ((time.time() - self.start) * os.cpu_count()), 3))


class Runner:
    """Runs commands from the project's folder and keeps what came of them."""

    def __init__(self, a):
        self.a, self.runs = a, []

    def run(self, command, **about):
        """The last JSON object that the command printed, or {"error": ...}."""
        print(shlex.join(command), flush=True, file=sys.stdout if self.a.dry_run else sys.stderr)
        if self.a.dry_run:
            return {}
        self.wait()
        start, others = time.time(), Others()
        result = self.result(command)
        result["others"] = others.share()
        if "median_ms" not in result and result.get("ms"):
            result["median_ms"] = statistics.median(result["ms"])
        self.runs.append({**about, "command": command, "seconds": round(time.time() - start, 1), "result": result})
        times = f"{result['median_ms']:.1f} ms" if "median_ms" in result else "done"
        print("  ", result.get("error") or f"{times}, others used {result['others']:.0%} of the CPU", file=sys.stderr, flush=True)
        return result

    def wait(self):
        end = time.time() + self.a.wait
        while time.time() < end:
            others = Others()
            time.sleep(2)
            if others.share() < 0.1:
                return

    def result(self, command):
        try:
            p = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
        except OSError as e:
            return {"error": str(e)}
        try:
            out, err = p.communicate(timeout=self.a.timeout)
        except subprocess.TimeoutExpired:
            os.killpg(p.pid, signal.SIGKILL)
            p.communicate()
            return {"error": f"took longer than {self.a.timeout:g} s"}
        if p.returncode:
            lines = (err.strip() or out.strip()).splitlines() or ["no output"]
            return {"error": f"exit {p.returncode}: {lines[-1][:300]}", "stderr": err[-4000:]}
        lines = [line for line in out.splitlines() if line.startswith("{")]
        return json.loads(lines[-1]) if lines else {"output": out[-4000:]}


def rows(a, configs):
    """Each implementation's name with the command that times a network: (name, is PyTorch, command of network and what)."""
    peer, mcvd = [*shlex.split(a.python), PEER], shlex.split(a.mcvd)

    def pytorch(variant, *more):
        return lambda n, what: [*peer, "--bench", n, "--what", what, "--variant", variant, "--device", a.device, "--steps", str(a.steps), *more]

    def ours(backend, precision):
        more = [w for part in ("train", "sampler") for w in ("--set", f"{part}.precision={precision}")] if precision else []
        return lambda n, what: [*mcvd, "bench", "--config", configs[n], "--what", what, "--backend", backend, "--json", "--steps",
                                str(a.steps), *more]  # fmt: skip

    every = []
    for b in a.backends:
        backend = b.removesuffix(":bf16")
        every.append((f"mcvd {b}", False, ours(backend, "bfloat16" if b != backend else "")))
    for v in a.variants:
        every.append((f"PyTorch {v}", True, pytorch(v)))
        if a.cache:
            every.append((f"PyTorch {v}, kept maps", True, pytorch(v, "--cache")))
    return every


def check_peer(runner, a):
    """The variants that agree with the published network, and the others with their error."""
    bad = {}
    for v in a.variants:
        r = runner.run([*shlex.split(a.python), PEER, "--check", "--variant", v, "--device", a.device], check=v)
        if "error" in r:
            bad[v] = r["error"]
    return bad


def measure(runner, a, known, configs, bad):
    """Runs everything in turns; returns by (network, what, row) a list of a result a round."""
    every, results = rows(a, configs), {}
    for n in a.networks:
        for what in a.what:
            for r in range(a.rounds):
                for i in range(len(every)):
                    name, is_torch, command = every[(i + r) % len(every)]
                    if name.endswith("kept maps") and not (what == "sample" and known[n]["model"]["conditioning"] == "spatin"):
                        continue
                    got = results.setdefault((n, what, name), [])
                    variant = name.removeprefix("PyTorch ").removesuffix(", kept maps")
                    if is_torch and variant in bad:
                        got[:] = [{"error": "its check failed, " + bad[variant]}]
                    elif not any("error" in g for g in got):
                        got.append(runner.run(command(n, what), network=n, what=what, row=name, round=r))
    return results


def parameters(result):
    return round(result.get("params") or 1e6 * result.get("million_parameters", 0))


def summarize(results, known):
    """One row for each network, what and implementation: the median of the rounds' medians."""
    summary = []
    for (n, what, name), got in results.items():
        row = {"network": n, "what": what, "row": name}
        if error := next((g["error"] for g in got if "error" in g), None):
            row["error"] = error
        elif not all(g.get("median_ms") for g in got):
            row["error"] = "no times in its output"
        else:
            medians = [g["median_ms"] for g in got]
            row |= {
                "ms": statistics.median(medians), "from": min(medians), "to": max(medians), "first_ms": got[0]["first_ms"],
                "others": max(g["others"] for g in got), "peak_rss_mb": max(g["peak_rss_mb"] for g in got),
                "params": parameters(got[0]), "gflop": got[0].get("gflop"),
                "window_ms": statistics.median([g.get("window_ms", 0) for g in got]),
                # SPATIN's maps are made once a window, so that a step is less work than gflop says
                "less": what == "sample" and known[n]["model"]["conditioning"] == "spatin" and (name.startswith("mcvd") or "maps" in name),
            }  # fmt: skip
        summary.append(row)
    for row in summary:  # the size of a network must not depend on who runs it
        sizes = {s["params"] for s in summary if s["network"] == row["network"] and "params" in s}
        if len(sizes) > 1:
            row.setdefault("error", f"another network: parameters of the implementations are {sorted(sizes)}")
    for row in (r for r in summary if "error" not in r):
        others = [s for s in summary if (s["network"], s["what"]) == (row["network"], row["what"]) and "error" not in s]
        row["gflop"] = next((s["gflop"] for s in others if s["row"].startswith("PyTorch")), row["gflop"])  # the same work for all
        if row["row"].startswith("PyTorch"):
            row["ratios"] = {s["row"]: row["ms"] / s["ms"] for s in others if s["row"].startswith("mcvd")}
    return summary


def markdown(a, summary, about, peak):
    ours = list(dict.fromkeys(r["row"] for r in summary if r["row"].startswith("mcvd")))
    hardware = about["hardware"]
    head = ["network", "step", "implementation", "ms", "of rounds", "steps/s"] + (["of peak"] if peak else []) + ["first step s", "MB", "others"]
    head += [f"/ {o}" for o in ours]
    lines = [f"{about['date']}, commit {about['commit']}: {hardware['cpu']}, {hardware['cores']} cores" + "".join(f", {g}" for g in hardware["gpus"])]
    lines += [f"{a.rounds} rounds in turns of {a.steps} steps each; ms is the median of the rounds' medians."]
    lines += ["The last columns are PyTorch's time by mcvd's: above 1, mcvd is faster."] if ours else []
    if peak:
        lines += [f"Peak: {peak:.3g} TFLOP/s, a bfloat16 matrix product of {a.matmul}, measured here."]
    lines += ["", "| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    for r in summary:
        if "error" in r:
            cells = ["failed: " + r["error"].replace("|", "/")] + [""] * (len(head) - 4)
        else:
            cells = [f"{r['ms']:.1f}", f"{r['from']:.1f}–{r['to']:.1f}", f"{1e3 / r['ms']:.2f}"]
            if peak:
                cells += [f"{r['gflop'] / r['ms'] / peak:.0%}" if r["gflop"] and not r["less"] else "–"]
            cells += [f"{r['first_ms'] / 1e3:.1f}", f"{r['peak_rss_mb']:.0f}", f"{r['others']:.0%}"]
            cells += [f"{r['ratios'][o]:.2f}" if o in r.get("ratios", {}) else "" for o in ours]
            if r["less"]:
                cells[0] += f" (and {r['window_ms']:.0f} once a window)"
        lines.append("| " + " | ".join([r["network"], r["what"], r["row"], *cells]) + " |")
    return "\n".join(lines) + "\n"


def output(*command):
    try:
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return ""


def machine():
    cpu = next((line.split(":", 1)[1].strip() for line in output("cat", "/proc/cpuinfo").splitlines() if line.startswith("model name")), "")
    gpus = output("nvidia-smi", "--query-gpu=name,driver_version,memory.total,power.limit", "--format=csv,noheader").splitlines()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cores = len(os.sched_getaffinity(0))
    return {"cpu": cpu or platform.processor(), "cores": cores, "memory_gb": round(memory, 1), "gpus": gpus, "kernel": platform.release()}


def main():
    a, known = arguments()
    commit = output("git", "rev-parse", "--short", "HEAD") + ("+changes" if output("git", "status", "--porcelain") else "")
    about = {"date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"), "commit": commit, "hardware": machine(),
             "arguments": vars(a)}  # fmt: skip
    runner = Runner(a)
    out = ROOT / a.out
    configs = {n: os.path.relpath(out.parent / "networks" / f"{n}.yml", ROOT) for n in a.networks}
    if not a.dry_run:
        for n, path in configs.items():
            (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
            (ROOT / path).write_text(json.dumps(known[n]) + "\n")  # JSON is YAML
    with tempfile.TemporaryDirectory(prefix="mcvd-bench-") as folder:
        # PyTorch keeps compiled code between processes: in a new folder the first round's first step is one of a first use.
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = folder
        peak = 0
        if a.matmul:
            commands = [[*shlex.split(a.python), PEER, "--matmul", str(a.matmul), "--device", a.device]]
            commands += [[*shlex.split(a.mcvd), "bench", "--what", "matmul", "--backend", a.backends[0].removesuffix(":bf16"), "--json"]]
            peak = max(runner.run(c, what="matmul").get("tflops", 0) for c in commands)
        results = measure(runner, a, known, configs, check_peer(runner, a))
    if a.dry_run:
        return
    summary = summarize(results, known)
    table = markdown(a, summary, about, peak)
    out.with_suffix(".json").write_text(json.dumps({**about, "peak_tflops": peak, "summary": summary, "runs": runner.runs}, indent=1) + "\n")
    out.with_suffix(".md").write_text(table)
    print(table)


if __name__ == "__main__":
    main()
