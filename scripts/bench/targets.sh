#!/bin/sh
# What the network learns to predict, compared: trains the demo once with each target, for as many steps, and prints a row of docs'
# table for each: the mean squared error of clean frames on the validation split, PSNR and the share of right digits of two frames
# that are predicted and interpolated. A step takes as long with any target, so this is equal time, too.
# Call after `make demo`, whose clips it needs: [STEPS=1500] [BACKEND=xla-cpu] scripts/bench/targets.sh [FOLDER]
set -eu
cd "$(dirname "$0")/../.."
steps=${STEPS:-1500}
backend=${BACKEND:-xla-cpu}
out=${1:-out/bench-targets}
mcvd=bin/mcvd
mkdir -p "$out"

score() { # RUN TASK: mean PSNR and share of right digits
	"$mcvd" eval "$1" --backend "$backend" --task "$2" --frames 2 --clips 24 --trajectories 3 --metrics psnr,digit --json 2>/dev/null |
		python3 -c 'import json, sys; s = json.load(sys.stdin)["results"][0]["scores"]; print("%.1f, %.2f" % (s["psnr"]["mean"]["mean"], s["digit"]["mean"]["mean"]))'
}

echo "| \`diffusion.target\` | error | prediction | interpolation |"
echo "| --- | --- | --- | --- |"
for target in x0 v edm flow eps; do
	run=$out/$target-$steps
	[ -d "$run" ] || "$mcvd" train -c configs/demo.yml --backend "$backend" -o "$run" --set "diffusion.target=$target" --set "train.steps=$steps" \
		--set "train.checkpoint_every=$steps" --set "train.validate_every=$steps" --set "train.sample_every=$steps" >/dev/null 2>"$out.log" ||
		{ cat "$out.log" >&2; exit 1; }
	error=$(python3 -c 'import json, sys; print("%.4f" % [r["x0"] for r in map(json.loads, open(sys.argv[1])) if "x0" in r][-1])' "$run/log.jsonl")
	echo "| $target | $error | $(score "$run" predict) | $(score "$run" interpolate) |"
done
