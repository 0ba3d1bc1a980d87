package eval

import (
	"context"
	"fmt"
	"time"

	"mcvd/data"
	"mcvd/data/clips"
	"mcvd/eval/metric"
)

// Protocol says what an evaluation does.
type Protocol struct {
	Task         string `json:"task"`
	Clips        int    `json:"clips"`        // test clips, by data.Fixed
	Trajectories int    `json:"trajectories"` // videos made for each clip
	Frames       int    `json:"frames"`       // made in each video
	Advance      int    `json:"advance"`      // frames kept of a window
	Windows      string `json:"windows"`      // how a video is cut into them, one of [WindowNames]
	Seed         uint64 `json:"seed"`         // of the clips and of the noise
}

// Job is what is made of each clip.
func (p Protocol) Job() (Job, error) {
	task, err := ParseTask(p.Task)
	j := Job{Task: task, Frames: p.Frames, Advance: p.Advance, Windows: p.Windows}
	j.Windows = j.windows()
	return j, err
}

// Evaluate makes videos of a data set's clips and scores them against the frames that are there, next to baselines.
//
// A clip is the past, if the task sees it, the frames to be made, and the future, if the task sees it. Every metric takes the best
// of a clip's trajectories, chosen for each metric by itself, as the published protocol does, and their mean. A generated video
// has no counterpart, so its scores are skipped. progress, if not nil, is called after each network evaluation of a batch.
func Evaluate(ctx context.Context, g *Generator, ds clips.Dataset, p Protocol, progress func()) (*Report, error) {
	j, err := p.Job()
	if err != nil {
		return nil, err
	}
	p.Windows = j.Windows
	if p.Clips < 1 || p.Trajectories < 1 {
		return nil, fmt.Errorf("evaluation of %d clips and %d trajectories, want 1 or more of each", p.Clips, p.Trajectories)
	}
	e := &evaluation{Generator: g, dataset: ds, Protocol: p, job: j, scores: map[string]*table{}, progress: progress}
	for first := 0; first < p.Clips; first += g.batch {
		if err := e.clips(ctx, first, min(first+g.batch, p.Clips)); err != nil {
			return nil, err
		}
	}
	return e.report()
}

// evaluation is an evaluation under way. It holds scores, not videos.
type evaluation struct {
	*Generator
	Protocol
	dataset  clips.Dataset
	job      Job
	scores   map[string]*table // by method: the model's name, or a baseline's
	seconds  float64
	progress func()
}

// modelMethod names the model among the baselines.
const modelMethod = "model"

// Case is a test clip cut for a task.
type Case struct{ Past, Real, Future clips.Clip }

// Cut cuts the clip for the task: the past if it is visible, n frames, the future if it is visible.
func (g *Generator) Cut(task Task, clip clips.Clip, n int) Case {
	past := 0
	if task.Past {
		past = g.model.Frames.Past
	}
	return Case{clip.Slice(0, past), clip.Slice(past, past+n), clip.Slice(past+n, clip.Frames)}
}

// ClipFrames is how many frames a clip must have that [Generator.Cut] cuts.
func (g *Generator) ClipFrames(task Task, n int) int {
	if task.Past {
		n += g.model.Frames.Past
	}
	if task.Future {
		n += g.model.Frames.Future
	}
	return n
}

// Request asks for the frames that the case leaves out.
func (c Case) Request(clip, trajectory uint64) Request {
	return Request{Clip: clip, Trajectory: trajectory, Past: framesOf(c.Past), Future: framesOf(c.Future)}
}

// framesOf is the frames of a clip in [-1, 1], nil if it has none.
func framesOf(c clips.Clip) []Frame {
	var frames []Frame
	for i := range c.Frames {
		frames = append(frames, clips.ToFloat(c.Slice(i, i+1)))
	}
	return frames
}

// clips evaluates the clips from first to end: as many as a batch, so that their trajectories fill whole batches.
func (e *evaluation) clips(ctx context.Context, first, end int) error {
	var cases []Case
	var requests []Request
	for i := first; i < end; i++ {
		frames := e.ClipFrames(e.job.Task, e.Frames)
		clip, err := data.Cut(e.dataset, data.Fixed(e.dataset, e.Seed, i, frames), frames)
		if err != nil {
			return err
		}
		c := e.Cut(e.job.Task, clip, e.Frames)
		cases = append(cases, c)
		for k := range e.Trajectories {
			requests = append(requests, c.Request(uint64(i), uint64(k)))
		}
	}
	began := time.Now()
	made, err := e.Videos(ctx, e.job, requests, e.progress)
	if err != nil {
		return err
	}
	e.seconds += time.Since(began).Seconds()
	if e.job.Task == Generate {
		return nil
	}
	for i, c := range cases {
		if err := e.add(modelMethod, c.Real, made[i*e.Trajectories:(i+1)*e.Trajectories]); err != nil {
			return err
		}
		for name, baseline := range baselines(e.job.Task) {
			if err := e.add(name, c.Real, []clips.Clip{baseline(c.Past, c.Future, e.Frames)}); err != nil {
				return err
			}
		}
	}
	return nil
}

// Videos is [Generator.Run] with the videos as a whole, in memory.
func (g *Generator) Videos(ctx context.Context, j Job, requests []Request, progress func()) ([]clips.Clip, error) {
	side, channels := g.model.Size, g.model.Channels
	made := make([]clips.Clip, len(requests))
	for i := range made {
		made[i] = clips.NewClip(max(j.Frames, 0), side, side, channels)
	}
	err := g.Run(ctx, j, requests, func(request, frame int, f Frame) error {
		clip, err := clips.ToClip(f, 1, side, side, channels)
		if err == nil {
			copy(made[request].Slice(frame, frame+1).Pix, clip.Pix)
		}
		return err
	}, progress)
	return made, err
}

// table is the scores of one method: by metric, then [clips][trajectories], and [clips][trajectories][frames].
type table struct {
	video   map[string][][]float64
	frames  map[string][][][]float64
	skipped map[string]string // why a metric has no score
}

// add scores one clip's trajectories.
func (e *evaluation) add(method string, real clips.Clip, made []clips.Clip) error {
	t := e.scores[method]
	if t == nil {
		t = &table{map[string][][]float64{}, map[string][][][]float64{}, map[string]string{}}
		e.scores[method] = t
	}
	for _, name := range metric.Names() {
		m, err := metric.Lookup(name)
		if err != nil {
			return err
		}
		whole, frames := make([]float64, len(made)), make([][]float64, len(made))
		for k, clip := range made {
			if whole[k], err = m.Video(real, clip); err == nil {
				frames[k], err = m.Frames(real, clip)
			}
			if reason, ok := metric.Reason(err); ok {
				t.skipped[name] = reason
				continue
			}
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		if t.skipped[name] == "" {
			t.video[name] = append(t.video[name], whole)
			t.frames[name] = append(t.frames[name], frames)
		}
	}
	return nil
}
