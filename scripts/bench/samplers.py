#!/usr/bin/env python3
"""Scores every sampler of a trained run at about equal numbers of network evaluations, as a table in Markdown and a plot.

Call: scripts/bench/samplers.py RUN [--budgets 5,10,20,50] [--spacings uniform] [--metrics psnr] [--reports FOLDER] [--plot FILE.svg]
          [--mcvd bin/mcvd] [-- ARGUMENTS of mcvd eval]

A row is a sampler with a spacing. A cell has the metrics' means over clips, and the evaluations a block of frames when they are
not those of the column. With --reports, the reports of evaluations are kept, and those that are there are not made again.
The plot has the first spacing. Standard library only.
"""

import argparse
import json
import pathlib
import subprocess
import sys

import curves

# How many steps fit in a budget of evaluations, the last denoising not counted, where it isn't one a step. pndm is not itself with
# fewer than 4 steps, and langevin and consistency are for models of another kind.
STEPS = {
    **dict.fromkeys(["heun", "heun_churn", "dpmpp_2s", "restart", "pc"], lambda budget: (budget + 1) // 2),
    "pndm": lambda budget: budget - 9 if budget >= 13 else 0,
    "langevin": lambda budget: 0,
    "consistency": lambda budget: 0,
}
NOISY = ["ddpm", "euler_ancestral", "dpmpp_2m_sde", "dpmpp_3m_sde", "heun_churn", "restart", "pc", "langevin"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("--budgets", default="5,10,20,50")
    parser.add_argument("--spacings", default="uniform")
    parser.add_argument("--metrics", default="psnr")
    parser.add_argument("--samplers", help="names, separated by commas; all if it isn't given")
    parser.add_argument("--reports", type=pathlib.Path)
    parser.add_argument("--plot", type=pathlib.Path)
    parser.add_argument("--mcvd", default="bin/mcvd")
    own, _, rest = "\0".join(sys.argv[1:]).partition("\0--\0")
    o = parser.parse_args(own.split("\0"))
    o.arguments = rest.split("\0") if rest else []
    budgets, spacings = [int(b) for b in o.budgets.split(",")], o.spacings.split(",")

    listed = subprocess.run([o.mcvd, "list", "samplers"], check=True, capture_output=True, text=True).stdout
    names = next(line for line in listed.splitlines() if line.startswith("samplers ")).split()[2:]
    if o.samplers:
        names = o.samplers.split(",")
    print(f"| sampler: {', '.join(o.metrics.split(','))} | " + " | ".join(f"{b} evaluations" for b in budgets) + " |")
    print("| --- |" + " --- |" * len(budgets), flush=True)
    groups = {"without noise": {}, "with noise": {}}
    for name in names:
        for spacing in spacings:
            results = [evaluate(o, name, spacing, budget) for budget in budgets]
            if not any(results):
                continue
            row = " | ".join(cell(r, budget) for r, budget in zip(results, budgets))
            print(f"| `{name}`" + (f", {spacing}" if len(spacings) > 1 else "") + f" | {row} |", flush=True)
            points = list(dict(r for r in results if r).items())
            if points and spacing == spacings[0]:
                groups["with noise" if name in NOISY else "without noise"][name] = points
    if o.plot:
        o.plot.write_text(curves.draw({title: group for title, group in groups.items() if group}, o.metrics.split(","), "ddim"))


def cell(result, budget):
    if result is None:
        return "-"
    evaluations, scores = result
    text = ", ".join(f"{s:.2f}" for s in scores.values())
    return text if evaluations == budget else f"{text} ({evaluations})"


def evaluate(o, name, spacing, budget):
    """The evaluations a block and the scores by metric; None if the sampler can't take so few, or refuses the run."""
    n = STEPS.get(name, lambda budget: budget)(budget)
    if n < 1:
        return None
    kept = o.reports and o.reports / f"{name}-{spacing}-{n}.json"
    if kept and kept.exists():
        report = json.loads(kept.read_text())
    else:
        done = subprocess.run([o.mcvd, "eval", o.run, "--json", "--metrics", o.metrics, "--sampler", name, "--spacing", spacing,
                               "--steps", str(n), *o.arguments], capture_output=True, text=True)
        if done.returncode != 0:
            print(f"{name}, {spacing}, {n} steps: {done.stderr.strip().splitlines()[-1]}", file=sys.stderr)
            return None
        report = json.loads(done.stdout)
        if kept:
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_text(done.stdout)
    scores = next(r for r in report["results"] if r["method"] == "model")["scores"]
    blocks = report["protocol"]["frames"] // report["protocol"]["advance"]
    last = 1 if report["sampler"]["last_denoise"] else 0
    means = {m: scores[m]["mean" if "mean" in scores[m] else "best"]["mean"] for m in o.metrics.split(",")}
    return report["nfe"] // blocks - last, means


if __name__ == "__main__":
    main()
