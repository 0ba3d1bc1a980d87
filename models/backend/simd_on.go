//go:build goexperiment.simd || !amd64

package backend

// SlowBuild says why this build is slower than it needs to be, or is empty.
const SlowBuild = ""
