package metric

import (
	"fmt"
	"math"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"mcvd/data/clips"
)

const (
	motionPoints = 20 // points along each side of a frame
	motionCell   = 5  // points along each side of a cell that has a histogram
	motionTime   = 4  // least steps of time of a cell, where there are as many
	motionAngles = 8  // directions that a histogram tells apart
	motionSide   = 256
	// motionOctaves divides the logarithm of speeds: one of 255 pixels has the weight 1.
	motionOctaves = 8
	// leastMotionFrames have two velocities and the acceleration between them.
	leastMotionFrames = 3
	leastMotionSide   = 8 // pixels: about a window of the tracker
)

// motion describes clips by how points in them move, for the Fréchet video motion distance (FVMD;
// Liu et al., 2024): by histograms of their velocities and accelerations. It needs no weights:
// points are tracked by [follow], and not by a network as for the published numbers.
type motion struct{}

func openFVMD(Needs) (Sets, error) { return motion{}, nil }

// Features are the histograms of each clip; several clips are tracked at a time. Clips of less than
// three frames, or of frames that are smaller than 8x8, are [Skipped].
func (motion) Features(list []clips.Clip) ([][]float32, error) {
	for _, c := range list {
		if c.Frames < leastMotionFrames || min(c.Height, c.Width) < leastMotionSide {
			return nil, Skipped{fmt.Sprintf("fvmd needs clips of %d frames or more, with the given ones, of %dx%d or more, got %d of %dx%d",
				leastMotionFrames, leastMotionSide, leastMotionSide, c.Frames, c.Width, c.Height)}
		}
	}
	rows := make([][]float32, len(list))
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, c := range list {
		group.Go(func() error { rows[i] = motionOf(c); return nil })
	}
	return rows, group.Wait()
}

// motionOf are the histograms of a clip: of velocities, then of accelerations, each by time,
// height, width and direction. A clip is cut in time into parts of four steps or a little more. In
// each, 20x20 points are set on the first frame and followed. A histogram is of 5x5 points over a
// part.
func motionOf(c clips.Clip) []float32 {
	levels := make([][]flowLevel, c.Frames)
	for i := range levels {
		levels[i] = pyramid(c.Slice(i, i+1))
	}
	steps := c.Frames - 1
	parts := max(1, steps/motionTime)
	var velocities, accelerations []float32
	for part := range parts {
		v, a := partMotion(levels[part*steps/parts:(part+1)*steps/parts+1], c.Height, c.Width)
		velocities, accelerations = append(velocities, v...), append(accelerations, a...)
	}
	return slices.Concat(velocities, accelerations)
}

// partMotion are the histograms of a part of a clip. Movements count as those of a frame of
// 256x256.
func partMotion(frames [][]flowLevel, height, width int) (velocities, accelerations []float32) {
	const cells = motionPoints / motionCell
	v, a := make([]histogram, cells*cells), make([]histogram, cells*cells)
	for row := range motionPoints {
		for column := range motionPoints {
			cell := row/motionCell*cells + column/motionCell
			p := place{gridPlace(row, height), gridPlace(column, width)}
			var before place
			for i, next := range frames[1:] {
				q := follow(frames[i], next, p)
				velocity := place{(q.y - p.y) * motionSide / float64(height), (q.x - p.x) * motionSide / float64(width)}
				v[cell].add(velocity)
				if i > 0 {
					a[cell].add(place{velocity.y - before.y, velocity.x - before.x})
				}
				p, before = q, velocity
			}
		}
	}
	for cell := range v {
		velocities, accelerations = append(velocities, v[cell][:]...), append(accelerations, a[cell][:]...)
	}
	return velocities, accelerations
}

// gridPlace is where point number i of a row lies along a side of so many pixels. A margin of a
// 32nd stays free, as in the published code.
func gridPlace(i, size int) float64 {
	margin := float64(size) / 32
	return margin + float64(i)/(motionPoints-1)*(float64(size-1)-2*margin)
}

// histogram is how much movement there is in each direction, the first to the right, then
// clockwise.
type histogram [motionAngles]float32

// add adds a movement of m pixels with the weight log2(1 + min(m, 255)) / 8. The published code
// rounds the logarithm up, so that trembling by a thousandth of a pixel counts as much as a pixel,
// and gives all to one direction. Here nothing is rounded, and a movement between two directions is
// shared by them.
func (h *histogram) add(m place) {
	weight := math.Log2(1+min(math.Hypot(m.y, m.x), 255)) / motionOctaves
	angle := math.Atan2(m.y, m.x) / (2 * math.Pi) * motionAngles
	low := math.Floor(angle)
	first := (int(low) + motionAngles) % motionAngles
	h[first] += float32(weight * (1 - (angle - low)))
	h[(first+1)%motionAngles] += float32(weight * (angle - low))
}
