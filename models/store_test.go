package models

import (
	"mcvd/models/backend/backendtest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"

	"mcvd/configs"
	"mcvd/models/weights"
)

// written writes entries to a file and opens it.
func written(t *testing.T, entries []weights.Entry) *weights.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "weights.safetensors")
	if err := weights.Write(path, nil, entries); err != nil {
		t.Fatal(err)
	}
	f, err := weights.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestWhatIsWrittenIsLoadedAgain(t *testing.T) {
	b := backendtest.Open(t)
	m := modelOf(t, toy())
	store := lively(t, b, m)
	f := written(t, Entries(store))
	for _, scopes := range [][]string{{WeightsScope, EMAScope}, {EMAScope}} {
		loaded, err := m.Load(b, f, scopes...)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for v := range loaded.IterVariables() {
			n++
			want := tensors.MustCopyFlatData[float32](store.GetVariable(v.Path()).MustValue())
			if !sameBits(tensors.MustCopyFlatData[float32](v.MustValue()), want) {
				t.Errorf("%s changed", v.Path())
			}
		}
		if want := len(f.Tensors()) * len(scopes) / 2; n != want {
			t.Errorf("scopes %v: %d variables, want %d", scopes, n, want)
		}
	}
}

func TestLoadListsAllThatIsWrongWithAFile(t *testing.T) {
	b := backendtest.Open(t)
	m := modelOf(t, toy())
	var entries []weights.Entry
	for _, e := range Entries(lively(t, b, m)) {
		switch e.Name {
		case "ema/in/w": // missing
			continue
		case "ema/in/b": // misshapen
			e.Shape = []int{2, 4}
		case "ema/out/b": // of another type
			e.DType, e.Shape = weights.I32, []int{1}
		}
		entries = append(entries, e)
	}
	extra := entries[0]
	extra.Name = "ema/elsewhere/w"
	stranger := entries[0]
	stranger.Name = "emanation/w" // in no scope that is loaded
	_, err := m.Load(b, written(t, append(entries, extra, stranger)), EMAScope)
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		"the weights are not those of this model",
		"ema/in/w: missing",
		"ema/in/b: shape [2 4], want [8]",
		`got I32, want F64, F32, F16 or BF16`,
		"ema/elsewhere/w: not a parameter of this model",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q, want it to say %q", err, want)
		}
	}
	if lines := strings.Count(err.Error(), "\n"); lines != 4 {
		t.Errorf("error %q lists %d problems, want 4", err, lines)
	}
}

func TestUnknownNamesAreRefusedByNew(t *testing.T) {
	for want, set := range map[string]func(c *configs.Config){
		"model.network":              func(c *configs.Config) { c.Model.Network = "magic" },
		"model.options.conditioning": func(c *configs.Config) { c.Model.Options["conditioning"] = "magic" },
		"diffusion.schedule":         func(c *configs.Config) { c.Diffusion.Schedule = "magic" },
		"diffusion.loss":             func(c *configs.Config) { c.Diffusion.Loss = "magic" },
	} {
		c := toy()
		set(c)
		if _, err := New(c); err == nil || !strings.HasPrefix(err.Error(), want+`: unknown "magic"`) {
			t.Errorf("error %v, want one about %s", err, want)
		}
	}
}

// What a listing says that training begins with is what it begins with.
func TestListedFirstWeights(t *testing.T) {
	b := backendtest.Open(t)
	m := modelOf(t, toy())
	l, err := m.List(b)
	if err != nil {
		t.Fatal(err)
	}
	store, err := m.Init(b, 5)
	if err != nil {
		t.Fatal(err)
	}
	if want := store.NumVariables() / 2; len(l.Weights) != want || len(l.Layers) < 10 || l.Layers[0] != "time0" {
		t.Errorf("%d weights of layers %v, want %d weights", len(l.Weights), l.Layers, want)
	}
	for _, w := range l.Weights {
		v := store.GetVariable("/" + WeightsScope + "/" + w.Path)
		got, err := w.First(5)
		if err != nil {
			t.Fatal(err)
		}
		if want := tensors.MustCopyFlatData[float32](v.MustValue()); !sameBits(got, want) {
			t.Errorf("%s: first values %v, want %v", w.Path, got[:1], want[:1])
		}
	}
}
