#!/bin/sh
# Runs every fuzz target for SECONDS, 30 if none are given, and prints a table: how often each was executed, how many inputs it
# found that reach something new, and whether one failed. PATTERN is a regular expression for "package target"; targets that
# don't match are left out. Go keeps new inputs in its cache, so the next call goes on from them. An input that fails is written
# to testdata/fuzz of its package, where `go test` tries it ever after. GOMAXPROCS is how many processes fuzz at once.
# Exit status 1 if a target failed.
# Call: scripts/fuzz.sh [SECONDS] [PATTERN]
set -eu

seconds=${1:-30}
pattern=${2:-.}
case $seconds in
'' | *[!0-9]* | 0)
	echo "scripts/fuzz.sh: $seconds seconds, want a number from 1" >&2
	exit 2
	;;
esac
export GOTOOLCHAIN=auto GOEXPERIMENT=simd
cd "$(dirname "$0")/.."
targets=$(git ls-files -co --exclude-standard '*_test.go' | xargs grep -n '^func Fuzz' |
	sed 's|^\([^:]*\)/[^/:]*:[0-9]*:func \(Fuzz[A-Za-z0-9_]*\)(.*|\1 \2|' | sort | grep -E -- "$pattern") || {
	echo "scripts/fuzz.sh: no target matches $pattern" >&2
	exit 2
}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT TERM

status=0
built=
printf '%-28s %-20s %12s %6s  %s\n' PACKAGE TARGET EXECUTIONS NEW RESULT
while read -r package target; do
	if [ "$package" != "$built" ]; then # one program has all targets of a package
		rm -f "$scratch/test"
		go test -c -vet=off -fuzz=. -o "$scratch/test" "./$package"
		built=$package
	fi
	cache=$(go env GOCACHE)/fuzz/mcvd/$package
	result=ok
	# By default Go spends up to a minute on making an input smaller, in which a target is executed a few times: 1x is once.
	(cd "$package" && "$scratch/test" -test.run='^$' -test.fuzz="^$target\$" -test.fuzztime="${seconds}s" -test.fuzzminimizetime=1x \
		-test.fuzzcachedir="$cache" -test.timeout=0) >"$scratch/log" 2>&1 || result=FAILED
	# fuzz: elapsed: 3s, execs: 325017 (108336/sec), new interesting: 11 (total: 202)
	counts=$(sed -n 's/.*execs: \([0-9]*\) .*new interesting: \([0-9]*\) .*/\1 \2/p' "$scratch/log" | tail -n 1)
	printf '%-28s %-20s %12s %6s  %s\n' "$package" "$target" "${counts% *}" "${counts#* }" "$result"
	if [ "$result" = FAILED ]; then
		status=1
		grep -av '^fuzz: elapsed' "$scratch/log" | tail -n 40 >&2
	fi
done <<END
$targets
END
exit $status
