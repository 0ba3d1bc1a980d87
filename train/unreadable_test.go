package train

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"mcvd/models/backend/backendtest"
)

// Clips that can't be read are counted in the log and in the progress, and a run that is stopped in
// between ends with the same bytes and counts.
func TestClipsThatCannotBeReadAreCountedAndResumed(t *testing.T) {
	b, c := backendtest.OpenGo(t), toy()
	c.Train.Steps, c.Train.ValidateEvery = 22, 0
	out := new(bytes.Buffer)
	damaged := func(dir string) Options {
		o := options(b, c, dir)
		o.Train, o.Log = broken{waves{c.Data.Size, 9}}, slog.New(slog.NewTextHandler(out, nil))
		return o
	}
	undisturbed := t.TempDir()
	p := mustTrain(t, damaged(undisturbed))
	logged := 0
	for _, line := range lines(t, undisturbed) {
		logged += line.Replaced
	}
	// 22 steps of two batches of four clips are 176 of the 19.6 epochs of 9 videos.
	if p.Replaced < 19 || p.Replaced > 20 || logged != p.Replaced {
		t.Errorf("%d clips replaced, %d in the log, want one in each of 19 to 20 epochs", p.Replaced, logged)
	}
	if n := strings.Count(out.String(), "clip3.mp4: bits are gone"); n != 1 {
		t.Errorf("clip3.mp4 is named %d times, want once:\n%s", n, out)
	}
	stopped := t.TempDir()
	ctx, o := stopAt(damaged(stopped), 13)
	if _, err := Train(ctx, o); !errors.Is(err, ErrStopped) {
		t.Fatal(err)
	}
	if again := mustTrain(t, damaged(stopped)); again != p {
		t.Errorf("the run that was stopped ended with %+v, want %+v", again, p)
	}
	sameRuns(t, stopped, undisturbed, c)
}
