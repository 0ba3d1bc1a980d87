package eval_test

import (
	"fmt"
	"log"
	"strings"

	"mcvd/configs"
	"mcvd/eval"
)

// A video of five frames is made in three windows. Each is given two frames of the past, of the
// real ones at first; the future is hidden.
func ExampleJob_List() {
	model := configs.Frames{Past: 2, Current: 2, Future: 1}
	windows, err := eval.Job{Task: eval.Predict, Frames: 5, Advance: 2}.List(model)
	if err != nil {
		log.Fatal(err)
	}
	for w := range windows {
		fmt.Println("given", numbers(w.Given), "makes", numbers(w.Make))
	}
	// Output:
	// given -2 -1 - makes 0 1
	// given 0 1 - makes 2 3
	// given 2 3 - makes 4 -
}

func numbers(frames []int) string {
	var text []string
	for _, i := range frames {
		if i == eval.None {
			text = append(text, "-")
		} else {
			text = append(text, fmt.Sprint(i))
		}
	}
	return strings.Join(text, " ")
}

// The rollout runs windows on anything, here on letters: a block goes on with the alphabet.
func ExampleRollout() {
	job := eval.Job{Task: eval.Predict, Frames: 6, Advance: 2}
	windows, err := job.List(configs.Frames{Past: 2, Current: 2})
	if err != nil {
		log.Fatal(err)
	}
	next := func(_ eval.Window, given []byte) ([]byte, error) {
		last := given[len(given)-1]
		return []byte{last + 1, last + 2}, nil
	}
	err = eval.Rollout(windows, []byte("ab"), nil, job.Frames, next, func(frame int, made byte) error {
		fmt.Printf("%d:%c ", frame, made)
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// 0:c 1:d 2:e 3:f 4:g 5:h
}
