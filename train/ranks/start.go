package ranks

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
)

// OffVariable is off where processes that were started together have nothing to do with each other.
const OffVariable = "MCVD_RANKS"

// LibraryVariable names the MPI library's file, where it is not found by itself.
const LibraryVariable = "MCVD_MPI"

// launchers are what starts ranks: the variables that say how many there are and which one this is, and
// whether they are for Open MPI or for MPICH. "" is for either.
var launchers = []struct {
	name, size, rank, library string
}{
	{"Open MPI's mpirun", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK", openMPI},
	{"MPICH's mpirun or srun --mpi=pmi2", "PMI_SIZE", "PMI_RANK", mpich},
	{"srun --mpi=pmix", "SLURM_STEP_NUM_TASKS", "PMIX_RANK", ""},
	{"a launcher with PMIx", "", "PMIX_RANK", ""},
}

const (
	openMPI = "openmpi"
	mpich   = "mpich"
)

// files are names of the libraries' files.
var files = map[string][]string{
	openMPI: {"libmpi.so.40", "libmpi.40.dylib"},
	mpich:   {"libmpi.so.12", "libmpich.so.12", "libmpi.12.dylib"},
}

// Started says whether this process was started as one of several, and which one it is, as far as its
// environment tells. size is 0 where it doesn't.
func Started(getenv func(string) string) (by string, size, rank int, ok bool) {
	if getenv(OffVariable) == "off" {
		return "", 0, 0, false
	}
	for _, l := range launchers {
		rank, err := strconv.Atoi(getenv(l.rank))
		if err != nil {
			continue
		}
		size, err := strconv.Atoi(getenv(l.size))
		if err != nil && l.size != "" {
			continue
		}
		return l.name, size, rank, true
	}
	return "", 0, 0, false
}

// Unseen reports processes that a scheduler started together and that don't see each other, so that each
// would do the whole by itself, and a value of MCVD_RANKS that means nothing.
func Unseen(getenv func(string) string) error {
	if value := getenv(OffVariable); value != "" && value != "off" {
		return fmt.Errorf("%s=%s: want off, or nothing", OffVariable, value)
	}
	if _, _, _, ok := Started(getenv); ok {
		return nil
	}
	return unseen(getenv, 1)
}

// Open makes this process a rank if it was started as one. It returns nil if it was started alone.
func Open(ctx context.Context) (*Ranks, error) {
	if err := Unseen(os.Getenv); err != nil {
		return nil, err
	}
	by, size, _, ok := Started(os.Getenv)
	if !ok || size == 1 {
		return nil, nil
	}
	r, err := connect(ctx, candidates(os.Getenv))
	if err != nil {
		return nil, fmt.Errorf("%s started this process as one of several: %w\n%s=FILE names the library; Debian's openmpi-bin and mpich have one, and scripts/install-mpi.sh installs one", by, err, LibraryVariable)
	}
	if size > 0 && r.Size() != size {
		return nil, fmt.Errorf("%s started %d processes, but %s sees %d: it belongs to another mpirun; %s=FILE names the right library", by, size, r.name, r.Size(), LibraryVariable)
	}
	return r, unseen(os.Getenv, r.Size())
}

// unseen reports processes that a scheduler started, and of which this one sees only size.
func unseen(getenv func(string) string, size int) error {
	if n, err := strconv.Atoi(getenv("SLURM_STEP_NUM_TASKS")); err == nil && n > 1 && size == 1 && getenv(OffVariable) != "off" {
		return fmt.Errorf("srun started %d processes, but they don't see each other: want srun --mpi=pmix or --mpi=pmi2 (`srun --mpi=list` shows what there is), or mpirun within the job; %s=off lets each work by itself", n, OffVariable)
	}
	return nil
}

// candidates are the files in which the library may be, the likeliest first: that of the mpirun that says
// where it is, as Open MPI's does, then beside the mpirun of the path, wherever the system looks, and where
// scripts/install-mpi.sh puts it.
func candidates(getenv func(string) string) (paths []string) {
	if path := getenv(LibraryVariable); path != "" {
		return []string{path}
	}
	kinds := []string{openMPI, mpich}
	for _, l := range launchers {
		if getenv(l.rank) != "" && l.library != "" {
			kinds = []string{l.library}
			break
		}
	}
	var folders []string
	if prefix := getenv("OPAL_PREFIX"); prefix != "" {
		folders = append(folders, prefix)
	}
	if mpirun, ok := inPath(getenv); ok {
		if mpirun, err := filepath.EvalSymlinks(mpirun); err == nil {
			folders = append(folders, filepath.Dir(filepath.Dir(mpirun)))
		}
	}
	for _, folder := range slices.Concat(folders, []string{""}, installed(getenv)) {
		for _, kind := range kinds {
			for _, name := range files[kind] {
				if (filepath.Ext(name) == ".dylib") != (runtime.GOOS == "darwin") {
					continue
				}
				if path := filepath.Join(folder, "lib", name); folder == "" {
					paths = append(paths, name)
				} else if _, err := os.Stat(path); err == nil && !slices.Contains(paths, path) {
					paths = append(paths, path)
				}
			}
		}
	}
	return paths
}

// Mpirun is the mpirun with which ranks are started: that of the path, or one of scripts/install-mpi.sh.
func Mpirun() (path string, ok bool) { return mpirun(os.Getenv) }

func mpirun(getenv func(string) string) (path string, ok bool) {
	if path, ok := inPath(getenv); ok {
		return path, true
	}
	for _, folder := range installed(getenv) {
		if path, err := exec.LookPath(filepath.Join(folder, "bin", "mpirun")); err == nil {
			return path, true
		}
	}
	return "", false
}

// inPath is the mpirun of the path.
func inPath(getenv func(string) string) (path string, ok bool) {
	for _, folder := range filepath.SplitList(getenv("PATH")) {
		if !filepath.IsAbs(folder) {
			continue
		}
		if path, err := exec.LookPath(filepath.Join(folder, "mpirun")); err == nil {
			return path, true
		}
	}
	return "", false
}

// installed are the folders of install-mpi.sh, which finds them in the same way.
func installed(getenv func(string) string) []string {
	folder := getenv("MCVD_MPI_DIR")
	if folder == "" {
		data := getenv("XDG_DATA_HOME")
		if !filepath.IsAbs(data) {
			data = filepath.Join(getenv("HOME"), ".local", "share")
		}
		folder = filepath.Join(data, "mcvd", "mpi")
	}
	if folder, err := filepath.Abs(folder); err == nil { // the loader takes a name without a slash for one of the system's
		return []string{filepath.Join(folder, openMPI), filepath.Join(folder, mpich)}
	}
	return nil
}
