package eval

import (
	"mcvd/configs"
	"mcvd/data/clips"
)

// Case is one video to be generated: what it starts from, and the real frames in the place of the
// generated ones.
type Case struct {
	// Clip and Trajectory, counted from 0, tell the videos of a seed apart. A video's noise is a
	// function of (seed, Clip, Trajectory). So it depends neither on the batch size nor on what
	// else is generated.
	Clip, Trajectory int
	// Video and Start say where the clip comes from: the data set's name of the video, and the
	// number of its first frame there.
	Video string
	Start int
	// FPS is the frame rate in frames a second; 0 if it is not known.
	FPS float64
	// Given are the frames of Job.Given, in order.
	Given clips.Clip
	// Past and Future are the given frames, as many as the model takes. They have no frames if the
	// task hides them. Real has no frames if the real ones are not known.
	Past, Real, Future clips.Clip
}

func (c Case) past() clips.Clip   { return c.Past }
func (c Case) future() clips.Clip { return c.Future }
func (c Case) given() clips.Clip  { return c.Given }

// Cut cuts a clip for the task: the past if it is visible, n frames, the future if it is visible.
func Cut(task Task, f configs.Frames, clip clips.Clip, n int) Case {
	past := 0
	if task.Past {
		past = f.Past
	}
	return Case{Past: clip.Slice(0, past), Real: clip.Slice(past, past+n), Future: clip.Slice(past+n, clip.Frames)}
}

// ClipFrames is the number of frames that a clip must have for [Cut].
func ClipFrames(task Task, f configs.Frames, n int) int {
	if task.Past {
		n += f.Past
	}
	if task.Future {
		n += f.Future
	}
	return n
}
