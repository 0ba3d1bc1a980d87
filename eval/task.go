// Package eval generates videos with a model, window by window, and scores them.
package eval

import (
	"fmt"
	"strings"

	"mcvd/configs"
)

// Task says which conditioning frames are visible when a video is generated. The model is the same
// for all tasks; only visibility differs (MCVD, section 3).
type Task struct{ Past, Future bool }

// The tasks.
var (
	Predict     = Task{Past: true}               // what comes after the past
	Interpolate = Task{Past: true, Future: true} // what lies between past and future
	Generate    = Task{}                         // a video from noise alone
	Retrodict   = Task{Future: true}             // what came before the future
)

// Can says whether a model of those frames has the frames that the task needs.
func (t Task) Can(f configs.Frames) bool {
	return !(t.Past && f.Past == 0 || t.Future && f.Future == 0)
}

// Learned says whether training hid the frames that the task hides.
func (t Task) Learned(f configs.Frames) bool {
	return !(!t.Past && f.Past > 0 && f.Mask.Past == 0 || !t.Future && f.Future > 0 && f.Mask.Future == 0)
}

// shownTasks are the tasks that show what a model of those frames can do.
func shownTasks(f configs.Frames) []Task {
	var tasks []Task
	for _, t := range []Task{Predict, Interpolate, Generate} {
		if t.Can(f) && (t != Generate || len(tasks) == 0) {
			tasks = append(tasks, t)
		}
	}
	return tasks
}

// MainTask is the task by which a model is judged first: predict, if it can.
func MainTask(f configs.Frames) Task { return shownTasks(f)[0] }

// taskNames are all tasks; there is no other combination.
var taskNames = []struct {
	name string
	task Task
}{
	{"predict", Predict},
	{"interpolate", Interpolate},
	{"generate", Generate},
	{"retrodict", Retrodict},
}

// TaskNames lists the names that [ParseTask] knows.
func TaskNames() []string {
	var names []string
	for _, t := range taskNames {
		names = append(names, t.name)
	}
	return names
}

// ParseTask returns the task of that name.
func ParseTask(name string) (Task, error) {
	for _, t := range taskNames {
		if t.name == name {
			return t.task, nil
		}
	}
	return Task{}, fmt.Errorf("task %q: want one of %s", name, strings.Join(TaskNames(), ", "))
}

// String is the name of the task.
func (t Task) String() string {
	for _, known := range taskNames {
		if known.task == t {
			return known.name
		}
	}
	panic("unreachable: two flags have four values")
}
