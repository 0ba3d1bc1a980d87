package data

import (
	"strings"
	"testing"

	"mcvd/configs"
)

func TestOverride(t *testing.T) {
	run := func() *configs.Config {
		c := configs.Default()
		c.Data.Name, c.Data.Path, c.Data.FPS = "folder", "old", 5
		c.Data.Options = configs.Options{"crop": "whole"}
		if err := (configs.Catalogue{Tables: Tables(), Check: Check}).Resolve(c); err != nil {
			t.Fatal(err)
		}
		return c
	}
	same, err := Override(run(), nil)
	if err != nil || len(configs.Diff(same, run())) > 0 {
		t.Errorf("without overrides: %v, %v", same, err)
	}
	for want, overrides := range map[string][]string{
		`data.path: "old" -> "new"`: {"data.path=new"},
		`data.path: "old" -> "new", data.fps: 5.0 -> 0.0, data.options.crop: "whole" -> "center"`: {"data.path=new", "data.fps=0", "data.options.crop=center"},
		`data.name: "folder" -> "digits", data.path: "old" -> "clips/", data.fps: 5.0 -> 0.0, data.options.cache: "" -> unset, ` +
			`data.options.crop: "whole" -> unset, data.options.image_fps: 0.0 -> unset, data.options.scenes: 0.0 -> unset, data.options.test: 0.1 -> unset, ` +
			`data.options.valid: 0.1 -> unset, data.options.color: unset -> "white", data.options.digit_size: unset -> 0, ` +
			`data.options.digits: unset -> 2, data.options.mnist: unset -> "", data.options.speed: unset -> [0.0, 0.0]`: {"data.name=digits"},
	} {
		got, err := Override(run(), overrides)
		if err != nil {
			t.Errorf("%v: %v", overrides, err)
			continue
		}
		if diff := strings.Join(configs.Diff(run(), got), ", "); diff != want {
			t.Errorf("%v changed %s, want %s", overrides, diff, want)
		}
	}
	for want, overrides := range map[string][]string{
		"data.size=16: can't be changed for weights that are trained, want data.name, ": {"data.path=new", "data.size=16"},
		"model.width=8: can't be changed":                                               {"model.width=8"},
		"data.flip=true: can't be changed":                                              {"data.flip=true"},
		`data.name: unknown "x"`:                                                        {"data.name=x", "data.path=x"},
		"data.fps":                                                                      {"data.fps=-1"},
		"data.options.crop":                                                             {"data.options.crop=middle"},
		"data.path":                                                                     {"data.path="},
		"no equals sign":                                                                {"data.path"},
	} {
		if _, err := Override(run(), overrides); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: error %v, want %s", overrides, err, want)
		}
	}
}
