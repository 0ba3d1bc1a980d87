package main

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// mutation changes a file's bytes at random.
type mutation struct {
	name string
	of   func(rng *rand.Rand, b []byte) []byte
}

// part is a part of up to a quarter of some bytes.
func part(rng *rand.Rand, n int) (from, to int) {
	from = rng.IntN(n)
	return from, min(n, from+1+rng.IntN(max(1, n/4)))
}

var mutations = []mutation{
	{"a bit is flipped", func(rng *rand.Rand, b []byte) []byte { b[rng.IntN(len(b))] ^= 1 << rng.IntN(8); return b }},
	{"a byte is another", func(rng *rand.Rand, b []byte) []byte { b[rng.IntN(len(b))] ^= byte(1 + rng.IntN(255)); return b }},
	{"the end is missing", func(rng *rand.Rand, b []byte) []byte { return b[:rng.IntN(len(b))] }},
	{"something is appended", func(rng *rand.Rand, b []byte) []byte {
		for range 1 + rng.IntN(64) {
			b = append(b, byte(rng.IntN(256)))
		}
		return b
	}},
	{"a part is zero", func(rng *rand.Rand, b []byte) []byte { from, to := part(rng, len(b)); clear(b[from:to]); return b }},
	{"a part is missing", func(rng *rand.Rand, b []byte) []byte {
		from, to := part(rng, len(b))
		return slices.Delete(b, from, to)
	}},
	{"a part is there twice", func(rng *rand.Rand, b []byte) []byte {
		from, to := part(rng, len(b))
		return slices.Insert(b, to, slices.Clone(b[from:to])...)
	}},
	{"it is empty", func(*rand.Rand, []byte) []byte { return nil }},
}

// victim is a kind of file, and the command that reads it.
type victim struct {
	name  string
	files string   // a pattern in the folder
	args  []string // the command
	out   string   // what it writes
	// same says that the command may also go on as if nothing was wrong, and what it writes is then the
	// same but for these files.
	but []string
	// said is what the command says if it went on with something else on purpose.
	said string
}

var going = []string{"train", "run", "--set", "train.steps=12"}

var victims = []victim{
	// Where an older one is taken, the best is written anew, with another train.steps in its experiment.
	{name: "a checkpoint", files: "run/checkpoints/step-*", args: going, out: "run", but: []string{"checkpoints/best.safetensors"}},
	{name: "the best checkpoint", files: "run/checkpoints/best.safetensors", args: []string{"export", "run", "--checkpoint", "best.safetensors", "-o", "out/w.safetensors"}, out: "out"},
	{name: "a run's experiment", files: "run/config.yml", args: going, out: "run", said: "going on with changed settings"},
	{name: "a log", files: "run/log.jsonl", args: going, out: "run", but: []string{"log.jsonl"}},
	{name: "versions", files: "run/versions.json", args: going, out: "run"},
	{name: "an experiment", files: "experiment.yml", args: []string{"config", "check", "experiment.yml"}},
	{name: "cached frames", files: "clips/.mcvd-cache/*.frames", args: []string{"train", "-c", "experiment.yml", "-o", "new"}, out: "new"},
	{name: "a store", files: "store/*/*.frames", args: []string{"data", "export", "-c", "experiment.yml", "--set", "data.name=store", "--set", "data.path=store", "--clips", "3", "--frames", "3", "--format", "webdataset", "-o", "out"}, out: "out"},
	{name: "a store's index", files: "store/index", args: []string{"data", "export", "-c", "experiment.yml", "--set", "data.name=store", "--set", "data.path=store", "--clips", "3", "--frames", "3", "--format", "webdataset", "-o", "out"}, out: "out"},
	{name: "a list of clips", files: "list.json", args: []string{"eval", "run", "--clips-file", "list.json", "--metrics", "psnr", "--records", "out"}, out: "out"},
	{name: "records", files: "records/*", args: []string{"eval", "run", "--clips", "3", "--metrics", "psnr", "--records", "records"}, out: "records"},
	{name: "a report", files: "report.json", args: []string{"eval", "compare", "report.json", "report.json"}},
	{name: "weights", files: "w.safetensors", args: []string{"import", "w.safetensors", "--config", "run/config.yml", "-o", "out"}, out: "out"},
}

// mutate damages a file of each kind in turn.
func mutate(ctx context.Context, a *arena, rng *rand.Rand, times int, report func(try)) error {
	seed, err := a.folder()
	if err != nil {
		return err
	}
	for _, args := range [][]string{
		{"train", "-c", "experiment.yml", "--set", "train.steps=6", "-o", "run"},
		{"data", "convert", "experiment.yml", "store"},
		{"data", "clips", "run", "--clips", "3", "-o", "list.json"},
		{"eval", "run", "--clips", "3", "--metrics", "psnr", "--records", "records", "-o", "report.json"},
		{"export", "run", "-o", "w.safetensors"},
	} {
		if err := a.must(ctx, seed, args...); err != nil {
			return err
		}
	}
	want := map[string]map[string]string{}
	for n := range times {
		v := victims[n%len(victims)]
		if want[v.name] == nil {
			if want[v.name], err = a.unharmed(ctx, seed, v); err != nil {
				return err
			}
		}
		t, err := a.damage(ctx, seed, v, mutations[rng.IntN(len(mutations))], rng, want[v.name])
		if err != nil {
			return err
		}
		report(t)
	}
	return nil
}

// unharmed is what a victim's command writes where nothing is damaged.
func (a *arena) unharmed(ctx context.Context, seed string, v victim) (map[string]string, error) {
	dir, err := a.copied(seed)
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if err := a.must(ctx, dir, v.args...); err != nil {
		return nil, fmt.Errorf("%s: %w", v.name, err)
	}
	return v.written(dir)
}

func (a *arena) copied(seed string) (string, error) {
	a.free++
	dir := a.path(fmt.Sprintf("%05d", a.free))
	return dir, copyTree(seed, dir)
}

// written is what the command wrote.
func (v victim) written(dir string) (map[string]string, error) {
	if v.out == "" {
		return map[string]string{}, nil
	}
	files, err := runTree(filepath.Join(dir, v.out))
	for _, name := range v.but {
		delete(files, name)
	}
	return files, err
}

// damage damages one file, and runs the command that reads it.
func (a *arena) damage(ctx context.Context, seed string, v victim, m mutation, rng *rand.Rand, want map[string]string) (try, error) {
	dir, err := a.copied(seed)
	if err != nil {
		return try{}, err
	}
	paths, err := filepath.Glob(filepath.Join(dir, v.files))
	if err != nil || len(paths) == 0 {
		return try{}, fmt.Errorf("%s: no file %s", v.name, v.files)
	}
	path := paths[rng.IntN(len(paths))]
	name, _ := filepath.Rel(dir, path)
	t := try{what: fmt.Sprintf("%s: %s", name, m.name)}
	before, err := os.ReadFile(path)
	if err != nil {
		return t, err
	}
	after := m.of(rng, slices.Clone(before))
	if err := os.WriteFile(path, after, 0o644); err != nil {
		return t, err
	}
	e := a.run(ctx, dir, v.args...)
	t.failure = e.wrong()
	goesOn := e.code == 0 && !bytes.Equal(before, after) && (v.said == "" || !strings.Contains(e.said, v.said))
	if t.failure == "" && goesOn {
		got, err := v.written(dir)
		if err != nil {
			t.failure = err.Error()
		} else if t.failure = differ(got, want); t.failure != "" {
			t.failure = "silently wrong: " + t.failure + ": " + last(e.said)
		}
	}
	a.drop(dir, t)
	return t, nil
}
