#!/bin/sh
# Runs the tests of what is concurrent under the race detector, which needs a C compiler: without one they are skipped, but
# not in CI (MCVD_CI=1). Call: scripts/test-race.sh
set -eu

if ! command -v "${CC:-cc}" >/dev/null; then
	echo "race tests skipped: no C compiler" >&2
	[ -z "${MCVD_CI:-}" ] || exit 1
	exit 0
fi
export CGO_ENABLED=1
go test -race ./configs/... ./data/... ./models/weights ./train/ranks ./train/runs
# Not the pages in a browser, which are too slow with it; the server that they ask is tested.
go test -race ./train/watch -skip 'ThePage|HostileRuns|AReport'
# What a step computes beside the caller. Go's checks of pointers don't allow the Go backend's vectors.
go test -race -gcflags=all=-d=checkptr=0 ./models/devices
# Scoring without networks: the Go backend's graphs don't run with the race detector.
go test -race ./eval/metric -run 'TestRealVideosAreReadOnce|TestFVMDRefuses'
