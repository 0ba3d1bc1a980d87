package train

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"mcvd/configs"
	"mcvd/configs/experiment"
	"mcvd/data/clips"
	"mcvd/models"
	"mcvd/models/diffusion"
	"mcvd/models/mask"
	"mcvd/models/nn"
	"mcvd/train/runs"
)

// toy is a training of a second: 12 steps with everything that a step can have.
func toy() *configs.Config {
	c := configs.Default()
	c.Seed = 7
	c.Frames = configs.Frames{Past: 1, Current: 1, Future: 1, Mask: configs.Mask{Kind: "blocks", Past: 0.5, Future: 0.5}, Times: configs.Times{Kind: "consecutive"}}
	c.Data = configs.Data{Name: "digits", Size: 8, Channels: 1, Stride: 1, Start: "random", Windows: 1, Flip: true, OnError: "skip"}
	c.Model.Options = configs.Options{"width": 4, "multipliers": []int{1}, "blocks": 1, "attention": []int{}, "head_channels": 4, "dropout": 0.1}
	c.Diffusion.Steps, c.Diffusion.Options = 100, configs.Options{"beta_start": 1e-3, "beta_end": 0.2}
	c.Optimizer.WarmupSteps, c.Optimizer.WeightDecay, c.Optimizer.Options = 5, 0.01, configs.Options{"ema_decay": 0.9}
	c.Train = configs.Train{Distillation: "progressive", Precision: "float32", Devices: 1, Batch: 4, Steps: 12, Accumulate: 2, Ranks: configs.Ranks{Name: "gradients"}, CheckpointEvery: 4, Keep: 2, OnDivergence: "stop", ValidateEvery: 6,
		Scores: configs.Scores{Metrics: []string{"psnr"}, Clips: 4}}
	c.Sampler.Steps = 5
	if err := experiment.Resolve(c); err != nil {
		panic(err)
	}
	return c
}

// dense is a toy whose network has only dense layers, which XLA compiles in a fraction of the time. It
// is for tests of what the loop does with any network.
func dense() *configs.Config {
	c := toy()
	c.Model = configs.Model{Network: "mlp", Options: configs.Options{"width": 8, "layers": 1}}
	if err := experiment.Resolve(c); err != nil {
		panic(err)
	}
	return c
}

// waves is a data set of moving sines.
type waves struct{ size, videos int }

func (w waves) Len() int          { return w.videos }
func (w waves) Name(i int) string { return fmt.Sprintf("wave%d", i) }
func (w waves) Frames(int) int    { return 12 }

func (w waves) Clip(i, start, frames int) (clips.Clip, error) {
	c := clips.NewClip(frames, w.size, w.size, 1)
	for k := range c.Pix {
		frame, y, x := k/c.FrameSize(), k/w.size%w.size, k%w.size
		c.Pix[k] = uint8(127.5 + 127*math.Sin(float64(i)+float64(start+frame)/2+0.8*float64(x)+0.5*float64(y)))
	}
	return c, nil
}

// options are those of a run in dir without any hooks.
func options(b compute.Backend, c *configs.Config, dir string) Options {
	ds := waves{c.Data.Size, 9}
	return Options{Config: c, Dir: dir, Backend: b, Train: ds, Valid: ds, Command: []string{"mcvd", "train"},
		Versions: map[string]string{"mcvd": "test"}, Log: slog.New(slog.DiscardHandler)}
}

// mustTrain takes a run to its last step.
func mustTrain(t *testing.T, o Options) Progress {
	t.Helper()
	p, err := Train(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	if p.Step != o.Config.Train.Steps {
		t.Fatalf("ended at step %d, want %d", p.Step, o.Config.Train.Steps)
	}
	return p
}

// stopAt ends the context of the returned options after a step, 0 for at once.
func stopAt(o Options, step int) (context.Context, Options) {
	ctx, cancel := context.WithCancel(context.Background())
	if step == 0 {
		cancel()
	}
	o.Report = func(l runs.Line) {
		if l.Step == step && l.Validation == nil && l.Scores == nil {
			cancel()
		}
	}
	return ctx, o
}

// sameRuns fails unless both runs ended with the same bytes, and logged the same but for what
// depends on time.
func sameRuns(t *testing.T, got, want string, c *configs.Config) {
	t.Helper()
	files := []string{filepath.Join(runs.CheckpointsDir, runs.CheckpointName(c.Train.Steps))}
	if c.Train.ValidateEvery > 0 {
		files = append(files, filepath.Join(runs.CheckpointsDir, BestCheckpoint))
	}
	for _, file := range files {
		a, b := readFile(t, filepath.Join(got, file)), readFile(t, filepath.Join(want, file))
		if !bytes.Equal(a, b) {
			t.Errorf("%s: %d bytes differ from the %d of the run that was never stopped", file, len(a), len(b))
		}
	}
	if a, b := timeless(t, got), timeless(t, want); !slices.Equal(a, b) {
		t.Errorf("logged\n%s\nwant\n%s", strings.Join(a, "\n"), strings.Join(b, "\n"))
	}
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// lines reads a run's log.
func lines(t testing.TB, dir string) []runs.Line {
	t.Helper()
	var all []runs.Line
	for text := range bytes.Lines(readFile(t, filepath.Join(dir, runs.LogFile))) {
		var line runs.Line
		if err := json.Unmarshal(text, &line); err != nil {
			t.Fatalf("line %q: %v", text, err)
		}
		all = append(all, line)
	}
	return all
}

// timeless is a run's log without what depends on the time that steps take.
func timeless(t testing.TB, dir string) []string {
	t.Helper()
	var all []string
	for _, line := range lines(t, dir) {
		line.Time, line.ClipsPerSecond, line.FLOPs, line.PeakShare, line.Waiting, line.Saving = 0, 0, 0, 0, 0, 0
		line.Exchanging, line.Lagging = 0, 0
		text, err := json.Marshal(line)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(text))
	}
	return all
}

// checkpoints are the names of the files in a run's folder of checkpoints.
func checkpoints(t testing.TB, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(dir, runs.CheckpointsDir))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// newest is the path of a run's newest checkpoint.
func newest(t testing.TB, dir string) string {
	t.Helper()
	paths := (&Run{Dir: dir}).Checkpoints()
	if len(paths) == 0 {
		t.Fatalf("%s: no checkpoint", dir)
	}
	return paths[0]
}

// given is a model whose draws are those of a table: the first word of the random state says which
// row. Its noise levels are those of timesteps.
type given struct {
	*models.Model
	t     [][]int32
	noise [][]float32
}

func (m given) Draw(random nn.Random, _ *Node) (nn.Random, models.Draws) {
	g, batch := random.State.Graph(), len(m.t[0])
	row := ConvertDType(Slice(random.State, AxisElem(0)), dtypes.Int32)
	pick := func(table any, dims ...int) *Node { return Reshape(Gather(Const(g, table), Reshape(row, 1)), dims...) }
	var tables [][]float32
	for _, timesteps := range m.t {
		var levels []diffusion.Level
		for _, t := range timesteps {
			levels = append(levels, m.Schedule.(*diffusion.Discrete).At(int(t)))
		}
		tables = append(tables, m.Table(levels))
	}
	visible := Ones(g, nn.F32(batch))
	return random, models.Draws{Level: diffusion.TableNodes(pick(tables, batch, 1, diffusion.Columns)),
		Noise: pick(m.noise, m.ClipShape(batch, m.Frames.Current).Dimensions...), Visible: mask.Blocks(visible, visible, m.Frames)}
}

// row is the random state that picks a row of a given model's draws, whatever the levels.
func row(i int) func(int) (random, levels *tensors.Tensor) {
	return func(batch int) (random, levels *tensors.Tensor) {
		return tensors.FromValue([]uint64{uint64(i + batch), 0, 0}), tensors.FromShape(nn.F32(1, 1, diffusion.Columns))
	}
}

// values copies a variable.
func values(t testing.TB, store *model.Store, path string) []float32 {
	t.Helper()
	v := store.GetVariable(path)
	if v == nil {
		t.Fatalf("no variable %s", path)
	}
	return tensors.MustCopyFlatData[float32](v.MustValue())
}

// snapshot copies all variables of a store.
func snapshot(t testing.TB, store *model.Store) map[string][]float32 {
	t.Helper()
	all := map[string][]float32{}
	for v := range store.IterVariables() {
		all[v.Path()] = values(t, store, v.Path())
	}
	return all
}

// relative is the norm of the difference by the norm of want.
func relative(got, want []float32) float64 {
	var difference, norm float64
	for i := range want {
		d := float64(got[i]) - float64(want[i])
		difference, norm = difference+d*d, norm+float64(want[i])*float64(want[i])
	}
	if difference == 0 {
		return 0
	}
	return math.Sqrt(difference / norm)
}

// spread are n values in [-1, 1] that differ.
func spread(frequency float64, n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = float32(math.Sin(frequency * float64(i+1)))
	}
	return v
}
