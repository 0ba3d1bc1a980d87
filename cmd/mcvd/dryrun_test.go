package main

import (
	"bytes"
	"runtime"
	"strings"
	"testing"

	"mcvd/configs/experiment"
	"mcvd/models/backend/backendtest"
)

// A dry run makes no value of the network, however large that is: it takes a small part of the room
// of the weights alone.
func TestDryRunOfANetworkThatFitsNowhere(t *testing.T) {
	b := backendtest.Open(t)
	for _, set := range [][]string{
		{"model.options.width=4096"},
		{"model.options.multipliers=[64, 64]"},
		{"model.options.conditioning=spatin", "model.options.width=1024"},
		{"data.size=256"},
	} {
		c, err := experiment.Load("../../configs/digits.yml", set...)
		if err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		var out bytes.Buffer
		if err := dryRun(&out, b, c); err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		if MB := (after.TotalAlloc - before.TotalAlloc) >> 20; MB > 200 {
			t.Errorf("%v: %d MB were allocated to say\n%s", set, MB, out.String()[strings.Index(out.String(), "\n# "):])
		}
	}
}
