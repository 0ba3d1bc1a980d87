#!/bin/sh
# Installs XLA's plugin for the CPU (63 MB) or for NVIDIA devices (2.5 GB, a driver for CUDA 13) into a folder of the user's, where
# `mcvd --backend auto` finds it. Python's pip fetches the packages that scripts/xla/*.txt name, checked by their hashes, from where pip
# is configured to; Python is not needed afterwards. A second call does nothing. Nothing else in this project downloads plugins.
#
# Call: scripts/install-xla.sh cpu|cuda13
# Folder: $MCVD_XLA_DIR, or mcvd/xla in $XDG_DATA_HOME or ~/.local/share. PYTHON names another python3.
# Exit status: 0 installed, 2 wrong call, 3 not for this machine, 4 no pip, 5 no network, 6 wrong hash, 1 anything else.
set -eu

. "$(dirname "$0")/pip.sh"

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
need_pip

mkdir -p "$folder" || fail 1 "$folder can't be made: set MCVD_XLA_DIR to a folder that can"
part=$(mktemp -d "$folder/.$which.XXXXXX") || fail 1 "$folder can't be written to: set MCVD_XLA_DIR to a folder that can"
trap 'rm -rf "$part"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

echo "fetching the packages of scripts/xla/$which.txt" >&2
fetch "$requirements" "$part/wheels" "set MCVD_XLA_DIR to a folder that has more" --only-binary :all:

# A wheel is a zip file. Python's zipfile drops the permissions, and ptxas and its like must be programs.
for wheel in "$part"/wheels/*.whl; do
	"$python" -m zipfile -e "$wheel" "$part/$which" || fail 1 "$wheel can't be unpacked: is there space in $folder?"
done
find "$part/$which" -path '*/nvidia/*/bin/*' -type f -exec chmod +x {} +
cp "$requirements" "$part/$which/requirements.txt"
rm -rf "${folder:?}/$which"
mv -T "$part/$which" "$folder/$which"
echo "installed the $which plugin into $folder/$which"
