package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// onSmallDisk runs a command in a file system of so many bytes, in a mount namespace of its own, and
// copies what is in it when the command ends.
const onSmallDisk = `
mount -t tmpfs -o size="$1",mode=755 none small && cd small && shift || exit 99
cp -a ../run ../clips ../experiment.yml . || exit 98
mount -o remount,size="$1" . && shift || exit 97
"$@"
code=$?
mkdir ../after && cp -a . ../after || exit 96
exit $code
`

// fillDisk runs commands on disks that are too small for them, by any amount, and then again on one that
// is not.
func fillDisk(ctx context.Context, a *arena, rng *rand.Rand, times int, report func(try)) error {
	trained, err := a.trained(ctx)
	if err != nil {
		return err
	}
	all := append([]job{{name: "train", args: []string{"train", "-c", "experiment.yml", "-o", "new"}, out: "new"}}, jobs...)
	for n := range times {
		j := all[n%len(all)]
		if n%3 == 0 {
			j = all[0] // it writes the most
		}
		t, err := a.full(ctx, trained, j, rng)
		if err != nil {
			return err
		}
		report(t)
	}
	return nil
}

// full runs a job where it has some room, less than it needs.
func (a *arena) full(ctx context.Context, trained string, j job, rng *rand.Rand) (try, error) {
	undisturbed, err := a.ready(trained, j)
	if err != nil {
		return try{}, err
	}
	defer os.RemoveAll(undisturbed)
	before, err := size(undisturbed)
	if err != nil {
		return try{}, err
	}
	if err := a.must(ctx, undisturbed, j.args...); err != nil {
		return try{}, err
	}
	need, err := size(undisturbed)
	if err != nil {
		return try{}, err
	}
	want, err := jobOrRunTree(undisturbed, j)
	if err != nil {
		return try{}, err
	}
	room := before + rng.Int64N(need-before+1)
	t := try{what: fmt.Sprintf("%s with room for %d of %d KB", j.name, (room-before)>>10, (need-before)>>10)}
	dir, err := a.ready(trained, j)
	if err != nil {
		return t, err
	}
	if err := os.Mkdir(filepath.Join(dir, "small"), 0o755); err != nil {
		return t, err
	}
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	cmd, said := a.command(limited, dir, j.args...)
	cmd.Path = "/bin/sh"
	cmd.Args = append([]string{"sh", "-c", onSmallDisk, "sh", "1g", fmt.Sprint(room), a.mcvd}, j.args...)
	cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWNS | syscall.CLONE_NEWUSER
	cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
	cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	runError := cmd.Run()
	e := end(cmd, said, runError, limited.Err() != nil && ctx.Err() == nil)
	if cmd.ProcessState == nil || e.code >= 96 && e.code <= 99 {
		return t, fmt.Errorf("a small disk can't be made here, which needs user namespaces: %s", last(e.said))
	}
	after := filepath.Join(dir, "after")
	if t.failure = e.wrong(); t.failure == "" && e.code != 0 {
		t.failure = leftovers(after)
	}
	if t.failure == "" {
		e = a.run(ctx, after, j.args...)
		done := strings.Contains(e.said, "holds a run already") || strings.Contains(e.said, "it is there already")
		if t.failure = e.wrong(); t.failure == "" && e.code != 0 && !done {
			t.failure = fmt.Sprintf("again, with room: exit status %d: %s", e.code, last(e.said))
		}
	}
	if t.failure == "" {
		got, err := jobOrRunTree(after, j)
		if err != nil {
			return t, err
		}
		t.failure = differ(got, want)
	}
	a.drop(dir, t)
	return t, nil
}

func jobOrRunTree(dir string, j job) (map[string]string, error) {
	if j.name == "train" {
		return runTree(filepath.Join(dir, j.out))
	}
	return jobTree(dir, j)
}

// leftovers names temporary files that a command left which was not killed.
func leftovers(dir string) string {
	files, err := tree(dir, nil)
	if err != nil {
		return err.Error()
	}
	for name := range files {
		if strings.Contains(name, ".mcvd-tmp-") {
			return "left " + name
		}
	}
	return ""
}

// size is the number of bytes that a folder takes on a disk of pages, about.
func size(dir string) (bytes int64, err error) {
	const page = 4096
	err = filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().IsRegular() {
			bytes += (info.Size() + page - 1) / page * page
		}
		return err
	})
	return bytes, err
}
