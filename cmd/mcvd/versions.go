package main

import (
	"runtime"
	"runtime/debug"
)

// versions is what a result was made with.
func versions() map[string]string {
	v := map[string]string{"go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision", "vcs.modified", "GOEXPERIMENT":
			v[s.Key] = s.Value
		}
	}
	for _, m := range info.Deps {
		switch m.Path {
		case "github.com/gomlx/gomlx", "github.com/gomlx/compute":
			v[m.Path] = m.Version
		}
	}
	return v
}
