package data

import "mcvd/data/clips"

// strided is a data set whose clips have every stride-th frame of a video. They start at any frame.
type strided struct {
	clips.Dataset
	stride int
}

// Stride is the number of frames from one frame of a clip to the next; see [clips.Span].
func (s strided) Stride() int { return s.stride }

// FPS is the rate of the frames that are left.
func (s strided) FPS(i int) float64 { return clips.FPS(s.Dataset, i) / float64(s.stride) }

// Person is that of the video; see [clips.Person].
func (s strided) Person(i int) int { return clips.Person(s.Dataset, i) }

// Classes and Labels are those of the videos; see [clips.Labelled].
func (s strided) Classes() []string     { return clips.Classes(s.Dataset) }
func (s strided) Labels(i int) []string { return clips.Labels(s.Dataset, i) }

// Clip reads the frames that belong to a clip.
func (s strided) Clip(video, start, frames int) (clips.Clip, error) {
	if err := clips.CheckRange(s, video, start, frames); err != nil {
		return clips.Clip{}, err
	}
	return s.Pick(video, start, every(frames, 1), nil)
}

// Pick reads frames at some times, in strides from start on; see [clips.Pick].
func (s strided) Pick(video, start int, times []int, room []uint8) (clips.Clip, error) {
	numbers := make([]int, len(times))
	for k, t := range times {
		numbers[k] = t * s.stride
	}
	return clips.Pick(s.Dataset, video, start, numbers, room)
}
