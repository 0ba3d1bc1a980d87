package ranks

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
)

// Bound says that mpirun lets each rank use only some of the cores that it has itself, as Open MPI's does
// unless it is told otherwise; "" if the ranks of this host share all of them.
func Bound() string {
	here := 1
	for _, name := range []string{"OMPI_COMM_WORLD_LOCAL_SIZE", "MPI_LOCALNRANKS"} {
		if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
			here = n
		}
	}
	return bound(runtime.NumCPU(), coresOf(os.Getppid()), here)
}

func bound(own, above, here int) string {
	if own*here >= above {
		return ""
	}
	return fmt.Sprintf("each rank may use %d of the %d cores that mpirun has on this host: mpirun --bind-to none lets it use all", own, above)
}
