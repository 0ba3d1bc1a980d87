package ranks

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// environ reads variables that are given as NAME=VALUE.
func environ(set ...string) func(string) string {
	return func(name string) string {
		for _, s := range set {
			if value, ok := strings.CutPrefix(s, name+"="); ok {
				return value
			}
		}
		return ""
	}
}

func TestStarted(t *testing.T) {
	for _, c := range []struct {
		name       string
		set        []string
		by         string
		size, rank int
	}{
		{"alone", nil, "", 0, 0},
		{"Open MPI", []string{"OMPI_COMM_WORLD_SIZE=4", "OMPI_COMM_WORLD_RANK=3", "PMIX_RANK=3"}, "Open MPI's mpirun", 4, 3},
		{"MPICH", []string{"PMI_SIZE=4", "PMI_RANK=2"}, "MPICH's mpirun or srun --mpi=pmi2", 4, 2},
		{"Slurm with PMIx", []string{"SLURM_STEP_NUM_TASKS=8", "SLURM_PROCID=5", "PMIX_RANK=5"}, "srun --mpi=pmix", 8, 5},
		{"Open MPI's mpirun in a Slurm job with one launcher a host", []string{"SLURM_STEP_NUM_TASKS=2", "OMPI_COMM_WORLD_SIZE=4", "OMPI_COMM_WORLD_RANK=1", "PMIX_RANK=1"}, "Open MPI's mpirun", 4, 1},
		{"another launcher with PMIx does not say how many", []string{"PMIX_RANK=1"}, "a launcher with PMIx", 0, 1},
		{"a single rank", []string{"OMPI_COMM_WORLD_SIZE=1", "OMPI_COMM_WORLD_RANK=0"}, "Open MPI's mpirun", 1, 0},
		{"a task of Slurm without PMI is no rank", []string{"SLURM_STEP_NUM_TASKS=2", "SLURM_PROCID=1"}, "", 0, 0},
		{"no number", []string{"PMI_SIZE=4", "PMI_RANK=first"}, "", 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			by, size, rank, ok := Started(environ(c.set...))
			if by != c.by || size != c.size || rank != c.rank || ok != (c.by != "") {
				t.Errorf("%q: got %q, %d, %d, %v, want %q, %d, %d", c.set, by, size, rank, ok, c.by, c.size, c.rank)
			}
		})
	}
}

// Ranks that mpirun binds to fewer cores than it has are told so.
func TestRanksThatAreBound(t *testing.T) {
	for _, c := range []struct {
		own, above, here int
		want             bool
	}{{1, 64, 1, true}, {1, 64, 8, true}, {64, 64, 1, false}, {32, 64, 2, false}, {64, 64, 8, false}, {1, 1, 1, false}, {8, 0, 1, false}} {
		if got := bound(c.own, c.above, c.here); (got != "") != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
	if n := coresOf(os.Getpid()); runtime.GOOS == "linux" && n != runtime.NumCPU() {
		t.Errorf("this process may use %d cores, want %d", n, runtime.NumCPU())
	}
}

func TestUnseenRanksAreReported(t *testing.T) {
	for _, c := range []struct {
		name string
		set  []string
		size int
		want string // a part of the error; "" for none
	}{
		{"alone", nil, 1, ""},
		{"a step of one task", []string{"SLURM_STEP_NUM_TASKS=1"}, 1, ""},
		{"a job of several tasks, of which the batch script is none", []string{"SLURM_NTASKS=2"}, 1, ""},
		{"tasks that see each other", []string{"SLURM_STEP_NUM_TASKS=2"}, 2, ""},
		{"tasks that don't", []string{"SLURM_STEP_NUM_TASKS=2"}, 1, "srun started 2 processes, but they don't see each other"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := unseen(environ(c.set...), c.size)
			if (err != nil) != (c.want != "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("%q, %d ranks: got %v, want %q", c.set, c.size, err, c.want)
			}
		})
	}
}

// libraries are the names of both libraries on this system.
func libraries(t *testing.T) (open, mpich string) {
	switch runtime.GOOS {
	case "linux":
		return "libmpi.so.40", "libmpi.so.12"
	case "darwin":
		return "libmpi.40.dylib", "libmpi.12.dylib"
	}
	t.Skipf("no MPI is loaded on %s", runtime.GOOS)
	return "", ""
}

// place makes files, with the permission to execute them.
func place(t *testing.T, paths ...string) {
	t.Helper()
	for _, path := range paths {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

func TestCandidates(t *testing.T) {
	open, mpich := libraries(t)
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	at := func(path string) string { return filepath.Join(root, path) }
	// Two MPIs with their own folders, a system with a link to its mpirun, and what the script installs.
	place(t, at("a/bin/mpirun"), at("a/lib/"+open), at("b/bin/mpirun"), at("b/lib/"+mpich), at("usr/bin/mpirun.openmpi"),
		at("data/mcvd/mpi/openmpi/lib/"+open), at("data/mcvd/mpi/mpich/lib/"+mpich), at("home/.local/share/mcvd/mpi/mpich/lib/"+mpich), at("own/openmpi/lib/"+open))
	for link, to := range map[string]string{"usr/bin/mpirun": "mpirun.openmpi", "links": "a/bin"} {
		if err := os.Symlink(to, at(link)); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(root)
	byOpen, byMPICH := "OMPI_COMM_WORLD_RANK=0", "PMI_RANK=0"
	data := "XDG_DATA_HOME=" + at("data")
	for _, c := range []struct {
		name string
		set  []string
		want []string
	}{
		{"a file that is named, and no other", []string{LibraryVariable + "=x.so", byOpen, "PATH=" + at("a/bin")}, []string{"x.so"}},
		{"beside mpirun, then the system's", []string{byOpen, "PATH=" + at("usr/sbin") + ":" + at("a/bin")}, []string{at("a/lib/" + open), open}},
		{"beside what a link in the path leads to", []string{byOpen, "PATH=" + at("links")}, []string{at("a/lib/" + open), open}},
		{"MPICH is not Open MPI", []string{byMPICH, "PATH=" + at("a/bin")}, []string{mpich}},
		{"the first mpirun of the path", []string{byMPICH, "PATH=" + at("b/bin") + ":" + at("a/bin")}, []string{at("b/lib/" + mpich), mpich}},
		{"the system's mpirun, then what is installed", []string{byOpen, data, "PATH=" + at("usr/bin")}, []string{open, at("data/mcvd/mpi/openmpi/lib/" + open)}},
		{"no mpirun", []string{byMPICH, data}, []string{mpich, at("data/mcvd/mpi/mpich/lib/" + mpich)}},
		{"the data folder of a home", []string{byMPICH, "XDG_DATA_HOME=relative", "HOME=" + at("home")}, []string{mpich, at("home/.local/share/mcvd/mpi/mpich/lib/" + mpich)}},
		{"a folder that is named", []string{byOpen, data, "MCVD_MPI_DIR=" + at("own")}, []string{open, at("own/openmpi/lib/" + open)}},
		{"the mpirun that started it, another one in the path", []string{byOpen, "OPAL_PREFIX=" + at("own/openmpi"), "PATH=" + at("a/bin")}, []string{at("own/openmpi/lib/" + open), at("a/lib/" + open), open}},
		{"the mpirun that started it is that of the path", []string{byOpen, "OPAL_PREFIX=" + at("a"), "PATH=" + at("a/bin")}, []string{at("a/lib/" + open), open}},
		{"either, under a launcher for both", []string{"PMIX_RANK=0", data, "PATH=" + at("b/bin")}, []string{at("b/lib/" + mpich), open, mpich, at("data/mcvd/mpi/openmpi/lib/" + open), at("data/mcvd/mpi/mpich/lib/" + mpich)}},
		{"a relative folder of the path is passed over", []string{byOpen, "PATH=a/bin:."}, []string{open}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := slices.DeleteFunc(candidates(environ(c.set...)), func(path string) bool { return path == "libmpich.so.12" })
			if !slices.Equal(got, c.want) {
				t.Errorf("%q: got %q, want %q", c.set, got, c.want)
			}
		})
	}
}

func TestMpirun(t *testing.T) {
	root := t.TempDir()
	at := func(path string) string { return filepath.Join(root, path) }
	place(t, at("a/bin/mpirun"), at("both/openmpi/bin/mpirun"), at("both/mpich/bin/mpirun"), at("one/mpich/bin/mpirun"))
	if err := os.MkdirAll(at("folder/mpirun"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		set  []string
		want string
	}{
		{"none", []string{"MCVD_MPI_DIR=" + at("nowhere"), "PATH=" + at("nowhere")}, ""},
		{"of the path", []string{"MCVD_MPI_DIR=" + at("both"), "PATH=" + at("nowhere") + ":" + at("a/bin")}, at("a/bin/mpirun")},
		{"Open MPI first, of those that are installed", []string{"MCVD_MPI_DIR=" + at("both")}, at("both/openmpi/bin/mpirun")},
		{"MPICH alone", []string{"MCVD_MPI_DIR=" + at("one")}, at("one/mpich/bin/mpirun")},
		{"a folder of this name is no program", []string{"MCVD_MPI_DIR=" + at("one"), "PATH=" + at("folder")}, at("one/mpich/bin/mpirun")},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, ok := mpirun(environ(c.set...)); got != c.want || ok != (c.want != "") {
				t.Errorf("%q: got %q, %v, want %q", c.set, got, ok, c.want)
			}
		})
	}
}
