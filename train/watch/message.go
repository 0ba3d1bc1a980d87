package watch

import (
	"errors"
	"slices"
	"time"

	"mcvd/configs"
	"mcvd/configs/webpage"
	"mcvd/train/runs"
)

// message is what the page is told: everything at first, and then what has changed. The page's
// script has the other half of this.
type message struct {
	Now        float64    `json:"now"` // in seconds since 1970
	Quantities []quantity `json:"quantities,omitempty"`
	Runs       []status   `json:"runs"`
}

type quantity struct {
	Name  string `json:"name"`
	Title string `json:"title"`
	Log   bool   `json:"log"`
	Noisy bool   `json:"noisy"`
}

// status is a run in a message. What can be long is nil where it is as it was.
type status struct {
	Name        string                    `json:"name"`
	Dir         string                    `json:"dir"`
	State       string                    `json:"state"`
	Problem     string                    `json:"problem,omitempty"`
	Step        int                       `json:"step"`
	Steps       int                       `json:"steps,omitempty"` // 0 if that is not known
	Skipped     int                       `json:"skipped,omitempty"`
	Broken      int                       `json:"broken,omitempty"`
	Starts      int                       `json:"starts"`
	Left        float64                   `json:"left,omitempty"`   // seconds
	Logged      float64                   `json:"logged,omitempty"` // seconds since 1970
	Last        map[string]webpage.Number `json:"last"`             // the last value of each quantity
	BestLoss    webpage.Number            `json:"bestLoss,omitempty"`
	BestStep    int                       `json:"bestStep,omitempty"`
	Checkpoints []int                     `json:"checkpoints"`
	Versions    map[string]string         `json:"versions,omitempty"`

	// Anew says that what the page has of the run is void.
	Anew     bool               `json:"anew,omitempty"`
	Curves   map[string]piece   `json:"curves,omitempty"`
	Samples  *[]sample          `json:"samples,omitempty"`
	Settings *[]configs.Setting `json:"settings,omitempty"`
}

// piece replaces the points of a curve from an index on.
type piece struct {
	From  int              `json:"from"`
	Width int              `json:"width"` // lines in a point
	Step  []int            `json:"step"`
	Time  []int64          `json:"time"` // in seconds since 1970; 0 if that is not known
	Value []webpage.Number `json:"value"`
}

// sample is where the page finds the pictures of a step: addresses, empty where there is none.
type sample struct {
	Step  int    `json:"step"`
	Sheet string `json:"sheet,omitempty"`
	Film  string `json:"film,omitempty"`
}

// What a run is doing.
const (
	training = "training"
	finished = "finished"
	stopped  = "stopped"
	waiting  = "not begun"
)

func state(r *runs.Run) string {
	switch {
	case r.Training:
		return training
	case r.Config != nil && r.Step >= r.Config.Train.Steps:
		return finished
	case r.Step > 0:
		return stopped
	}
	return waiting
}

// viewer makes the messages to one page.
type viewer struct {
	// address is where the page finds a file of samples, "" for nowhere.
	address func(run int, name string) string
	seen    []seen // what it was told of each run
	// quantities is how many of them it was told.
	quantities int
}

type seen struct {
	restarts int
	points   map[string]told
	samples  []runs.Sample
	config   *configs.Config
}

// told is what the page has of a curve.
type told struct{ points, width, values int }

// next is the message of what has changed since the one before.
func (v *viewer) next(now time.Time, all []*runs.Run, problems []error) message {
	m := message{Now: seconds(now)}
	if v.seen == nil {
		v.seen = make([]seen, len(all))
	}
	if list := runs.Quantities(all...); len(list) != v.quantities { // a metric may come in the middle
		v.quantities = len(list)
		for _, q := range list {
			m.Quantities = append(m.Quantities, quantity{q.Name, q.Title, q.Log, q.Noisy})
		}
	}
	for i, r := range all {
		m.Runs = append(m.Runs, v.status(i, r, problems[i]))
	}
	return m
}

func (v *viewer) status(i int, r *runs.Run, problem error) status {
	s := status{Name: r.Name, Dir: r.Dir, State: state(r), Step: r.Step, Skipped: r.Skipped, Broken: r.Broken, Starts: r.Starts,
		Left: r.Left().Seconds(), BestLoss: webpage.Number(r.BestLoss), BestStep: r.BestStep, Checkpoints: r.Checkpoints, Versions: r.Versions,
		Last: map[string]webpage.Number{}}
	if r.Config != nil {
		s.Steps = r.Config.Train.Steps
	}
	if !r.Logged.IsZero() {
		s.Logged = seconds(r.Logged)
	}
	if err := errors.Join(problem, r.ConfigError, r.Unread); err != nil {
		s.Problem = err.Error()
	}
	was := &v.seen[i]
	if was.points == nil || was.restarts != r.Restarts {
		*was = seen{restarts: r.Restarts, points: map[string]told{}}
		s.Anew, s.Samples, s.Settings = true, &[]sample{}, &[]configs.Setting{}
	}
	s.Curves = was.curves(r.Curves)
	for name, c := range r.Curves {
		s.Last[name] = webpage.Number(c.Last)
	}
	if !slices.Equal(was.samples, r.Samples) {
		was.samples = r.Samples
		shown := []sample{}
		for _, p := range r.Samples {
			shown = append(shown, v.sample(i, p))
		}
		s.Samples = &shown
	}
	if r.Config != nil && was.config != r.Config {
		was.config = r.Config
		all := configs.Settings(r.Config)
		s.Settings = &all
	}
	return s
}

func (v *viewer) sample(run int, s runs.Sample) sample {
	shown := sample{Step: s.Step}
	if s.Sheet != "" {
		shown.Sheet = v.address(run, s.Sheet)
	}
	if s.Film != "" {
		shown.Film = v.address(run, s.Film)
	}
	return shown
}

// curves are the pieces that the page lacks. Curves only grow until a run restarts, but for their
// last point, and until their points become means of more lines.
func (w *seen) curves(all map[string]*runs.Curve) map[string]piece {
	pieces := map[string]piece{}
	for name, c := range all {
		was := w.points[name]
		is := told{len(c.Points), c.Width, c.Values}
		if is == was {
			continue
		}
		p := piece{Width: c.Width}
		if was.width == is.width {
			p.From = max(0, was.points-1)
		}
		for _, point := range c.Points[p.From:] {
			p.Step, p.Time, p.Value = append(p.Step, point.Step), append(p.Time, int64(point.Time)), append(p.Value, webpage.Number(point.Value))
		}
		w.points[name], pieces[name] = is, p
	}
	return pieces
}

func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }
