package data

import (
	"fmt"
	"strings"
	"testing"

	"mcvd/configs"
	"mcvd/data/folder"
)

// Of all settings that can be changed for a trained model, those that say how one's own videos are
// decoded are let through, and no others.
func TestOverridesOfOwnVideosHaveAnEffect(t *testing.T) {
	run := configs.Default()
	run.Data.Path = "clips"
	if err := (configs.Catalogue{Tables: Tables(), Check: Check}).Resolve(run); err != nil {
		t.Fatal(err)
	}
	before, err := DecodeOptions(run)
	if err != nil {
		t.Fatal(err)
	}
	others := map[string]string{"data.path": "elsewhere", "data.fps": "5", "data.stride": "2", "data.on_error": "fail"}
	for key, value := range configs.OptionsOf(folder.DefaultOptions()) {
		switch value.(type) {
		case float64:
			others["data.options."+key] = "0.25"
		case string:
			others["data.options."+key] = "whole"
		default:
			t.Fatalf("%s: another value for a %T is missing here", key, value)
		}
	}
	let := 0
	for key, value := range others {
		override := []string{key + "=" + value}
		changed, err := Override(run, override)
		if err != nil {
			t.Fatal(err)
		}
		after, err := DecodeOptions(changed)
		if err != nil {
			t.Fatal(err)
		}
		hasEffect, err := fmt.Sprint(after, changed.Data.Stride) != fmt.Sprint(before, run.Data.Stride), CheckOwnOverrides(override)
		if (err == nil) != hasEffect {
			t.Errorf("%s: has an effect: %t, error %v", override[0], hasEffect, err)
		}
		if err == nil {
			let++
		} else if !strings.HasPrefix(err.Error(), override[0]+" has no effect") {
			t.Errorf("%s: error %v", override[0], err)
		}
	}
	if let != len(ofOwn) {
		t.Errorf("%d settings have an effect, want all of %v", let, ofOwn)
	}
	for _, o := range []string{"data.name=digits", "data.options.digits=1"} { // of the data set that videos replace
		if CheckOwnOverrides([]string{"data.fps=5", o}) == nil {
			t.Errorf("%s was let through", o)
		}
	}
}
