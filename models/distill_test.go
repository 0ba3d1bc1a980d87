package models

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"mcvd/configs"
	"mcvd/models/backend/backendtest"
	"mcvd/models/diffusion"
	"mcvd/models/mask"
	"mcvd/models/nn"
	"mcvd/models/sampler"
)

// distilled is a toy that is distilled into 2 steps.
func distilled(target string) *configs.Config {
	c := toy()
	c.Frames.Mask.Kind, c.Frames.Mask.Reverse = "blocks", 0.5
	c.Diffusion.Steps, c.Diffusion.Target, c.Diffusion.Weight = 100, target, "truncated_snr"
	c.Diffusion.Options = configs.Options{"beta_end": 0.2}
	c.Train.Distillation = "progressive"
	c.Sampler = configs.Sampler{Name: "ddim", Spacing: "uniform", Steps: 2, Guidance: configs.Guidance{Name: "none"}}
	return c
}

// ofConsistency is a toy that learns from 2 steps of its teacher to sample in one.
func ofConsistency(target string) *configs.Config {
	c := distilled(target)
	c.Train.Distillation, c.Train.TeacherSteps, c.Sampler.Name, c.Sampler.Steps = consistency, 2, sampler.ConsistencyName, 1
	return c
}

func distillationOf(t *testing.T, c *configs.Config) *Distillation {
	t.Helper()
	d, err := NewDistillation(modelOf(t, c), c)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// withTeacher is a store with a student and a teacher of other weights.
func withTeacher(t *testing.T, m *Model) *model.Store {
	t.Helper()
	b := backendtest.Open(t)
	store := lively(t, b, m)
	if _, err := m.Declare(b, store.Scope("/"+TeacherScope), 1); err != nil {
		t.Fatal(err)
	}
	for v := range store.Scope("/" + TeacherScope).IterVariables() {
		values := make([]float32, v.Shape().Size())
		for i := range values {
			values[i] = float32(0.3 * math.Cos(0.7*float64(i+len(v.Path()))))
		}
		if err := v.SetValue(tensors.FromFlatDataAndDimensions(values, v.Shape().Dimensions...)); err != nil {
			t.Fatal(err)
		}
	}
	return store
}

// The loss is that of algorithm 2 of Salimans and Ho, step by step: the teacher is evaluated at the
// level of the clip and halfway, and the student is compared with the clean frames that bring one step
// to where the two end, by truncated SNR. Each clip is at a step of its own.
//
// In consistency distillation it is that of algorithm 2 of Song et al.: the student is compared with what
// its average predicts where a step of the teacher ends, or with this end if it is clean.
func TestAStudentIsComparedWithItsTeacher(t *testing.T) {
	experiments := []*configs.Config{ofConsistency("x0"), ofConsistency("v")}
	for _, target := range []string{"x0", "v", "flow", "edm"} {
		experiments = append(experiments, distilled(target))
	}
	for _, c := range experiments {
		what := fmt.Sprintf("%s, %s", c.Train.Distillation, c.Diffusion.Target)
		c.Model = configs.Model{Network: "mlp", Options: configs.Options{"width": 8}} // XLA compiles it in no time
		d := distillationOf(t, c)
		b, store, batch := backendtest.Open(t), withTeacher(t, d.Model), 2
		program := func(f func(scope *model.Scope, clip, levels *Node) []*Node) [][]float32 {
			exec, err := model.NewExec(b, store, func(scope *model.Scope, clip, levels *Node) []*Node {
				scope.Store().SetTraining(clip.Graph(), true)
				return f(scope, clip, levels)
			})
			if err != nil {
				t.Fatal(err)
			}
			defer exec.Finalize()
			var levels []diffusion.Level
			for i := range batch { // the last step first
				of, bin := d.EvenLevels(i, batch, 4)
				if bin != 2*i {
					t.Errorf("step %d of 2 lies in part %d of 4, want %d", i, bin, 2*i)
				}
				levels = append(levels, of...)
			}
			out, err := exec.Call(tensors.FromFlatDataAndDimensions(clips(d.Model, batch, 4), d.ClipShape(batch, 4).Dimensions...),
				tensors.FromFlatDataAndDimensions(d.Table(levels), batch, 3, diffusion.Columns))
			if err != nil {
				t.Fatal(err)
			}
			var all [][]float32
			for _, o := range out {
				all = append(all, tensors.MustCopyFlatData[float32](o))
			}
			return all
		}
		draws := func(levels *Node) Draws {
			_, draws := d.Draw(nn.Random{State: Const(levels.Graph(), []uint64{1, 2, 3})}, levels)
			return draws
		}
		losses := program(func(scope *model.Scope, clip, levels *Node) []*Node {
			loss, x0 := d.ErrorGraph(nn.NewBuilder(b), scope.At(WeightsScope), clip, draws(levels))
			return []*Node{loss, x0}
		})
		apart := program(func(scope *model.Scope, clip, levels *Node) []*Node {
			draws := draws(levels)
			past, current, future := d.Cut(mask.Turn(clip, draws.Reversed))
			cond := Cond[*Node]{Past: past, Future: future, Visible: draws.Visible}
			teacher, student := d.Denoiser(nn.NewBuilder(b), scope.At(TeacherScope), cond), d.Denoiser(nn.NewBuilder(b), scope.At(WeightsScope), cond)
			x := diffusion.AddNoise(current, draws.Noise, draws.Level.Signal, draws.Level.Noise)
			first := teacher(x, draws.Level)
			halfway := diffusion.AddNoise(first.X0, first.Eps, draws.Mid.Signal, draws.Mid.Noise)
			second := teacher(halfway, draws.Mid)
			end := diffusion.AddNoise(second.X0, second.Eps, draws.End.Signal, draws.End.Noise)
			average := d.Denoiser(nn.NewBuilder(b), scope.At(EMAScope), cond)(halfway, draws.Mid).X0
			return []*Node{x, end, student(x, draws.Level).X0, halfway, average}
		})
		values := d.ClipShape(1, 1).Size()
		for i := range batch {
			of, _ := d.EvenLevels(i, batch, 4)
			from, to := of[0], of[2]
			r, snr := to.Noise/from.Noise, math.Exp(from.LogSNR())
			var loss, x0 float64
			for k := i * values; k < (i+1)*values; k++ {
				x, end, got := float64(apart[0][k]), float64(apart[1][k]), float64(apart[2][k])
				want := (end - r*x) / (to.Signal - r*from.Signal)
				if c.Train.Distillation == consistency {
					if want = float64(apart[4][k]); of[1] == diffusion.Clean {
						want = float64(apart[3][k])
					}
				}
				loss += max(snr, 1) * (got - want) * (got - want) / 2
				clipped := max(-1, min(got, 1))
				x0 += (clipped - want) * (clipped - want) / float64(values)
			}
			if got := float64(losses[0][i]); !(math.Abs(got/loss-1) <= 1e-3) || loss < 1e-3 {
				t.Errorf("%s, clip %d: loss %g, want %g", what, i, got, loss)
			}
			if got := float64(losses[1][i]); !(math.Abs(got/x0-1) <= 1e-3) {
				t.Errorf("%s, clip %d: error of x0 %g, want %g", what, i, got, x0)
			}
		}
	}
}

// Training visits each of the student's steps equally often.
func TestADistillationDrawsItsSteps(t *testing.T) {
	c := distilled("v")
	c.Sampler.Steps = 4
	d := distillationOf(t, c)
	rng, counts, clips := rand.New(rand.NewPCG(1, 2)), map[float32]int{}, 4000
	table := tensors.MustCopyFlatData[float32](d.DrawLevels(rng, clips))
	for row := range slices.Chunk(table, 3*diffusion.Columns) {
		counts[row[2]]++ // by the label where the step begins
		if mid := row[diffusion.Columns+2]; mid != row[2]+12 && mid != row[2]+13 {
			t.Fatalf("a step from label %g goes over %g, want 12.5 later", row[2], mid)
		}
	}
	for _, label := range []float32{0, 25, 50, 75} {
		if n := counts[label]; n < clips/4-150 || n > clips/4+150 { // 5 deviations
			t.Errorf("%d of %d clips begin at label %g, want a quarter", n, clips, label)
		}
	}
}

func TestNetworksThatCannotBeDistilledAreRefused(t *testing.T) {
	eps, told, heun, learned := distilled("eps"), distilled("v"), distilled("v"), distilled("v")
	learned.Diffusion.Variance = "learned"
	eps.Diffusion.Weight, heun.Sampler.Name = "simple", "heun"
	told.Model.Options["self_conditioning"] = true
	for want, c := range map[string]*configs.Config{
		"train.teacher: a network that predicts eps can't be distilled":     eps,
		"train.teacher: a self-conditioned network can't be distilled":      told,
		"train.teacher: a network that learns variances can't be distilled": learned,
		"sampler.name: heun, want ddim: steps of the teacher are distilled": heun,
	} {
		if _, err := NewDistillation(modelOf(t, c), c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

// Only a network that learned it is sampled by consistency sampling.
func TestConsistencySamplingNeedsAStudent(t *testing.T) {
	c := ofConsistency("v")
	if err := modelOf(t, c).CheckSampler(c.Sampler); err == nil || !strings.HasPrefix(err.Error(), `sampler.name: "consistency", want another`) {
		t.Errorf("without a teacher: error %v", err)
	}
	c.Train.Teacher = "run"
	if err := modelOf(t, c).CheckSampler(c.Sampler); err != nil {
		t.Errorf("a student: %v", err)
	}
	c.Train.Distillation = "progressive"
	if err := modelOf(t, c).CheckSampler(c.Sampler); err == nil {
		t.Error("a progressive student is sampled by consistency")
	}
}

func TestTeacherStepsAreForConsistency(t *testing.T) {
	c := distilled("v")
	c.Train.TeacherSteps = 4
	if _, err := NewDistillation(modelOf(t, c), c); err == nil || !strings.HasPrefix(err.Error(), "train.teacher_steps: 4, want 0") {
		t.Errorf("error %v, want that progressive distillation has no teacher_steps", err)
	}
}
