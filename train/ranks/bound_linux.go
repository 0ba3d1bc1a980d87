package ranks

import "golang.org/x/sys/unix"

// coresOf are how many cores a process may use; 0 if that can't be told.
func coresOf(pid int) int {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(pid, &set); err != nil {
		return 0
	}
	return set.Count()
}
