# Functions of the scripts that install packages; they are sourced:
#
#   . "$(dirname "$0")/pip.sh"
#
# $python is then the Python whose pip fetches: $PYTHON, or python3.
python=${PYTHON:-python3}

# fail STATUS WORD...: ends the script with a line on stderr.
fail() {
	status=$1
	shift
	echo "$(basename "$0"): $*" >&2
	exit "$status"
}

# need_pip fails with 4 where there is no pip.
need_pip() {
	command -v "$python" >/dev/null || fail 4 "$python is missing, which fetches the packages: install python3 and its pip (apt-get install python3-pip)"
	"$python" -m pip --version >/dev/null 2>&1 || fail 4 "$python has no pip: install it (apt-get install python3-pip, or $python -m ensurepip --user)"
}

# fetch FILE FOLDER SPACE OPTION...: downloads the packages that FILE names into FOLDER, checked by their hashes. It fails with 5 for no
# network, 6 for a wrong hash and 1 for anything else; SPACE says what to do where the disk is full.
fetch() {
	file=$1 to=$2 space=$3
	shift 3
	log=$(mktemp) || fail 1 "no temporary file: $space"
	status=0
	"$python" -m pip download --require-hashes --no-deps --retries 2 --disable-pip-version-check --dest "$to" -r "$file" "$@" >"$log" 2>&1 || status=$?
	text=$(cat "$log")
	rm -f "$log"
	[ $status -ne 0 ] || return 0
	echo "$text" >&2
	says() { echo "$text" | grep -q -i -E "$1"; }
	! says "DO NOT MATCH THE HASHES" || fail 6 "a package is not the one that $file names by its hash: nothing was installed"
	! says "no space left|disk quota" || fail 1 "no space left: $space"
	! says "connection|name resolution|timed out|network|proxy|SSLError|HTTP error" || fail 5 "no network, or pip's package index can't be reached (above): nothing was installed"
	! says "No matching distribution" || fail 5 "pip's package index doesn't have these packages, or not for this system (above): nothing was installed"
	fail 1 "pip failed (above): nothing was installed"
}
