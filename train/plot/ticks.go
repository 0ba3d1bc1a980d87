package plot

import (
	"math"
	"strconv"

	"gonum.org/v1/plot"
)

// linearTicks are two to eight ticks with labels such as 50k, at multiples of 1, 2 or 5 times a
// power of ten. gonum's own are often at 0.42, 0.48 and 0.54, or at 1.03 and 1.13.
func linearTicks(low, high float64) (ticks []plot.Tick) {
	const most = 8
	span := high - low
	if !(span > 0) || math.IsInf(span, 0) {
		return nil
	}
	step := round125(span / (most - 1))
	rounding := 1e-9 * step // 3 times 0.1 is above 0.3, and belongs to an axis that ends there
	first := math.Ceil((low - rounding) / step)
	for k := range most {
		if value := (first + float64(k)) * step; value <= high+rounding {
			value = min(max(value, low), high)
			ticks = append(ticks, plot.Tick{Value: value, Label: short(value, span)})
		}
	}
	return ticks
}

// round125 is the least of 1, 2 and 5 times a power of ten that is not below x, which is above 0.
func round125(x float64) float64 {
	power := math.Pow10(int(math.Floor(math.Log10(x))))
	for _, digit := range []float64{1, 2, 5} {
		if digit*power >= x {
			return digit * power
		}
	}
	return 10 * power
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
