//go:build !linux

package ranks

func coresOf(int) int { return 0 }
