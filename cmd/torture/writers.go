package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// twoWriters starts a training, takes its folder away at a moment, and starts another one in its place;
// or it starts two at the same time.
func twoWriters(ctx context.Context, a *arena, rng *rand.Rand, times int, report func(try)) error {
	const steps = "train.steps=300"
	first := []string{"train", "-c", "experiment.yml", "--set", steps, "-o", "run"}
	second := []string{"train", "-c", "experiment.yml", "--set", "seed=9", "-o", "run"}
	alone, err := a.folder()
	if err != nil {
		return err
	}
	if err := a.must(ctx, alone, second...); err != nil {
		return err
	}
	want, err := runTree(filepath.Join(alone, "run"))
	if err != nil {
		return err
	}
	for n := range times {
		dir, err := a.folder()
		if err != nil {
			return err
		}
		var t try
		switch n % 3 {
		case 0, 1:
			t, err = a.replace(ctx, dir, n%3 == 0, time.Duration(rng.Int64N(int64(time.Second))), first, second, want)
		default:
			t, err = a.both(ctx, dir, second, want)
		}
		if err != nil {
			return err
		}
		report(t)
		a.drop(dir, t)
	}
	return nil
}

// replace starts the first training and, some time after it has begun, the second in its place.
func (a *arena) replace(ctx context.Context, dir string, move bool, after time.Duration, first, second []string, want map[string]string) (try, error) {
	t := try{what: fmt.Sprintf("the folder is removed after %v and begun anew", after.Round(time.Millisecond))}
	if move {
		t.what = fmt.Sprintf("the folder is moved after %v and begun anew", after.Round(time.Millisecond))
	}
	cmd, said := a.command(ctx, dir, first...)
	if err := cmd.Start(); err != nil {
		return t, err
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	run := filepath.Join(dir, "run")
	for began := time.Now(); ; { // until it has its folder
		if _, err := os.Stat(filepath.Join(run, "log.jsonl")); err == nil {
			break
		}
		if time.Since(began) > patience {
			return t, errors.New("the first training never began: " + said.String())
		}
	}
	select {
	case <-time.After(after):
	case err := <-done: // it was faster: there is nothing to take away
		if e := end(cmd, said, err, false); e.code != 0 {
			t.failure = last(e.said)
		}
		return t, nil
	}
	if move {
		if err := os.Rename(run, run+"-moved"); err != nil {
			return t, err
		}
	} else {
		for os.RemoveAll(run) != nil { // it is being written to
		}
	}
	e := a.run(ctx, dir, second...)
	err := <-done
	other := end(cmd, said, err, false)
	got, err := runTree(run)
	switch {
	case e.wrong() != "":
		t.failure = "the second: " + e.wrong()
	case other.wrong() != "":
		t.failure = "the first: " + other.wrong()
	case e.code != 0:
		t.failure = "the second: " + last(e.said)
	case err != nil:
		t.failure = err.Error()
	case other.code == 0:
		t.failure = "the first says nothing: " + last(other.said)
	case !strings.Contains(other.said, "removed or replaced") && !strings.Contains(other.said, "no such file"):
		t.failure = "the first: " + last(other.said)
	default:
		t.failure = differ(got, want)
	}
	return t, nil
}

// both starts two trainings at the same time: one of them trains, and the other says that it does.
func (a *arena) both(ctx context.Context, dir string, args []string, want map[string]string) (try, error) {
	t := try{what: "two at the same time"}
	results := make(chan ended, 2)
	for range 2 {
		go func() { results <- a.run(ctx, dir, args...) }()
	}
	one, two := <-results, <-results
	won := 0
	for _, e := range []ended{one, two} {
		switch {
		case e.wrong() != "":
			t.failure = e.wrong()
		case e.code == 0:
			won++
		case !strings.Contains(e.said, "another process is training"):
			t.failure = last(e.said)
		}
	}
	if won == 0 && t.failure == "" {
		t.failure = "neither trains: " + last(one.said)
	}
	got, err := runTree(filepath.Join(dir, "run"))
	if err != nil {
		return t, err
	}
	if t.failure == "" {
		t.failure = differ(got, want)
	}
	return t, nil
}
