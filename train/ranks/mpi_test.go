package ranks

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// asRank names what this binary, started again as a rank by a test, does instead of testing.
const asRank = "MCVD_TEST_AS_RANK"

func TestMain(m *testing.M) {
	if what := os.Getenv(asRank); what != "" {
		os.Exit(beRank(what))
	}
	os.Exit(m.Run())
}

// beRank does everything that ranks can do, over MPI.
func beRank(what string) int {
	r, err := Open(context.Background())
	if err != nil {
		fmt.Println(err)
		return 1
	}
	err = tryAll(r)
	if err == nil && what == "fails" && r.Number() == 1 {
		err = errors.New("rank 1 has had enough")
	} else if err == nil && what == "fails" {
		_, err = All(r, 1, nil)
		err = fmt.Errorf("the first rank learns: %w", err)
	}
	if err != nil {
		fmt.Println(err)
	}
	r.Leave(err, 3)
	return 0
}

func tryAll(r *Ranks) error {
	for _, how := range []Exchange{{InOrder: true}, {Half: true}, {}} {
		x := make([]float32, bucket+5)
		for i := range x {
			x[i] = float32(i%64 + r.Number())
		}
		if err := NewSums(r, how).Mean(x); err != nil {
			return err
		}
		for i, v := range x {
			if want := float32(i%64) + float32(r.Size()-1)/2; v != want {
				return fmt.Errorf("%+v: mean %d is %g, want %g", how, i, v, want)
			}
		}
	}
	long := strings.Repeat("x", 1<<20)
	all, err := All(r, long[:len(long)-r.Number()], nil)
	if err != nil || len(all) != r.Size() || len(all[r.Size()-1]) != len(long)-r.Size()+1 {
		return fmt.Errorf("%d messages, %v", len(all), err)
	}
	if r.First() {
		fmt.Printf("%d ranks by %s\n", r.Size(), r.Library())
	}
	x := slices.Repeat([]byte{byte(r.Number())}, piece+1)
	if err := r.Broadcast(x); err != nil || x[0] != 0 || x[piece] != 0 {
		return fmt.Errorf("broadcast: %d and %d, %v", x[0], x[piece], err)
	}
	return nil
}

func mpirunSelf(t *testing.T, what string) (string, error) {
	t.Helper()
	cmd, err := Command(context.Background(), 3, os.Args[0])
	if errors.Is(err, ErrNoMPI) && os.Getenv("MCVD_CI") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	cmd.Env = append(cmd.Env, asRank+"="+what)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestMPI(t *testing.T) {
	out, err := mpirunSelf(t, "works")
	if err != nil || !strings.Contains(out, "3 ranks by ") {
		t.Errorf("%v: %s", err, out)
	}
}

// A rank that can't go on tells the first one why, and all processes end.
func TestMPIOfARankThatFails(t *testing.T) {
	out, err := mpirunSelf(t, "fails")
	if err == nil || !strings.Contains(out, "can't go on: rank 1 has had enough") {
		t.Errorf("%v: %s", err, out)
	}
}
