// Package backend chooses and opens what runs the graphs.
//
// Names of backends, the values of --backend:
//
//	auto      CUDA where there is an NVIDIA device and the plugin, else the CPU plugin if it is installed, else Go
//	go        pure Go; needs nothing
//	xla-cpu   XLA on the CPU, by the plugin that scripts/install-xla.sh cpu installs
//	xla-cuda  XLA on NVIDIA devices, by the plugin that scripts/install-xla.sh cuda13 installs
//	KIND:...  GoMLX's own string, such as go:parallelism=4 or xla:/path/of/plugin.so
//
// Nothing is ever downloaded here. Where plugins are looked for is said in search.go, what XLA
// wants of the environment of a process in environment.go.
package backend

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"sync"

	"github.com/gomlx/compute"
	_ "github.com/gomlx/compute/gobackend" // links the pure-Go backend
	"github.com/gomlx/gomlx/support/exceptions"
	"k8s.io/klog/v2"
)

// Open chooses and opens the named backend. The caller finalizes it.
func Open(name string) (compute.Backend, error) {
	c, err := Choose(name)
	if err != nil {
		return nil, err
	}
	return c.Open()
}

// Open opens the backend. The caller finalizes it.
func (c Choice) Open() (compute.Backend, error) {
	reserveHeap()
	_ = c.kernels() // without them the plugin is as it was; Describe says why
	var opened compute.Backend
	var err error
	panicked := exceptions.TryCatch[error](func() {
		quietly(func() { opened, err = compute.NewWithConfig(c.config) })
	})
	if panicked != nil {
		err = panicked
	}
	if err != nil {
		return nil, fmt.Errorf("--backend %s: %s%s", c.Name, firstLine(err), c.hint())
	}
	return opened, nil
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return strings.TrimSpace(line)
}

// hint is a likely reason why the backend can't be opened.
func (c Choice) hint() string {
	if c.kind != cuda {
		return ""
	}
	if len(c.missing) > 0 {
		return "; not found: " + strings.Join(c.missing, ", ") + " (`mcvd doctor` says more; --backend go needs nothing)"
	}
	return " (TF_CPP_MIN_LOG_LEVEL=0 shows what XLA says about it; --backend go needs nothing)"
}

// reserveHeap maps a gigabyte of address space, touches nothing of it, and gives it back to the
// heap.
//
// In Go 1.27, the vector loads of simd/archsimd for the last few values of a slice read a whole
// vector and mask it. So they read up to 63 bytes past the slice. If the heap's mapped memory ends
// there, that is a crash, seen once in some hundred processes. The heap fills from its lower end,
// so with this room above it, its end is hardly ever used. A slice that is made would be cleared where
// its pages had been in use before. That took a second and a gigabyte in one of dozens of processes.
var reserveHeap = sync.OnceFunc(func() {
	if SlowBuild == "" {
		var room strings.Builder
		room.Grow(1 << 30)
		runtime.KeepAlive(&room)
		runtime.GC()
	}
})

// quietly runs f without standard output and without the libraries' log. Standard output belongs to
// results, but the Go backend prints its settings there. go-xla logs errors that it also returns.
func quietly(f func()) {
	klog.SetSlogLogger(slog.New(slog.NewTextHandler(io.Discard, nil)))
	defer klog.ClearLogger()
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
