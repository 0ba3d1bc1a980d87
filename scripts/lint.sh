#!/bin/sh
# Checks formatting and runs go vet and staticcheck over the whole module. Call: scripts/lint.sh
set -eu

unformatted=$(gofmt -l $(git ls-files -co --exclude-standard '*.go'))
if [ -n "$unformatted" ]; then
	echo "not formatted by gofmt:" >&2
	echo "$unformatted" >&2
	exit 1
fi
go vet ./...
# Graph code imports graph with a dot, so that formulas read as formulas: ST1001 stays out.
go tool staticcheck -checks inherit,-ST1001 ./...
