package ranks

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strconv"
)

// ErrNoMPI says that no mpirun was found.
var ErrNoMPI = errors.New("no mpirun in the path, and none that scripts/install-mpi.sh installed")

// Command prepares n processes of a program on this host, whatever its cores are. It is for tests and
// measurements.
func Command(ctx context.Context, n int, program string, args ...string) (*exec.Cmd, error) {
	mpirun, ok := Mpirun()
	if !ok {
		return nil, ErrNoMPI
	}
	cmd := exec.CommandContext(ctx, mpirun, append([]string{"-n", strconv.Itoa(n), program}, args...)...)
	// Open MPI starts no more processes than cores, and none for root, unless it is told to. MPICH needs no
	// telling, and doesn't know the flags.
	cmd.Env = append(os.Environ(), "OMPI_ALLOW_RUN_AS_ROOT=1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1",
		"PRTE_MCA_rmaps_default_mapping_policy=:oversubscribe", "OMPI_MCA_rmaps_base_oversubscribe=1")
	return cmd, nil
}
