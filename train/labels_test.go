package train

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mcvd/configs"
	"mcvd/configs/experiment"
	"mcvd/data/clips"
	"mcvd/models/backend/backendtest"
)

// classifier is the experiment of a classifier that learns which halves of frames are light.
func classifier() *configs.Config {
	c := toy()
	c.Frames = configs.Frames{Current: 2, Mask: configs.Mask{Kind: "blocks"}, Times: c.Frames.Times}
	c.Model = configs.Model{Network: "classifier", Options: configs.Options{"classes": []any{"top", "left"}, "width": 8, "multipliers": []any{1}}}
	c.Data.Flip, c.Optimizer.LearningRate, c.Optimizer.WeightDecay = false, 1e-2, 0
	if err := experiment.Resolve(c); err != nil {
		panic(err)
	}
	return c
}

// greys are videos of frames whose top half is lighter, or whose left half is, or both, or none.
type greys struct{ waves }

func (greys) Classes() []string { return []string{"left", "plain", "top"} }

func (greys) Labels(i int) (labels []string) {
	if i%2 == 1 {
		labels = append(labels, "top")
	}
	if i%3 > 0 {
		labels = append(labels, "left")
	}
	if labels == nil {
		return []string{"plain"}
	}
	return labels
}

func (g greys) Clip(i, start, frames int) (clips.Clip, error) {
	c, err := g.waves.Clip(i, start, frames)
	for k := range c.Pix {
		y, x := k/g.size%g.size, k%g.size
		if c.Pix[k] = 50; i%2 == 1 && y < g.size/2 {
			c.Pix[k] += 80
		}
		if i%3 > 0 && x < g.size/2 {
			c.Pix[k] += 80
		}
	}
	return c, err
}

// labelledOptions are those of a classifier's run.
func labelledOptions(t *testing.T, c *configs.Config, dir string) Options {
	o := options(backendtest.Open(t), c, dir)
	o.Train = greys{o.Train.(waves)}
	o.Valid = o.Train
	return o
}

// A classifier learns classes of which a clip may show two or none. The log has its accuracy:
// nearly all where there is little noise, and less where there is most.
func TestClassifiersLearn(t *testing.T) {
	c := classifier()
	c.Train.Batch, c.Train.Accumulate, c.Train.Steps, c.Train.ValidateEvery = 16, 1, 120, 120
	c.Train.CheckpointEvery = 120
	dir := t.TempDir()
	mustTrain(t, labelledOptions(t, c, dir))
	all := lines(t, dir)
	last := all[len(all)-1]
	if len(last.Accuracy) != noiseBins || last.X0 != 0 {
		t.Fatalf("accuracies %v and x0 %v, want one for each fifth and none", last.Accuracy, last.X0)
	}
	for i, a := range last.Accuracy {
		if !(a >= 0 && a <= 1) {
			t.Errorf("accuracy %g in fifth %d, want a share", a, i)
		}
	}
	if !(last.Accuracy[0] >= 0.95) || !(last.Accuracy[4] < last.Accuracy[0]) {
		t.Errorf("accuracies %v, want nearly 1 where there is little noise, and less where there is most", last.Accuracy)
	}
	if !(last.Loss <= 0.5) { // 0.69 is that of guessing
		t.Errorf("loss %g of a class, want less than that of guessing", last.Loss)
	}
}

// A classifier that is stopped ends as one that was never stopped.
func TestClassifiersAreResumed(t *testing.T) {
	c := classifier()
	undisturbed, dir := t.TempDir(), t.TempDir()
	mustTrain(t, labelledOptions(t, c, undisturbed))
	ctx, o := stopAt(labelledOptions(t, c, dir), 5)
	if _, err := Train(ctx, o); !errors.Is(err, ErrStopped) {
		t.Fatalf("error %v, want %v", err, ErrStopped)
	}
	mustTrain(t, labelledOptions(t, c, dir))
	sameRuns(t, dir, undisturbed, c)
}

// What can't be learned is refused before anything is written.
func TestClassesThatNoVideoShows(t *testing.T) {
	for want, of := range map[string]func(*Options){
		`model.options.classes[1]: "grey", want some of those of the data set: left, plain, top`: func(o *Options) {
			o.Config.Model.Options["classes"] = []any{"plain", "grey"}
		},
		"data.name: digits, whose videos have no labels": func(o *Options) { o.Train = o.Train.(greys).waves },
	} {
		dir := filepath.Join(t.TempDir(), "run")
		o := labelledOptions(t, classifier(), dir)
		of(&o)
		if _, err := Train(context.Background(), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
		if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: the folder was made", want)
		}
	}
}
