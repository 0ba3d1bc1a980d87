#!/usr/bin/env python3
"""Scores every sampler of a trained run at about equal numbers of network evaluations, as a table in Markdown.

Call: scripts/bench/samplers.py RUN [--budgets 5,10,20,50] [--spacings uniform] [--mcvd bin/mcvd] [-- ARGUMENTS of mcvd eval]

A row is a sampler with a spacing. A cell has a metric's mean over clips, and the evaluations a block of frames when they are
not those of the column. Standard library only.
"""

import argparse
import json
import subprocess
import sys

# How many steps fit in a budget, the last denoising not counted. Where a step takes two evaluations, half as many do.
TWICE = {"heun", "heun_churn", "dpmpp_2s", "restart"}


def steps(sampler, budget):
    if sampler in TWICE:
        return (budget + 1) // 2
    return budget - 9 if sampler == "pndm" else budget


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("--budgets", default="5,10,20,50")
    parser.add_argument("--spacings", default="uniform")
    parser.add_argument("--metric", default="psnr")
    parser.add_argument("--mcvd", default="bin/mcvd")
    own, _, rest = "\0".join(sys.argv[1:]).partition("\0--\0")
    o = parser.parse_args(own.split("\0"))
    o.arguments = rest.split("\0") if rest else []
    budgets = [int(b) for b in o.budgets.split(",")]

    listed = subprocess.run([o.mcvd, "list", "samplers"], check=True, capture_output=True, text=True).stdout
    names = next(line for line in listed.splitlines() if line.startswith("samplers ")).split()[2:]
    print(f"| sampler, {o.metric} | " + " | ".join(f"{b} evaluations" for b in budgets) + " |")
    print("| --- |" + " --- |" * len(budgets), flush=True)
    for name in names:
        for spacing in o.spacings.split(","):
            cells = [cell(o, name, spacing, budget) for budget in budgets]
            print(f"| `{name}`, {spacing} | " + " | ".join(cells) + " |", flush=True)


def cell(o, name, spacing, budget):
    n = steps(name, budget)
    if n < 1:
        return "-"
    done = subprocess.run([o.mcvd, "eval", o.run, "--json", "--metrics", o.metric, "--sampler", name, "--spacing", spacing,
                           "--steps", str(n), *o.arguments], capture_output=True, text=True)
    if done.returncode != 0:
        print(f"{name}, {spacing}, {n} steps: {done.stderr.strip().splitlines()[-1]}", file=sys.stderr)
        return "failed"
    report = json.loads(done.stdout)
    scores = next(r for r in report["results"] if r["method"] == "model")["scores"][o.metric]
    blocks = report["protocol"]["frames"] // report["protocol"]["advance"]
    last = 1 if report["sampler"]["last_denoise"] else 0
    evaluations = report["nfe"] // blocks - last
    value = f"{scores['mean' if 'mean' in scores else 'best']['mean']:.2f}"
    return value if evaluations == budget else f"{value} ({evaluations})"


if __name__ == "__main__":
    main()
