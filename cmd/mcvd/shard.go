package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"mcvd/train/ranks"
)

// shard is this process's share of work that count processes do, as the value of a flag: index/count
// with an index from 0, or auto.
type shard struct{ index, count int }

// schedulers are the variables in which they tell a process its number, from what number they count,
// and how many processes there are: Slurm's job arrays, and Kubernetes' indexed Jobs, whose manifest
// has to pass the count. A task of an array may have several processes itself.
var schedulers = []struct{ index, first, count string }{
	{"SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_MIN", "SLURM_ARRAY_TASK_COUNT"},
	{"JOB_COMPLETION_INDEX", "", "JOB_COMPLETION_COUNT"},
}

// Set reads the flag's value.
func (s *shard) Set(text string) error {
	if text == "auto" {
		return s.fromScheduler(os.Getenv)
	}
	index, count, ok := strings.Cut(text, "/")
	i, err1 := strconv.Atoi(index)
	n, err2 := strconv.Atoi(count)
	if !ok || err1 != nil || err2 != nil || i < 0 || i >= n {
		return fmt.Errorf("want i/n with i from 0 to n-1, or auto")
	}
	*s = shard{i, n}
	return nil
}

// fromScheduler takes the share from the environment of a scheduler: that of this process of those that were
// started together, within that of its task.
func (s *shard) fromScheduler(env func(string) string) error {
	own, err := startedTogether(env)
	if err != nil {
		return err
	}
	names := []string{"those of mpirun or srun"}
	for _, v := range schedulers {
		names = append(names, v.index+" and "+v.count)
		if env(v.index) == "" {
			continue
		}
		numbers := map[string]int{"": 0}
		for _, name := range []string{v.index, v.first, v.count} {
			if name == "" {
				continue
			}
			n, err := strconv.Atoi(env(name))
			if err != nil {
				return fmt.Errorf("%s is %q, want a number", name, env(name))
			}
			numbers[name] = n
		}
		i, n := numbers[v.index]-numbers[v.first], numbers[v.count]
		if i < 0 || i >= n {
			return fmt.Errorf("%s %d (from %d) of %s %d: number tasks without gaps", v.index, numbers[v.index], numbers[v.first], v.count, n)
		}
		each := max(1, own.count)
		*s = shard{i*each + own.index, n * each}
		return nil
	}
	if own.count == 0 {
		return fmt.Errorf("no scheduler's variables are set (%s)", strings.Join(names, "; "))
	}
	*s = own
	return nil
}

// startedTogether is this process's share where mpirun or srun started several, and zero elsewhere.
func startedTogether(env func(string) string) (shard, error) {
	if by, size, rank, ok := ranks.Started(env); ok && size == 0 {
		return shard{}, fmt.Errorf("%s doesn't say how many processes it started: want i/n", by)
	} else if ok && rank < size {
		return shard{rank, size}, nil
	}
	if n, err := strconv.Atoi(env("SLURM_STEP_NUM_TASKS")); err == nil && n > 1 {
		i, err := strconv.Atoi(env("SLURM_PROCID"))
		if err != nil || i < 0 || i >= n {
			return shard{}, fmt.Errorf("SLURM_PROCID is %q of SLURM_STEP_NUM_TASKS %d, want a number from 0", env("SLURM_PROCID"), n)
		}
		return shard{i, n}, nil
	}
	return shard{}, nil
}

func (s *shard) String() string {
	if s.count <= 1 {
		return ""
	}
	return fmt.Sprintf("%d/%d", s.index, s.count)
}

// Type names the value in the help.
func (s *shard) Type() string { return "i/n" }
