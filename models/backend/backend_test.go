package backend

import (
	"io"
	"os"
	"strings"
	"testing"
)

func TestUnknownBackendIsAnErrorThatListsTheKnownOnes(t *testing.T) {
	b, err := Open("abacus")
	if err == nil {
		t.Fatalf("got %v, want an error", b)
	}
	for _, want := range append(Names(), "--backend abacus") {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q, want it to say %s", err, want)
		}
	}
}

func TestOpenPrintsNothingOnStandardOutput(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout := os.Stdout
	defer func() { os.Stdout = stdout }()
	os.Stdout = w
	b, err := Open("go")
	if err != nil {
		t.Fatal(err)
	}
	b.Finalize()
	if os.Stdout != w {
		t.Error("standard output is another file after Open")
	}
	w.Close()
	printed, err := io.ReadAll(r)
	if err != nil || len(printed) > 0 {
		t.Errorf("printed %q, error %v", printed, err)
	}
}

func TestOpenedBackendIsTheNamedOne(t *testing.T) {
	b, err := Open("go")
	if err != nil {
		t.Fatal(err)
	}
	defer b.Finalize()
	if b.String() != "go" {
		t.Errorf("opened %q: the networks choose their formulation by this name", b.String())
	}
}

// Where the environment has a wish of its own for GoMLX, the name that was asked for still counts.
func TestEnvironmentDoesNotChooseTheBackend(t *testing.T) {
	t.Setenv("GOMLX_BACKEND", "nonsense:1")
	b, err := Open("go")
	if err != nil {
		t.Fatal(err)
	}
	b.Finalize()
}
