package configs

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Tags of a setting's field say what its value may be, and what it means:
//
//	Eta   float64 `yaml:"eta" range:"[0, 1)" doc:"How much fresh noise a step adds."`
//	Color string  `yaml:"color" choices:"white random" doc:"The colour of the digits."`
//
// A range is an interval as in mathematics: a square bracket includes the bound, a round one does
// not, and inf stands for no bound. Choices are separated by spaces. For a list, both speak of its
// items. They hold for [Config] and for the options of implementations alike; errors, the reference
// and the schema all read them. The upper bounds of sizes and counts are far beyond what can be
// trained; they keep products of them within an int64.
//
// A tag second names the field for the second number of a setting that may be a list of two.
//
// A doc tag is one line of source, however long, because Go reads a struct's tags as one literal
// and stops at a line break. The settings of [Config] itself have comments instead.

// interval is what a range tag says.
type interval struct {
	low, high    float64 // infinite for no bound
	above, below bool    // whether the bound itself is excluded
}

// rangeOf returns the interval of a field, if it has one.
func rangeOf(tag reflect.StructTag) (_ interval, ok bool) {
	text, ok := tag.Lookup("range")
	if !ok {
		return interval{}, false
	}
	low, high, comma := strings.Cut(strings.Trim(text, "[]()"), ",")
	r := interval{above: strings.HasPrefix(text, "("), below: strings.HasSuffix(text, ")")}
	var lowErr, highErr error
	r.low, lowErr = strconv.ParseFloat(strings.TrimSpace(low), 64)
	r.high, highErr = strconv.ParseFloat(strings.TrimSpace(high), 64)
	brackets := (r.above || strings.HasPrefix(text, "[")) && (r.below || strings.HasSuffix(text, "]"))
	infinite := math.IsInf(r.low, 0) && !r.above || math.IsInf(r.high, 0) && !r.below
	if !comma || lowErr != nil || highErr != nil || !brackets || infinite || !(r.low <= r.high) {
		panic(fmt.Sprintf("configs: the tag range:%q is no interval such as [0, 1)", text))
	}
	return r, true
}

// choicesOf returns the values that a field's tags allow, or nothing if they leave that open.
func choicesOf(tag reflect.StructTag) []string { return strings.Fields(tag.Get("choices")) }

// holds is false for NaN and infinities.
func (r interval) holds(x float64) bool {
	return (r.low < x || r.low == x && !r.above) && (x < r.high || x == r.high && !r.below)
}

// describe says in words which numbers the interval holds: "0 to below 1", "more than 0, and
// finite".
func (r interval) describe(isInteger bool) string {
	number := func(x float64) string {
		if x == math.Trunc(x) && math.Abs(x) < 1<<53 {
			return strconv.FormatInt(int64(x), 10)
		}
		return fmt.Sprint(x)
	}
	finite := ", and finite"
	if isInteger {
		finite = ""
	}
	low, above := number(r.low), ""
	if r.above {
		above = "more than "
	}
	switch {
	case math.IsInf(r.high, 1) && math.IsInf(r.low, -1):
		return "a finite number"
	case math.IsInf(r.high, 1) && r.above:
		return above + low + finite
	case math.IsInf(r.high, 1):
		return low + " or more" + finite
	case math.IsInf(r.low, -1) && r.below:
		return "less than " + number(r.high) + finite
	case math.IsInf(r.low, -1):
		return "at most " + number(r.high) + finite
	case r.below:
		return above + low + " to below " + number(r.high)
	}
	return above + low + " to " + number(r.high)
}

// checkTags reports the values in a struct that its tags do not allow. path is where the struct
// stands in the YAML.
func (p *Problems) checkTags(v reflect.Value, path string) {
	for _, f := range fields(v) {
		if at := join(path, f.name); f.second.IsValid() && !f.second.IsZero() {
			p.checkValue(f.value, at+"[0]", f.goes.Tag)
			p.checkValue(f.second, at+"[1]", f.goes.Tag)
		} else {
			p.checkValue(f.value, at, f.goes.Tag)
		}
	}
}

func (p *Problems) checkValue(v reflect.Value, path string, tag reflect.StructTag) {
	switch {
	case v.Kind() == reflect.Struct:
		p.checkTags(v, path)
		return
	case v.Kind() == reflect.Slice:
		for i := range v.Len() {
			p.checkValue(v.Index(i), fmt.Sprintf("%s[%d]", path, i), tag)
		}
		return
	}
	if r, ok := rangeOf(tag); ok {
		p.Check(r.holds(number(v)), path, v.Interface(), r.describe(!v.CanFloat()))
	}
	if known := choicesOf(tag); len(known) > 0 {
		p.Check(slices.Contains(known, v.String()), path, v.Interface(), strings.Join(known, " or "))
	}
}

// number is the value of a field with a range.
func number(v reflect.Value) float64 {
	switch {
	case v.CanInt():
		return float64(v.Int())
	case v.CanUint():
		return float64(v.Uint())
	}
	return v.Float()
}
