package main

import (
	"strings"
	"testing"
)

func TestShardFlag(t *testing.T) {
	for text, want := range map[string]shard{"0/1": {0, 1}, "2/7": {2, 7}, "6/7": {6, 7}} {
		var s shard
		if err := s.Set(text); err != nil || s != want {
			t.Errorf("%q: %v, %v, want %v", text, s, err, want)
		}
	}
	for _, text := range []string{"", "1", "3/3", "-1/3", "1/0", "a/3", "1/b", "1/3/5", "0/-1"} {
		if err := new(shard).Set(text); err == nil {
			t.Errorf("%q is accepted", text)
		}
	}
}

func TestShardFromAScheduler(t *testing.T) {
	for _, tt := range []struct {
		env  string
		want shard
		err  string
	}{
		{"SLURM_ARRAY_TASK_ID=5 SLURM_ARRAY_TASK_MIN=3 SLURM_ARRAY_TASK_COUNT=4", shard{2, 4}, ""},
		{"JOB_COMPLETION_INDEX=2 JOB_COMPLETION_COUNT=3", shard{2, 3}, ""},
		{"OMPI_COMM_WORLD_SIZE=4 OMPI_COMM_WORLD_RANK=3", shard{3, 4}, ""},
		{"SLURM_STEP_NUM_TASKS=2 SLURM_PROCID=1", shard{1, 2}, ""}, // of srun without MPI
		{"SLURM_STEP_NUM_TASKS=1 SLURM_PROCID=0 SLURM_ARRAY_TASK_ID=1 SLURM_ARRAY_TASK_MIN=0 SLURM_ARRAY_TASK_COUNT=2", shard{1, 2}, ""},
		{"SLURM_STEP_NUM_TASKS=3 SLURM_PROCID=2 SLURM_ARRAY_TASK_ID=1 SLURM_ARRAY_TASK_MIN=0 SLURM_ARRAY_TASK_COUNT=2", shard{5, 6}, ""},
		{"PMI_SIZE=2 PMI_RANK=1 JOB_COMPLETION_INDEX=2 JOB_COMPLETION_COUNT=3", shard{5, 6}, ""},
		{"PMIX_RANK=1 SLURM_ARRAY_TASK_ID=1 SLURM_ARRAY_TASK_MIN=0 SLURM_ARRAY_TASK_COUNT=2", shard{}, "doesn't say how many processes it started"},
		{"SLURM_STEP_NUM_TASKS=2 SLURM_PROCID=2", shard{}, `SLURM_PROCID is "2" of SLURM_STEP_NUM_TASKS 2`},
		{"", shard{}, "no scheduler's variables"},
		{"JOB_COMPLETION_INDEX=2", shard{}, `JOB_COMPLETION_COUNT is "", want a number`},
		{"JOB_COMPLETION_INDEX=3 JOB_COMPLETION_COUNT=3", shard{}, "number tasks without gaps"},
		{"SLURM_ARRAY_TASK_ID=9 SLURM_ARRAY_TASK_MIN=1 SLURM_ARRAY_TASK_COUNT=5", shard{}, "number tasks without gaps"},
	} {
		env := map[string]string{}
		for _, pair := range strings.Fields(tt.env) {
			name, value, _ := strings.Cut(pair, "=")
			env[name] = value
		}
		var s shard
		err := s.fromScheduler(func(name string) string { return env[name] })
		if s != tt.want || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: %v, %v, want %v, %q", tt.env, s, err, tt.want, tt.err)
		}
	}
}
