package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"mcvd/models/backend"
	"mcvd/models/backend/backendtest"
)

const (
	// asProgram, in the environment of what tests start, makes the test binary the program itself.
	asProgram = "MCVD_TEST_AS_PROGRAM"
	// startsVariable names a file to which each start of the program adds a line.
	startsVariable = "MCVD_TEST_STARTS"
)

// Tests run on Go, whatever is installed: what commands wire is the same on all backends. One goes
// through the main job on the backend that tests run on.
func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		recordStart()
		main()
	}
	none, err := os.MkdirTemp("", "mcvd-no-weights") // scores of networks would take long
	if err := errors.Join(err, os.Setenv(weightsVariable, none), os.Setenv(backendVariable, "go"), os.Setenv(asProgram, "1")); err != nil {
		panic(err)
	}
	status := m.Run()
	if err := os.RemoveAll(none); err != nil {
		panic(err)
	}
	os.Exit(status)
}

func recordStart() {
	path := os.Getenv(startsVariable)
	if path == "" {
		return
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err == nil {
		_, err = fmt.Fprintln(f, strings.Join(os.Args[1:], " "), os.Getenv("GLIBC_TUNABLES"))
	}
	if err := errors.Join(err, f.Close()); err != nil {
		panic(err)
	}
}

// run executes a command line in this process, which is never replaced.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	return newApp(stderr).run(ctx, args, stdout)
}

func newRoot(stderr io.Writer) *cobra.Command { return newApp(stderr).root() }

// outcome is how a process ended.
type outcome struct {
	status         int
	stdout, stderr string
	cpu            time.Duration // that it used: unlike the clock, the same on a busy machine
}

// program runs the program in a process of its own, in this environment with more.
func program(t *testing.T, environ []string, args ...string) outcome {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, args...)
	cmd.Env = withVariables(os.Environ(), environ)
	var out, messages bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &messages
	if err := cmd.Run(); err != nil && !errors.As(err, new(*exec.ExitError)) {
		t.Fatal(err)
	}
	state := cmd.ProcessState
	return outcome{state.ExitCode(), out.String(), messages.String(), state.UserTime() + state.SystemTime()}
}

// noPlugins is an environment in which no plugin is found, unless Python's packages of the machine
// have one.
func noPlugins(t *testing.T) []string {
	t.Helper()
	home := t.TempDir()
	return []string{"HOME=" + home, "XDG_DATA_HOME=", "MCVD_XLA_DIR=", "PJRT_PLUGIN_LIBRARY_PATH=", "VIRTUAL_ENV=", "CONDA_PREFIX=",
		backendVariable + "=auto", "XLA_FLAGS=", "GLIBC_TUNABLES=", restartVariable + "="}
}

// installed is an environment in which the CPU plugin is installed as this machine has it.
func installed(t *testing.T) []string {
	t.Helper()
	c, err := backend.Choose("xla-cpu")
	if err != nil && backendtest.Name() == "go" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return []string{"PJRT_PLUGIN_LIBRARY_PATH=", "MCVD_XLA_DIR=" + filepath.Dir(filepath.Dir(filepath.Dir(filepath.Dir(c.Plugin)))),
		backendVariable + "=xla-cpu", "XLA_FLAGS=", "GLIBC_TUNABLES=", restartVariable + "="}
}

// The program starts itself again once, before it says or does anything, unless that is switched
// off or needless.
func TestStartsAgainOnce(t *testing.T) {
	base := installed(t)
	config, err := filepath.Abs("../../configs/tiny.yml")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name    string
		environ []string
		args    string
		starts  int
		last    string // the tunables of the last start
		status  int
		want    string // on stderr
	}{
		{"what XLA wants is missing", nil, "train -n -c " + config, 2, "glibc.malloc.hugetlb=1", 0, ""},
		{"auto says once what it took", []string{backendVariable + "=auto", "CUDA_VISIBLE_DEVICES=-1"}, "train -n -c " + config, 2, "glibc.malloc.hugetlb=1", 0, "backend: xla-cpu (CPU plugin in "},
		{"switched off", []string{restartVariable + "=off"}, "train -n -c " + config, 1, "", 0, ""},
		{"the user's tunables stay", []string{"GLIBC_TUNABLES=glibc.malloc.check=0"}, "train -n -c " + config, 2, "glibc.malloc.check=0:glibc.malloc.hugetlb=1", 0, ""},
		{"Go needs nothing", nil, "train -n --backend go -c " + config, 1, "", 0, ""},
		{"the status is that of the second", nil, "predict /no/such/run", 1, "", 1, "no such run folder"},
		{"started by another that was started again", []string{restartVariable + "=1"}, "train -n -c " + config, 2, "glibc.malloc.hugetlb=1", 0, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "starts")
			o := program(t, slices.Concat(base, []string{startsVariable + "=" + file}, tt.environ), strings.Fields(tt.args)...)
			said := strings.Count(o.stderr, "\n") - strings.Count(o.stderr, "XLA compiles a program when it is first used")
			if o.status != tt.status || said > 1 || !strings.Contains(o.stderr, tt.want) {
				t.Errorf("status %d, says %q, want %d and one line with %q", o.status, o.stderr, tt.status, tt.want)
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
			if last := tt.args + " " + tt.last; len(lines) != tt.starts || lines[len(lines)-1] != last {
				t.Errorf("starts %q, want %d, the last %q", lines, tt.starts, last)
			}
		})
	}
}

// Without plugins: each mistake is one line, within two seconds, and no crash.
func TestBackendsThatAreNotThere(t *testing.T) {
	dir := t.TempDir()
	library := filepath.Join(dir, "plugin.so")
	if err := os.WriteFile(library, []byte("text"), 0o644); err != nil {
		t.Fatal(err)
	}
	environ := noPlugins(t)
	for _, tt := range []struct {
		name   string
		status int
		want   string
	}{
		{"auto", 0, "backend: go ("},
		{"go", 0, ""},
		{"xla-cpu", 1, "mcvd: --backend xla-cpu: "},
		{"xla-cuda", 1, "mcvd: --backend xla-cuda: "},
		{"xla-cud", 2, "mcvd: --backend xla-cud: want one of auto, go, xla-cpu, xla-cuda"},
		{"xla:" + library, 1, "mcvd: --backend xla:" + library + ": "},
	} {
		o := program(t, environ, "train", "-n", "-c", "../../configs/tiny.yml", "--backend", tt.name)
		if o.status != tt.status || !strings.HasPrefix(o.stderr, tt.want) || strings.Count(o.stderr, "\n") > 1 {
			t.Errorf("%s: status %d, says %q, want %d and one line %q", tt.name, o.status, o.stderr, tt.status, tt.want)
		}
		if o.cpu > 2*time.Second {
			t.Errorf("%s: took %v", tt.name, o.cpu)
		}
	}
}

// The main job, on the backend that tests run on: training, going on, videos, scores.
func TestMainJob(t *testing.T) {
	inNewFolder(t)
	environ := []string{backendVariable + "=" + backendtest.Name()}
	for _, args := range []string{
		"train -c configs/tiny.yml -o run --set train.steps=2",
		"train run --set train.steps=3",
		"predict run --clips 1 --frames 3 --format png",
		"eval run --clips 1 --steps 2 --json",
	} {
		o := program(t, environ, strings.Fields(args)...)
		if o.status != 0 {
			t.Fatalf("%s: status %d, says %s", args, o.status, o.stderr)
		}
		if said := `"backend": "` + backendtest.Name() + `"`; strings.HasPrefix(args, "eval") && !strings.Contains(o.stdout, said) {
			t.Errorf("the report says\n%s\nwant %s", o.stdout, said)
		}
	}
	log, err := os.ReadFile("run/log.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	if measured := backendtest.Name() != "go"; strings.Contains(string(log), `"peak_share":`) != measured {
		t.Errorf("a share of the peak in the log is wanted: %v; it is\n%s", measured, log)
	}
}

func TestDoctor(t *testing.T) {
	o := program(t, noPlugins(t), "doctor")
	if o.status != 0 || !strings.Contains(o.stdout, "\nxla-cpu      not here: ") || !strings.Contains(o.stdout, "\nauto         takes go (") {
		t.Errorf("nothing installed: status %d, says\n%s%s", o.status, o.stdout, o.stderr)
	}
	broken := filepath.Join(t.TempDir(), "cpu/xla_plugins/xla_cpu_pjrt/xla_cpu_pjrt.so")
	if err := errors.Join(os.MkdirAll(filepath.Dir(broken), 0o755), os.WriteFile(broken, []byte("text"), 0o644)); err != nil {
		t.Fatal(err)
	}
	environ := append(noPlugins(t), "MCVD_XLA_DIR="+filepath.Dir(filepath.Dir(filepath.Dir(filepath.Dir(broken)))))
	if _, err := backend.Choose("xla-cpu"); err != nil && strings.Contains(err.Error(), "built without XLA") {
		t.Skip(err)
	}
	o = program(t, environ, "doctor")
	if o.status != 1 || !strings.Contains(o.stdout, "\nxla-cpu      MISSING: ") || !strings.Contains(o.stdout, "and run scripts/install-xla.sh cpu") {
		t.Errorf("a broken plugin: status %d, says\n%s%s", o.status, o.stdout, o.stderr)
	}
}

// What ends the process that opens a backend is a line of doctor's.
func TestDoctorOfTheInstalledPlugin(t *testing.T) {
	environ := installed(t)
	o := program(t, environ, "doctor")
	if o.status != 0 || !strings.Contains(o.stdout, ", PJRT 0.") || !strings.Contains(o.stdout, "started again with GLIBC_TUNABLES=") {
		t.Errorf("status %d, says\n%s%s", o.status, o.stdout, o.stderr)
	}
	o = program(t, append(environ, "XLA_FLAGS=--xla_nonsense=1"), "doctor")
	if o.status != 1 || !strings.Contains(o.stdout, "XLA_FLAGS: --xla_nonsense=1 is not a flag that ") {
		t.Errorf("an unknown flag: status %d, says\n%s", o.status, o.stdout)
	}
	o = program(t, append(environ, "XLA_FLAGS=--xla_cpu_prefer_vector_width=wide"), "doctor")
	if o.status != 1 || !strings.Contains(o.stdout, "Flag parsing failed") {
		t.Errorf("a value that ends the process: status %d, says\n%s", o.status, o.stdout)
	}
}
