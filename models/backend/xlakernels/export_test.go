//go:build cgo && linux && amd64 && !noxla

package xlakernels

var (
	TakeMemory   = takeMemory
	GiveMemory   = giveMemory
	MemoryCounts = memoryCounts
	LimitMemory  = limitMemory
	UseVectors   = useVectors
)

// Twist lets f change what XLA is given; nil ends it.
func Twist(f func([]byte) []byte) { twist = f }

// KeepAll keeps programs whatever time XLA took for them, until the function is called that it returns.
func KeepAll() func() {
	old := worthKeeping
	worthKeeping = 0
	return func() { worthKeeping = old }
}
