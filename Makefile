# Go fetches the toolchain that go.mod names; simd makes the Go backend's matrix products several times faster.
export GOTOOLCHAIN = auto
export GOEXPERIMENT = simd

.PHONY: build demo test lint clean

build:
	go build -o bin/mcvd ./cmd/mcvd

# Trains a small model on a folder of MP4s, makes videos with it and scores it: 5 to 8 minutes on two cores.
demo:
	scripts/install-ffmpeg.sh
	$(MAKE) build
	scripts/demo.sh

# Everything that must be true, on the Go backend and on XLA's.
test: lint
	scripts/install-ffmpeg.sh
	go test ./...
	scripts/test-xla.sh
	scripts/test-race.sh

lint:
	scripts/lint.sh

clean:
	rm -rf bin demo
