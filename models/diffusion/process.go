package diffusion

import (
	"errors"
	"fmt"
	"math"

	. "github.com/gomlx/gomlx/core/graph"

	"mcvd/configs"
)

// Process is a forward process, and what a network learns of it.
type Process struct {
	Schedule Schedule
	Target   Target
	Loss     Loss
	weight   Weight
	spread   spread
	frames   frameSpread
	variance variance
}

// parts are what a configuration names, with their options.
type parts struct {
	schedule maker
	target   Target
	loss     Loss
	weight   Weight
	spread   spread
	frames   frameSpread
	variance variance
}

// choose picks the parts that the configuration names. Their options stand in one section, so they
// are read together. Unknown names are reported together.
func choose(c configs.Diffusion) (p parts, err error) {
	schedule, scheduleErr := configs.Pick(schedules, "diffusion.schedule", c.Schedule)
	target, targetErr := configs.Pick(targets, "diffusion.target", c.Target)
	loss, lossErr := configs.Pick(losses, "diffusion.loss", c.Loss)
	weight, weightErr := configs.Pick(weights, "diffusion.weight", c.Weight)
	spread, spreadErr := configs.Pick(spreads, "diffusion.levels", c.Levels)
	frames, framesErr := configs.Pick(frameSpreads, FrameLevelsPath, c.FrameLevels)
	variance, varianceErr := configs.Pick(variances, VariancePath, c.Variance)
	if err := errors.Join(scheduleErr, targetErr, lossErr, weightErr, spreadErr, framesErr, varianceErr); err != nil {
		return p, err
	}
	ofSchedule, getSchedule := configs.Copy(schedule)
	ofLoss, getLoss := configs.Copy(loss)
	ofWeight, getWeight := configs.Copy(weight)
	ofSpread, getSpread := configs.Copy(spread)
	ofVariance, getVariance := configs.Copy(variance)
	err = c.Options.Decode(optionsPath, ofSchedule, ofLoss, ofWeight, ofSpread, ofVariance)
	return parts{getSchedule(), target, getLoss(), getWeight(), getSpread(), frames, getVariance()}, err
}

// New makes the process that the configuration describes. A target that can't be learned at the
// noisiest level, such as eps where no signal is left, is an error.
func New(c configs.Diffusion) (*Process, error) {
	chosen, err := choose(c)
	if err != nil {
		return nil, err
	}
	if c.Steps < 2 {
		return nil, fmt.Errorf("diffusion.steps: %d, want 2 or more", c.Steps)
	}
	schedule, err := chosen.schedule.schedule(c.Steps)
	if err != nil {
		return nil, err
	}
	p := &Process{schedule, chosen.target, chosen.loss, chosen.weight, chosen.spread, chosen.frames, chosen.variance}
	if p.LearnsVariance() && schedule.Steps() == 0 {
		return nil, configs.Problem{Path: VariancePath, Also: []string{"diffusion.schedule"},
			Text: fmt.Sprintf("%s, want fixed, because diffusion.schedule %s has no timesteps, and a beta is the variance of the step from one to the next; linear, cosine and sigmoid have them", c.Variance, c.Schedule)}
	}
	if _, by := chosen.spread.(byLoss); by {
		if schedule.Steps() == 0 {
			return nil, configs.Problem{Path: "diffusion.levels", Also: []string{"diffusion.schedule"},
				Text: fmt.Sprintf("%s, want another, because diffusion.schedule %s has no timesteps whose losses could be remembered", ByLoss, c.Schedule)}
		}
		if chosen.frames != nil {
			return nil, configs.Problem{Path: "diffusion.levels", Also: []string{FrameLevelsPath},
				Text: fmt.Sprintf("%s, want another, because with %s: %s a clip's loss belongs to several levels", ByLoss, FrameLevelsPath, c.FrameLevels)}
		}
	}
	noisiest := schedule.Level(1)
	for _, x := range p.Row(noisiest) {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return nil, fmt.Errorf("diffusion.target: %s can't be learned at the noisiest level of this schedule, which has signal %g: "+
				"want another (with diffusion.weight: simple), or a schedule that keeps some signal", c.Target, noisiest.Signal)
		}
	}
	return p, nil
}

// optionsPath is where the options of schedules, losses, weights, ways of drawing levels and variances
// stand.
const optionsPath = "diffusion.options"

// Tables are the tables of this package with their options.
func Tables() []configs.Table {
	return []configs.Table{
		configs.TableOf("diffusion.schedule", optionsPath, schedules),
		configs.TableOf("diffusion.target", optionsPath, targets),
		configs.TableOf("diffusion.weight", optionsPath, weights),
		configs.TableOf("diffusion.levels", optionsPath, spreads),
		configs.TableOf(FrameLevelsPath, optionsPath, frameSpreads),
		configs.TableOf("diffusion.loss", optionsPath, losses),
		configs.TableOf(VariancePath, optionsPath, variances),
	}
}

// LevelNodes are the numbers of a level in a graph, each a scalar or [batch, 1 or frames, 1, 1, 1].
type LevelNodes struct {
	Signal, Noise *Node // x_t = Signal x0 + Noise eps
	Label         *Node // what the network is told
	In, Skip, Out *Node // x0 = Skip x_t + Out F(In x_t)
	OfX0, OfEps   *Node // F should be OfX0 x0 + OfEps eps
	Weight        *Node // of the loss
	// What [BoundGraph] needs: zeros unless variances are learned.
	LogBeta, LogPosterior, Gain *Node
	Bound                       *Node // the weight of the bound in the loss
}

// Columns is how many numbers [Process.Row] gives for a level. WeightColumn and BoundColumn are which
// of them are the weights of the loss and of the bound.
const (
	boundColumns = 4
	Columns      = 9 + boundColumns
	WeightColumn = 8
	BoundColumn  = Columns - 1
)

// Row is the numbers of a level in the order of [LevelNodes], computed on the host in float64.
func (p *Process) Row(l Level) []float64 {
	in, skip, out := p.Target.Scale(l)
	ofX0, ofEps := p.Target.F(l)
	return append([]float64{l.Signal, l.Noise, l.Label, in, skip, out, ofX0, ofEps, p.weight.of(l, p.Target)}, p.boundRow(l)...)
}

// Table is the rows of levels as float32, row-major [levels, Columns].
func (p *Process) Table(levels []Level) []float32 {
	table := make([]float32, 0, Columns*len(levels))
	for _, l := range levels {
		for _, x := range p.Row(l) {
			table = append(table, float32(x))
		}
	}
	return table
}

// Nodes takes numbers in the order of [Process.Row], each a node.
func Nodes(row []*Node) LevelNodes {
	return LevelNodes{Signal: row[0], Noise: row[1], Label: row[2], In: row[3], Skip: row[4], Out: row[5],
		OfX0: row[6], OfEps: row[7], Weight: row[WeightColumn],
		LogBeta: row[9], LogPosterior: row[10], Gain: row[11], Bound: row[BoundColumn]}
}

// TableNodes takes a table [batch, 1 or frames, Columns] apart.
func TableNodes(table *Node) LevelNodes {
	table.AssertDims(-1, -1, Columns)
	row, d := make([]*Node, Columns), table.Shape().Dimensions
	for i := range row {
		row[i] = Reshape(Slice(table, AxisRange(), AxisRange(), AxisElem(i)), d[0], d[1], 1, 1, 1)
	}
	return Nodes(row)
}
