# Go fetches the toolchain that go.mod names; simd makes the Go backend's matrix products several times faster.
export GOTOOLCHAIN = auto
export GOEXPERIMENT = simd
# That toolchain is called by its path: where GOEXPERIMENT is one that they don't know, some versions of Go, such as 1.24, crash before
# they start another toolchain.
export PATH := $(addsuffix /bin:,$(shell GOTOOLCHAIN=auto GOEXPERIMENT= go env GOROOT 2>/dev/null))$(PATH)

# The program knows its commit (`mcvd --version`, a run's versions.json), also where GOFLAGS or `go env -w` switch Go's stamp off.
# Where git can't tell, such as in a copy without .git or in somebody else's clone, the program is built without it.
stamp = $(shell git status --porcelain >/dev/null 2>&1 && echo -buildvcs=true)

.PHONY: build demo figures test nightly lint release licences clean

build:
	go build $(stamp) -o bin/mcvd ./cmd/mcvd

# Trains a small model on a folder of MP4s, generates videos with it and scores it: about 10 minutes on two cores.
demo:
	scripts/install-ffmpeg.sh
	$(MAKE) build
	scripts/demo.sh

# The figures and the tables of docs/toys.md, trained anew: a quarter of an hour on two cores. Then those of docs/samplers.md,
# a quarter of an hour: they need demo/run, which `make demo` trains, and are left as they are without it.
figures: build
	scripts/figures.sh

# Everything that must be true, on the Go backend and on XLA's.
test: lint build
	scripts/install-ffmpeg.sh
	scripts/test-weights.sh
	go test -timeout 30m ./...
	scripts/test-xla.sh
	scripts/test-race.sh

# What takes too long for every change: an hour and a half on two cores. SEED chooses the chances, today's date if it is not given.
SEED = $(shell date +%Y%m%d)
nightly: build
	scripts/install-ffmpeg.sh
	scripts/install-xla.sh cpu
	go run ./cmd/torture -seed $(SEED)
	go run ./cmd/torture -seed $(SEED) -backend xla-cpu
	scripts/fuzz.sh 60
	MCVD_LONG_STEPS=20000 go test ./train -run ALongRun -timeout 2h

lint:
	scripts/lint.sh

# What a release consists of, for all systems, into dist/: docs/releases.md.
release:
	go run ./scripts/release

# The licences of what is linked into mcvd, to stdout.
licences:
	@go run ./scripts/release licences

clean:
	rm -rf bin demo dist figures
