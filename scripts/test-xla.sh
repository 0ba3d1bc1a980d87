#!/bin/sh
# Runs the tests of everything that builds graphs on XLA's CPU plugin, and installs it first if it is missing. Where that can't be
# (no network, no pip, another system), it says so and succeeds, except in CI (MCVD_CI=1). Call: scripts/test-xla.sh
set -eu

skip() {
	echo "XLA's tests skipped: $1" >&2
	[ -z "${MCVD_CI:-}" ] || exit 1
	exit 0
}

[ "$(go env CGO_ENABLED)" = 1 ] || skip "cgo is off (CGO_ENABLED=0, or no C compiler), which XLA needs"
log=$(mktemp)
MCVD_XLA_CACHE=$(mktemp -d) # what the tests of one package compile, those of another may need
export MCVD_XLA_CACHE
trap 'rm -rf "$log" "$MCVD_XLA_CACHE"' EXIT
status=0
scripts/install-xla.sh cpu >"$log" 2>&1 || status=$?
case $status in
0) ;;
3 | 4 | 5) skip "$(tail -n 1 "$log")" ;; # not for this machine, no pip, no network
*)
	cat "$log" >&2
	exit 1
	;;
esac

# Compiling is nearly all that these tests do, and takes a quarter of the time when LLVM doesn't optimize what XLA made.
export XLA_FLAGS="--xla_backend_optimization_level=0${XLA_FLAGS:+ $XLA_FLAGS}"
export MCVD_TEST_BACKEND=xla-cpu
packages=$(go list -f '{{.ImportPath}} {{join .TestImports " "}} {{join .XTestImports " "}}' ./... | awk '/ mcvd\/models\/backend\/backendtest( |$)/ { print $1 }')
# Of the program, the main job and what depends on a plugin: the rest wires, and is tested on Go.
program=mcvd/cmd/mcvd
go test -vet=off -timeout 30m -run 'MainJob|StartsAgain|Doctor' $program
go test -vet=off -timeout 30m ./models/backend $(echo "$packages" | grep -v -x $program)
