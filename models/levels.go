package models

import "mcvd/models/diffusion"

// EvenLevels is the level of the n-th of total clips, 0 to total-1, whose levels are spread evenly
// over the schedule, the least noisy first. bin says in which of so many equal parts of the schedule
// it lies.
func (m *Model) EvenLevels(n, total, bins int) (levels []diffusion.Level, bin int) {
	u := (float64(n) + 0.5) / float64(total)
	if steps := m.Schedule.Steps(); steps > 0 {
		t := n * steps / total
		u = float64(t+1) / float64(steps)
		return []diffusion.Level{m.Schedule.Level(u)}, t * bins / steps
	}
	return []diffusion.Level{m.Schedule.Level(u)}, int(u * float64(bins))
}
