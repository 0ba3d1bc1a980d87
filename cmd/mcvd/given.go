package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"mcvd/eval"
)

// givenFrames is the value of a flag that gives frames at times: TIME=FILE, repeated.
type givenFrames struct{ values *[]givenFrame }

type givenFrame struct {
	time int
	path string
}

func (g givenFrames) Set(text string) error {
	number, path, found := strings.Cut(text, "=")
	time, err := strconv.Atoi(number)
	if !found || path == "" || err != nil || time < 0 || time >= most {
		return fmt.Errorf("want TIME=FILE, such as 0=first.png, with a time from 0 to %d", most-1)
	}
	at, there := slices.BinarySearchFunc(*g.values, time, func(f givenFrame, time int) int { return cmp.Compare(f.time, time) })
	if there {
		return fmt.Errorf("frame %d is there twice, want it once", time)
	}
	*g.values = slices.Insert(*g.values, at, givenFrame{time, path})
	return nil
}

func (g givenFrames) String() string {
	if g.values == nil {
		return ""
	}
	var all []string
	for _, f := range *g.values {
		all = append(all, fmt.Sprintf("%d=%s", f.time, f.path))
	}
	return strings.Join(all, " ")
}

func (givenFrames) Type() string { return "TIME=FILE" }

// checkGiven refuses flags that have no effect with --given.
func (c *generateCommand) checkGiven(cmd *cobra.Command) error {
	if len(c.given) == 0 {
		return nil
	}
	for _, name := range []string{"windows", "clips", "video", "set"} {
		if cmd.Flags().Changed(name) {
			return fmt.Errorf("--%s has no effect with --given, which says all frames that are given", name)
		}
	}
	switch last := c.given[len(c.given)-1].time; {
	case c.frames == 0:
		c.frames = last + 1
	case last >= c.frames:
		return fmt.Errorf("--given %d=%s: want 0 to %d, the frames of the video (--frames)", last, c.given[len(c.given)-1].path, c.frames-1)
	}
	if len(c.given) == c.frames {
		return errors.New("--given: all frames of the video are given, so none is left to generate (--frames)")
	}
	c.clips = 1
	return nil
}

// aroundGiven makes the job one of a video around the frames that are given, and returns their files.
// A network that is told times sees the nearest frames, wherever they are.
func (c *generateCommand) aroundGiven(j *eval.Job, told bool) (paths []string) {
	if len(c.given) == 0 {
		return nil
	}
	j.Task = eval.Generate
	if told {
		j.Windows = eval.NearestWindows
	}
	for _, f := range c.given {
		j.Given, paths = append(j.Given, f.time), append(paths, f.path)
	}
	return paths
}
