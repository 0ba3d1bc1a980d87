#!/bin/sh
# Installs ffmpeg with apt, dnf or brew if it is missing, or says what to do. Call: scripts/install-ffmpeg.sh
set -eu

if command -v ffmpeg >/dev/null && command -v ffprobe >/dev/null; then
	exit 0
fi

sudo=
if [ "$(id -u)" != 0 ] && command -v sudo >/dev/null; then
	sudo=sudo
fi

echo "ffmpeg is missing: installing it" >&2
if command -v apt-get >/dev/null; then
	($sudo apt-get update -qq && $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends ffmpeg) >/dev/null || true
elif command -v dnf >/dev/null; then
	# Fedora has ffmpeg-free; with RPM Fusion there is ffmpeg, which can also write H.264.
	$sudo dnf install -y -q ffmpeg || $sudo dnf install -y -q ffmpeg-free || true
elif command -v brew >/dev/null; then
	brew install --quiet ffmpeg || true
fi

if ! command -v ffmpeg >/dev/null || ! command -v ffprobe >/dev/null; then
	echo "ffmpeg could not be installed here: install it by hand (https://ffmpeg.org/download.html), so that ffmpeg and ffprobe are in PATH" >&2
	exit 1
fi
