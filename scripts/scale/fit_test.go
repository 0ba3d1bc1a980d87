package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// trueCluster is what points of these tests are made of.
var trueCluster = []string{"-latency", "40us", "-gbit", "24", "-add", "8e8", "-bucket", "300000"}

// points simulates measurements, each missed by a factor of at most 1 + noise.
func points(t *testing.T, noise float64, ranks ...int) string {
	t.Helper()
	var lines strings.Builder
	for i, p := range ranks {
		for j, values := range []int{1000, 100_000, 1_000_000} {
			for _, algorithm := range []string{"exchange", "ring"} {
				for _, bytes := range []int{4, 2} {
					texts := map[string]string{"ranks": strconv.Itoa(p), "values": strconv.Itoa(values), "algorithm": algorithm, "bytes": strconv.Itoa(bytes), "overhead": "0s"}
					for k := 0; k < len(trueCluster); k += 2 {
						texts[trueCluster[k][1:]] = trueCluster[k+1]
					}
					seconds := resultOf(t, texts).seconds * (1 + noise*math.Sin(float64(7*i+3*j+bytes)))
					line, _ := json.Marshal(point{p, values, seconds, strings.ReplaceAll(algorithm, "exchange", "ordered"), bytes})
					fmt.Fprintf(&lines, "%s\n", line)
				}
			}
		}
	}
	return lines.String()
}

// fitted runs the command on lines.
func fitted(t *testing.T, lines string, args ...string) (string, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "points.jsonl")
	if err := os.WriteFile(file, []byte(lines), 0o666); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	err := run(append([]string{"fit", "-points", file}, args...), &out)
	return out.String(), err
}

// found reads what the command found for an option.
func found(t *testing.T, out, name string) float64 {
	t.Helper()
	m := regexp.MustCompile("(?m)^\\| `-" + name + "` \\| ([0-9.]+)").FindStringSubmatch(out)
	if m == nil {
		t.Fatalf("no -%s in\n%s", name, out)
	}
	x, _ := strconv.ParseFloat(m[1], 64)
	return x
}

// Of points that two numbers of ranks made, the parameters come back, and the other points are predicted.
func TestAFitFindsWhatMadeThePoints(t *testing.T) {
	for _, c := range []struct{ noise, parameters, misses float64 }{{0, 0.005, 0.001}, {0.05, 0.12, 10}} {
		out, err := fitted(t, points(t, c.noise, 2, 4, 8, 16), "-on-ranks", "2,4", "-bucket", "300000", "-within", fmt.Sprint(c.misses))
		if err != nil {
			t.Errorf("noise %g: %v\n%s", c.noise, err, out)
		}
		for name, want := range map[string]float64{"latency": 40, "gbit": 24, "add": 8e8} {
			if got := found(t, out, name); !(math.Abs(got/want-1) <= c.parameters) {
				t.Errorf("noise %g: -%s %g, want %g", c.noise, name, got, want)
			}
		}
		if got := strings.Count(out, "| predicted |"); got != 24 {
			t.Errorf("noise %g: %d points predicted, want 24", c.noise, got)
		}
	}
}

// A cluster that is not what the simulation assumes is missed, and the command says so.
func TestAFitThatMisses(t *testing.T) {
	lines := points(t, 0, 2, 4)
	for _, p := range []string{`{"ranks":8,"values":1000000,"seconds":0.1,"algorithm":"ordered"}`, `{"ranks":8,"values":1000000,"seconds":0.0001,"algorithm":"ring"}`} {
		out, err := fitted(t, lines+p, "-on-ranks", "2,4", "-bucket", "300000", "-within", "15")
		if err == nil || !strings.Contains(err.Error(), "want at most 15 %") {
			t.Errorf("%s: %v\n%s", p, err, out)
		}
	}
}

// Where all values travel as often as they are added, and with equally many bytes, one can't be told from
// the other: what is found predicts all the same.
func TestAFitSaysWhatPointsDontTell(t *testing.T) {
	lines := points(t, 0, 2, 4, 8)
	if out, err := fitted(t, lines, "-bytes", "4", "-bucket", "300000", "-within", "15"); err == nil || !strings.Contains(err.Error(), "all points were fitted") {
		t.Errorf("%v, want that nothing was predicted\n%s", err, out)
	}
	out, err := fitted(t, lines, "-on-ranks", "2", "-bytes", "4", "-bucket", "300000", "-within", "0.1")
	if err != nil || !strings.Contains(out, "`-add` | nothing: these points don't tell it") {
		t.Errorf("%v\n%s", err, out)
	}
	out, err = fitted(t, lines, "-on-ranks", "2", "-bytes", "4", "-bucket", "300000", "-fit", "latency,gbit", "-add", "8e8", "-within", "0.1")
	if got := found(t, out, "gbit"); err != nil || !(math.Abs(got/24-1) <= 0.005) {
		t.Errorf("with the additions given: %g Gbit/s, %v, want 24", got, err)
	}
}

// No time is negative, whatever was measured.
func TestNoParameterIsNegative(t *testing.T) {
	lines := `{"ranks":2,"values":1000,"seconds":0.002,"algorithm":"ordered"}
{"ranks":2,"values":1000000,"seconds":0.001,"algorithm":"ordered"}
{"ranks":2,"values":2000000,"seconds":0.001,"algorithm":"ordered"}`
	out, err := fitted(t, lines)
	if err != nil || !strings.Contains(out, "`-gbit` | no limit") || !strings.Contains(out, "All points were fitted") || !(found(t, out, "latency") > 0) {
		t.Errorf("%v\n%s", err, out)
	}
}

// Ranks of one host: its links are found, and cores that they share.
func TestAFitOfOneHost(t *testing.T) {
	var lines strings.Builder
	for _, ranks := range []string{"2", "4", "8"} {
		for _, values := range []string{"1000", "1000000"} {
			s := resultOf(t, map[string]string{"ranks": ranks, "values": values, "host": "8", "cores": "2", "host-gbit": "50", "host-latency": "9us"})
			fmt.Fprintf(&lines, `{"ranks":%s,"values":%s,"seconds":%g,"algorithm":"ordered"}`+"\n", ranks, values, s.seconds)
		}
	}
	out, err := fitted(t, lines.String(), "-host", "8", "-cores", "2", "-fit", "host-latency,host-gbit", "-on-ranks", "2,4", "-within", "0.1")
	if err != nil || !(math.Abs(found(t, out, "host-gbit")-50) <= 0.1) || !(math.Abs(found(t, out, "host-latency")-9) <= 0.1) {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err = fitted(t, lines.String(), "-host", "8", "-fit", "host-latency,host-gbit", "-on-ranks", "2,4", "-within", "15"); err == nil {
		t.Errorf("without the cores, no point is missed by 15 %%:\n%s", out)
	}
}

func TestReadingPoints(t *testing.T) {
	const lines = `
{"ranks":2,"values":10,"seconds":0.3,"algorithm":"ordered","library":"some MPI"}
{"ranks":2,"values":10,"seconds":0.1,"algorithm":"ordered"}

{"ranks":2,"values":10,"seconds":0.2,"algorithm":"ordered"}
{"ranks":2,"values":10,"seconds":5,"algorithm":"ordered","bytes":2}
{"ranks":2,"values":10,"seconds":7,"algorithm":"library"}
`
	got, others, err := readPoints(strings.NewReader(lines))
	if err != nil || len(got) != 2 || got[0] != (point{2, 10, 0.2, "exchange", 4}) || got[1] != (point{2, 10, 5, "exchange", 2}) || others["library"] != 1 {
		t.Errorf("%+v, others %v, %v", got, others, err)
	}
}

func TestMistakesInPoints(t *testing.T) {
	const good = `{"ranks":2,"values":10,"seconds":0.3,"algorithm":"ordered"}` + "\n"
	for _, c := range []struct {
		lines, args, want string
	}{
		{"", "", "no points of the algorithms ordered, ring and tree"},
		{"x\n", "", "line 1: invalid character"},
		{good + `{"ranks":1,"values":10,"seconds":0.3,"algorithm":"ring"}`, "", "line 2: ranks: 1, want 2 to 4096"},
		{good + `{"ranks":2,"values":0,"seconds":0.3,"algorithm":"ring"}`, "", "line 2: values: 0, want 1 to"},
		{good + `{"ranks":2,"values":10,"algorithm":"ring"}`, "", "line 2: seconds: 0, want more than 0"},
		{good + `{"ranks":2,"values":10,"seconds":1,"bytes":8,"algorithm":"ring"}`, "", "line 2: bytes: 8, want 2 or 4"},
		{good, "-on-ranks 4", "no point has these ranks, values and bytes: nothing to fit"},
		{good, "-from 11", "no point has these ranks, values and bytes: nothing to fit"},
		{good, "-bytes 2", "no point has these ranks, values and bytes: nothing to fit"},
		{good, "-on-values many", `"many", want whole numbers`},
		{strings.ReplaceAll(good, ":10,", ":10000000,"), "-bucket 2", "10000000 values in buckets of 2: want at most 1048576 buckets"},
		{good, "-fit speed", `-fit "speed", want some of latency, `},
		{good, "-gbit 10", "-gbit is given, and to be found as well"},
		{good, "-overhead 1us,2us", "-overhead has 2 values, want one"},
		{good, "-fit host-gbit", "none of the options of -fit changes the time"},
		{good, "-ranks 4", "flag provided but not defined: -ranks"},
	} {
		_, err := fitted(t, c.lines, strings.Fields(c.args)...)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %s: %v, want %q", c.lines, c.args, err, c.want)
		}
	}
	if err := run([]string{"fit"}, io.Discard); err == nil || !strings.Contains(err.Error(), "no points: want -points FILE") {
		t.Error(err)
	}
}

// What is read can be simulated, and is the same when it is written and read again.
func FuzzPoints(f *testing.F) {
	f.Add([]byte(`{"ranks":2,"values":10,"seconds":0.3,"algorithm":"ordered"}`))
	f.Add([]byte("{\"ranks\":16,\"values\":1000000,\"seconds\":1e-3,\"algorithm\":\"ring\",\"bytes\":2}\n\n{\"ranks\":3}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		points, _, err := readPoints(strings.NewReader(string(data)))
		if err != nil {
			return
		}
		var again strings.Builder
		for _, p := range points {
			line, err := json.Marshal(p)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&again, "%s\n", line)
		}
		got, others, err := readPoints(strings.NewReader(again.String()))
		if err != nil || len(others) > 0 || len(got) != len(points) {
			t.Fatalf("%d points are %d when they are read again: %v", len(points), len(got), err)
		}
		for i := range got {
			if got[i] != points[i] {
				t.Errorf("%+v is %+v when it is read again", points[i], got[i])
			}
		}
	})
}
