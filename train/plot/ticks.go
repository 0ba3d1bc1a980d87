package plot

import (
	"math"
	"strconv"

	"gonum.org/v1/plot"
)

// linearTicks are gonum's, with labels such as 50k.
func linearTicks(low, high float64) []plot.Tick {
	ticks := plot.DefaultTicks{}.Ticks(low, high)
	for i := range ticks {
		if ticks[i].Label != "" {
			ticks[i].Label = short(ticks[i].Value, high-low)
		}
	}
	return ticks
}

// logTicks are powers of ten over several decades, with 2 and 5 between them over a few, and
// linear ones over less: there is a label to every range. low is above 0.
func logTicks(low, high float64) []plot.Tick {
	decades := math.Log10(high / low)
	if decades < 0.7 {
		return linearTicks(low, high)
	}
	every := int(math.Ceil(decades / 8))
	var ticks []plot.Tick
	for e := int(math.Floor(math.Log10(low))); e <= int(math.Ceil(math.Log10(high))); e++ {
		for digit := 1; digit < 10; digit++ {
			value := float64(digit) * math.Pow10(e)
			if value < low || value > high || every > 1 && digit > 1 {
				continue
			}
			t := plot.Tick{Value: value}
			if digit == 1 && e%every == 0 || decades < 3 && (digit == 2 || digit == 5) {
				t.Label = short(value, 0)
			}
			ticks = append(ticks, t)
		}
	}
	return ticks
}

// units are what long numbers are counted in, from so much on.
var units = []struct {
	from, factor float64
	name         string
}{{1e12, 1e12, "T"}, {1e9, 1e9, "G"}, {1e6, 1e6, "M"}, {1e4, 1e3, "k"}}

// short writes a number in few characters: 250k, 3.2G, 0.05, 1e-06. The span is that of the axis,
// which says how many digits tell its ticks apart; 0 is any.
func short(x, span float64) string {
	name := ""
	for _, u := range units {
		if math.Abs(x) >= u.from {
			x, span, name = x/u.factor, span/u.factor, u.name
			break
		}
	}
	digits := 3
	if x != 0 {
		digits = max(digits, 1+int(math.Floor(math.Log10(math.Abs(x))))) // all before the point
		if span > 0 {
			digits = max(digits, 2+int(math.Ceil(math.Log10(math.Abs(x)/span))))
		}
	}
	return strconv.FormatFloat(x, 'g', min(digits, 15), 64) + name
}
