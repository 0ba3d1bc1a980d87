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
// has to pass the count.
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

// fromScheduler takes the share from the environment of a scheduler.
func (s *shard) fromScheduler(env func(string) string) error {
	if _, size, rank, ok := ranks.Started(env); ok && rank < size {
		*s = shard{rank, size}
		return nil
	}
	names := []string{"those of mpirun"}
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
		*s = shard{i, n}
		return nil
	}
	return fmt.Errorf("no scheduler's variables are set (%s)", strings.Join(names, "; "))
}

func (s *shard) String() string {
	if s.count <= 1 {
		return ""
	}
	return fmt.Sprintf("%d/%d", s.index, s.count)
}

// Type names the value in the help.
func (s *shard) Type() string { return "i/n" }
