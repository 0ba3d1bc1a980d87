// Package backend opens what runs the graphs.
package backend

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"

	"github.com/gomlx/compute"
	_ "github.com/gomlx/compute/gobackend" // links the pure-Go backend
	"github.com/gomlx/gomlx/support/exceptions"
	"mcvd/configs"
)

// backends are the values of --backend, each with the string that GoMLX knows it by.
//
// The pure-Go backend runs without a limit on its workers: with its default limit a training step took 1.4 times as long.
var backends = map[string]string{
	"go": "go:parallelism=-1",
}

// Names lists the backends.
func Names() []string { return configs.Names(backends) }

// Open opens the named backend. The caller finalizes it.
func Open(name string) (compute.Backend, error) {
	config := name
	if !strings.Contains(name, ":") {
		var err error
		if config, err = configs.Pick(backends, "--backend", name); err != nil {
			return nil, err
		}
	}
	reserveHeap()
	var opened compute.Backend
	var err error
	panicked := exceptions.TryCatch[error](func() {
		quietly(func() { opened, err = compute.NewWithConfig(config) })
	})
	if panicked != nil {
		err = panicked
	}
	if err != nil {
		line, _, _ := strings.Cut(err.Error(), "\n")
		return nil, fmt.Errorf("--backend %s: %s", name, line)
	}
	return opened, nil
}

// reserveHeap maps a gigabyte of address space, of which nothing is touched, and gives it back to the heap.
//
// The vector loads of Go 1.27's simd/archsimd for the last few values of a slice read a whole vector and mask it, so they read up to
// 63 bytes past the slice. Where the heap's mapped memory ends, that is a crash, seen once in some hundred processes. The heap
// fills from its lower end, so with this room above it, its end is hardly ever used.
var reserveHeap = sync.OnceFunc(func() {
	if SlowBuild == "" {
		runtime.KeepAlive(make([]byte, 1<<30))
		runtime.GC()
	}
})

// quietly runs f without standard output, which belongs to results: the Go backend prints its settings there.
func quietly(f func()) {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		f()
		return
	}
	defer null.Close()
	stdout := os.Stdout
	os.Stdout = null
	defer func() { os.Stdout = stdout }()
	f()
}
