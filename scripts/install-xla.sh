#!/bin/sh
# Installs XLA's plugin for the CPU (63 MB) or for NVIDIA devices (2.5 GB, a driver for CUDA 13) into a folder of the user's, where
# `mcvd --backend auto` finds it. Python's pip fetches the packages that scripts/xla/*.txt name, checked by their hashes, from where pip
# is configured to; Python is not needed afterwards. A second call does nothing. Nothing else in this project downloads plugins.
#
# Call: scripts/install-xla.sh cpu|cuda13
# Folder: $MCVD_XLA_DIR, or mcvd/xla in $XDG_DATA_HOME or ~/.local/share. PYTHON names another python3.
# Exit status: 0 installed, 2 wrong call, 3 not for this machine, 4 no pip, 5 no network, 6 wrong hash, 1 anything else.
set -eu

fail() {
	status=$1
	shift
	echo "install-xla.sh: $*" >&2
	exit "$status"
}

case "$#:${1:-}" in
1:cpu | 1:cuda13) which=$1 ;;
*) fail 2 "want one argument, cpu or cuda13" ;;
esac
requirements=$(cd "$(dirname "$0")" && pwd)/xla/$which.txt
case "${XDG_DATA_HOME:-}" in
/*) data=$XDG_DATA_HOME ;;
*) data=${HOME:-}/.local/share ;;
esac
folder=${MCVD_XLA_DIR:-$data/mcvd/xla}
stamp=$folder/$which/requirements.txt

if cmp -s "$requirements" "$stamp"; then
	echo "the $which plugin is in $folder/$which"
	exit 0
fi
if [ "$(uname -s)/$(uname -m)" != Linux/x86_64 ]; then
	fail 3 "packages are pinned for Linux on x86-64 only, this is $(uname -s) on $(uname -m): use --backend go, or put a plugin of your own into a folder of PJRT_PLUGIN_LIBRARY_PATH"
fi
python=${PYTHON:-python3}
command -v "$python" >/dev/null || fail 4 "$python is missing, which fetches the packages: install python3 and its pip (apt-get install python3-pip)"
"$python" -m pip --version >/dev/null 2>&1 || fail 4 "$python has no pip: install it (apt-get install python3-pip, or $python -m ensurepip --user)"

mkdir -p "$folder" || fail 1 "$folder can't be made: set MCVD_XLA_DIR to a folder that can"
part=$(mktemp -d "$folder/.$which.XXXXXX") || fail 1 "$folder can't be written to: set MCVD_XLA_DIR to a folder that can"
trap 'rm -rf "$part"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

echo "fetching the packages of scripts/xla/$which.txt" >&2
if ! "$python" -m pip download --require-hashes --no-deps --only-binary :all: --retries 2 --disable-pip-version-check \
	--dest "$part/wheels" -r "$requirements" >"$part/log" 2>&1; then
	cat "$part/log" >&2
	if grep -q "DO NOT MATCH THE HASHES" "$part/log"; then
		fail 6 "a package is not the one that scripts/xla/$which.txt names by its hash: nothing was installed"
	elif grep -q -i -E "no space left|disk quota" "$part/log"; then
		fail 1 "no space left in $folder: set MCVD_XLA_DIR to a folder that has more"
	elif grep -q -i -E "connection|name resolution|timed out|network|proxy|SSLError|HTTP error" "$part/log"; then
		fail 5 "no network, or pip's package index can't be reached (above): nothing was installed"
	elif grep -q "No matching distribution" "$part/log"; then
		fail 5 "pip's package index doesn't have these packages, or not for this system (above): nothing was installed"
	fi
	fail 1 "pip failed (above): nothing was installed"
fi

# A wheel is a zip file. Python's zipfile drops the permissions, and ptxas and its like must be programs.
for wheel in "$part"/wheels/*.whl; do
	"$python" -m zipfile -e "$wheel" "$part/$which" || fail 1 "$wheel can't be unpacked: is there space in $folder?"
done
find "$part/$which" -path '*/nvidia/*/bin/*' -type f -exec chmod +x {} +
cp "$requirements" "$part/$which/requirements.txt"
rm -rf "${folder:?}/$which"
mv -T "$part/$which" "$folder/$which"
echo "installed the $which plugin into $folder/$which"
