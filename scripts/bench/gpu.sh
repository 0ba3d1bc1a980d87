#!/bin/sh
# Measures mcvd on XLA/CUDA against PyTorch on this machine's NVIDIA GPU: says what the machine is, measures a bfloat16 matrix product, then
# times train and sampling steps of the published sizes in turns, and writes out/gpu.json and out/gpu.md (steps/s, share of that peak).
#
#   scripts/bench/gpu.sh --dry-run                 print every command; needs no GPU
#   scripts/bench/gpu.sh                           everything, an hour or so
#   scripts/bench/gpu.sh --networks smmnist64 --rounds 2 --out out/gpu-smmnist
#                                                  a part: these and all other options are compare.py's, later ones win
#
# Before: `make build`, `scripts/install-xla.sh cuda13` or JAX's CUDA packages for XLA's plugin (`bin/mcvd doctor` says what it finds; mcvd
# sets up the environment of CUDA for itself alone), and a Python with scripts/bench/requirements.txt, which $PYTHON names (default python3).
set -eu
cd "$(dirname "$0")/../.."

python=${PYTHON:-python3}
dry=
for argument; do
	if [ "$argument" = --dry-run ]; then dry=1; fi
done

say() {
	if [ "$dry" ]; then
		echo "$*"
	else
		echo "== $*" >&2
		"$@" >&2 || echo "   failed: $?" >&2
	fi
}

say nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.max.sm,power.limit,utilization.gpu --format=csv
say lscpu
say bin/mcvd doctor
exec "$python" scripts/bench/compare.py --python "$python" --device cuda --matmul 8192 \
	--networks smmnist64,bair,bair-spatin --backends xla-cuda,xla-cuda:bf16 --variants eager,compiled,compiled-bf16 \
	--rounds 3 --steps 20 --out out/gpu "$@"
