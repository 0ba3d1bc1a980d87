package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"mcvd/train/ranks"
)

// Two ranks train together. One of them is killed or stopped at any moment: all must end by themselves,
// and the same command must go on to the bytes of an undisturbed run.

// rankScript starts the program as a rank, which leaves its process number in the folder.
const rankScript = `echo $$ >pid.${OMPI_COMM_WORLD_RANK:-$PMI_RANK} && exec "$@"`

// killRanks kills a rank of each of so many trainings. Every fifth one is stopped instead: it gives no sign
// of life, but it is there.
func killRanks(ctx context.Context, a *arena, rng *rand.Rand, times int, report func(try)) error {
	undisturbed, err := a.folder()
	if err != nil {
		return err
	}
	began := time.Now()
	if e, err := a.together(ctx, undisturbed, nil); err != nil || e.code != 0 {
		return errors.Join(err, fmt.Errorf("two ranks: exit status %d: %s", e.code, last(e.said)))
	}
	length := time.Since(began)
	want, err := runTree(filepath.Join(undisturbed, "run"))
	if err != nil {
		return err
	}
	var slowest time.Duration
	for i := range times {
		dir, err := a.folder()
		if err != nil {
			return err
		}
		signal, m := syscall.SIGKILL, time.Duration(rng.Int64N(int64(length)))
		if i%5 == 4 {
			signal = syscall.SIGSTOP
		}
		rank := rng.IntN(2)
		t := try{what: fmt.Sprintf("rank %d gets %v after %v", rank, signal, m.Round(time.Millisecond))}
		var shot time.Time
		e, err := a.together(ctx, dir, func(ended <-chan struct{}) {
			select {
			case <-time.After(m):
				if a.signalRank(dir, rank, signal) == nil {
					shot = time.Now()
				}
			case <-ended:
			}
		})
		if err != nil {
			return err
		}
		if !shot.IsZero() {
			slowest = max(slowest, time.Since(shot))
		}
		if t.failure = e.wrongOfMany(); t.failure == "" {
			t.failure = a.stillThere(ctx, dir)
		}
		if t.failure == "" {
			e, err := a.together(ctx, dir, nil)
			if err != nil {
				return err
			}
			got, err := runTree(filepath.Join(dir, "run"))
			switch {
			case err != nil:
				t.failure = err.Error()
			case e.code != 0:
				t.failure = fmt.Sprintf("exit status %d: %s", e.code, last(e.said))
			default:
				t.failure = differ(got, want)
			}
		}
		report(t)
		a.drop(dir, t)
	}
	fmt.Fprintf(os.Stderr, "ranks: the slowest end took %.1f s\n", slowest.Seconds())
	return nil
}

// together trains with two ranks. meanwhile runs beside them, until they have ended.
func (a *arena) together(ctx context.Context, dir string, meanwhile func(ended <-chan struct{})) (ended, error) {
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	started, err := ranks.Command(limited, 2, "sh", append([]string{"-c", rankScript, "rank", a.mcvd}, training...)...)
	if err != nil {
		return ended{}, err
	}
	cmd, said := a.command(limited, dir)
	cmd.Path, cmd.Args, cmd.Env = started.Path, started.Args, append(started.Env, "MCVD_BACKEND="+a.backend, "MCVD_REEXEC=off")
	if err := cmd.Start(); err != nil {
		return ended{}, err
	}
	over, watched := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(watched)
		if meanwhile != nil {
			meanwhile(over)
		}
	}()
	err = cmd.Wait()
	close(over)
	<-watched
	return end(cmd, said, err, limited.Err() != nil && ctx.Err() == nil), nil
}

// pid is the number of a rank's process, if it has begun.
func (a *arena) pid(dir string, rank int) (int, error) {
	text, err := os.ReadFile(filepath.Join(dir, fmt.Sprintf("pid.%d", rank)))
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(text)))
}

func (a *arena) signalRank(dir string, rank int, signal syscall.Signal) error {
	pid, err := a.pid(dir, rank)
	if err != nil {
		return err
	}
	return syscall.Kill(pid, signal)
}

// stillThere names a rank that doesn't end after its mpirun has; "" if all do.
func (a *arena) stillThere(ctx context.Context, dir string) string {
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for rank := range 2 {
		pid, err := a.pid(dir, rank)
		for err == nil && syscall.Kill(pid, 0) == nil {
			select {
			case <-time.After(10 * time.Millisecond):
			case <-limited.Done():
				return fmt.Sprintf("rank %d is still there", rank)
			}
		}
	}
	return ""
}

// wrongOfMany is wrong for an mpirun, which tells in its own way, and ends with its own status, that a rank
// was killed.
func (e ended) wrongOfMany() string {
	switch {
	case e.hung:
		return "it hung: " + last(e.said)
	case e.crashed():
		return "it crashed: " + last(e.said)
	case e.code != 0 && strings.TrimSpace(e.said) == "":
		return fmt.Sprintf("exit status %d without a word", e.code)
	}
	return ""
}
