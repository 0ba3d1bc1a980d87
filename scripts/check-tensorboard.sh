#!/bin/sh
# Trains a tiny run, kills it, lets it go on while a TensorBoard follows it, and compares what the
# real TensorBoard reads with the run's log. It installs TensorBoard with pip into a temporary
# environment. Not a part of `make test`: it needs a network.
# Call: scripts/check-tensorboard.sh
set -eu

cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
GOTOOLCHAIN=auto GOEXPERIMENT=simd go build -o "$work/mcvd" ./cmd/mcvd
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet tensorboard==2.21.0 pillow
"$work/venv/bin/python" scripts/check-tensorboard.py "$work/mcvd" "$work/run"
