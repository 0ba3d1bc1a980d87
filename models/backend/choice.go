package backend

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gomlx/compute"

	"mcvd/configs"
	"mcvd/models/backend/xlakernels"
)

// Choice is a backend, and the reason for choosing it.
type Choice struct {
	Name   string // a name of Names, never auto, or GoMLX's own string
	Plugin string // of XLA: the file, an absolute path
	Why    string // why auto chose it

	config  string // GoMLX's string
	kind    kind
	missing []string           // what CUDA needs beside the plugin, and was not found
	vectors xlakernels.Vectors // of the kernels that the plugin gets
	plain   string             // why it gets none, or empty

	programs string // where compiled programs are kept, or empty
	identity string // what they depend on besides program and plugin
	environment
}

// Absent is the error for a backend that this machine or this program does not have, as opposed to
// a broken one.
type Absent struct{ reason string }

func (a Absent) Error() string { return a.reason }

// kind is what a backend runs on.
type kind int

const (
	other kind = iota
	pureGo
	cpu
	cuda
)

// choices are the values of --backend besides GoMLX's own strings.
var choices = map[string]func(machine) (Choice, error){
	"auto":     machine.auto,
	"go":       machine.goChoice,
	"xla-cpu":  machine.cpuChoice,
	"xla-cuda": machine.cudaChoice,
}

// Names lists the values of --backend besides GoMLX's own strings.
func Names() []string { return configs.Names(choices) }

// Check reports a name that no machine has a backend of.
func Check(name string) error {
	if kind, _, own := strings.Cut(name, ":"); own {
		known := append(compute.List(), xlaKinds...)
		if slices.Contains(known, kind) {
			return nil
		}
		slices.Sort(known)
		return fmt.Errorf("kind %q, want one of %s", kind, strings.Join(slices.Compact(known), ", "))
	}
	if _, ok := choices[name]; !ok {
		return fmt.Errorf("want one of %s, or a string of GoMLX such as xla:/path/of/plugin.so", strings.Join(Names(), ", "))
	}
	return nil
}

// Choose finds the named backend on this machine, without opening it.
func Choose(name string) (Choice, error) { return look("/", os.Environ(), unlinked).choose(name) }

func (m machine) choose(name string) (Choice, error) {
	if err := Check(name); err != nil {
		return Choice{}, fmt.Errorf("--backend %s: %w", name, err)
	}
	if strings.Contains(name, ":") {
		return m.ownString(name)
	}
	c, err := choices[name](m)
	if err != nil {
		return Choice{}, fmt.Errorf("--backend %s: %w", name, err)
	}
	return c, nil
}

// goChoice has no limit on its workers. With the backend's default limit, a training step took 1.4
// times as long.
func (m machine) goChoice() (Choice, error) {
	return Choice{Name: "go", config: "go:parallelism=-1", kind: pureGo}, nil
}

func (m machine) cpuChoice() (Choice, error) {
	path, err := m.usable(m.cpu)
	if err != nil {
		return Choice{}, m.mended(err, cpu, m.cpu)
	}
	return m.xla("xla-cpu", cpu, path, "")
}

func (m machine) cudaChoice() (Choice, error) {
	path, err := m.usable(m.cuda)
	if err != nil {
		return Choice{}, m.mended(err, cuda, m.cuda)
	}
	if m.noDevice != "" {
		return Choice{}, Absent{m.noDevice + " (`nvidia-smi` lists devices where the driver works)"}
	}
	options := ",preallocate=true,memory_fraction=0.85"
	if strings.Contains(strings.ToUpper(path), "CPU") {
		options += ",noshared_buffers" // go-xla tells plugins apart by their path
	}
	return m.xla("xla-cuda", cuda, path, options)
}

// mended adds to an error the command that installs what is missing, if there is one.
func (m machine) mended(err error, k kind, p plugin) error {
	switch {
	case m.unlinked != "":
		return err
	case filepath.Dir(p.folder) == m.installed():
		return fmt.Errorf("%w: remove %s and %s", err, m.short(p.folder), mend(k))
	}
	return fmt.Errorf("%w: %s", err, mend(k))
}

// mend is the command that installs a plugin.
func mend(k kind) string {
	if k == cuda {
		return "run scripts/install-xla.sh cuda13"
	}
	return "run scripts/install-xla.sh cpu"
}

// auto takes the fastest backend that is there, and says why not a faster one. A plugin that is
// broken is passed over. A plugin that is sound must open: training on the CPU by mistake would
// cost days.
func (m machine) auto() (Choice, error) {
	var against []string
	if m.unlinked != "" {
		c, err := m.goChoice()
		c.Why = m.unlinked
		return c, err
	}
	if m.noDevice != "" {
		against = append(against, m.noDevice)
	} else if _, err := m.usable(m.cuda); err != nil {
		against = append(against, fmt.Sprintf("NVIDIA device, but %v: %s", err, mend(cuda)))
	} else {
		c, err := m.cudaChoice()
		c.Why = "NVIDIA device, CUDA plugin in " + m.short(m.cuda.folder)
		return c, err
	}
	if _, err := m.usable(m.cpu); err == nil {
		c, err := m.cpuChoice()
		c.Why = strings.Join(slices.Insert(against, 0, "CPU plugin in "+m.short(m.cpu.folder)), ", ")
		return c, err
	} else {
		against = slices.Insert(against, 0, fmt.Sprintf("%v: %s for a faster one", err, mend(cpu)))
	}
	c, err := m.goChoice()
	c.Why = strings.Join(against, ", ")
	return c, err
}

// usable is the path of a plugin that is there and sound.
func (m machine) usable(p plugin) (string, error) {
	switch {
	case m.unlinked != "":
		return "", Absent{m.unlinked}
	case p.path == "":
		return "", Absent{"no " + p.title + " plugin"}
	case p.broken != nil:
		return "", p.broken
	}
	return p.path, nil
}

// xla is the choice of a plugin that was found to be sound.
func (m machine) xla(name string, k kind, path, options string) (Choice, error) {
	c := Choice{Name: name, Plugin: path, config: "xla:" + path + options, kind: k}
	if k == cuda {
		c.missing = m.missing(path)
	}
	var err error
	if c.vectors, c.plain, err = m.chooseKernels(k); err != nil {
		return c, err
	}
	if c.programs, err = m.programsFolder(k); err != nil {
		return c, err
	}
	c.identity = m.identity()
	c.environment, err = m.wants(k, path)
	return c, err
}

// xlaKinds are GoMLX's names for XLA.
var xlaKinds = []string{"xla", "stablehlo", "hlo", "shlo"}

// ownString is the choice of a string of GoMLX's own. Its plugin must be cpu, cuda or a path. At
// other names, go-xla would search, and would load whatever it finds.
func (m machine) ownString(name string) (Choice, error) {
	before, after, _ := strings.Cut(name, ":")
	if !slices.Contains(xlaKinds, before) {
		return Choice{Name: name, config: name}, nil
	}
	c, err := m.ownPlugin(name, after)
	if err != nil {
		return Choice{}, fmt.Errorf("--backend %s: %w", name, err)
	}
	return c, nil
}

func (m machine) ownPlugin(name, plugin string) (Choice, error) {
	path, options, more := strings.Cut(plugin, ",")
	if more {
		options = "," + options
	}
	var err error
	k := kindOf(path)
	switch {
	case m.unlinked != "":
		return Choice{}, Absent{m.unlinked}
	case path == "cpu":
		path, err = m.usable(m.cpu)
	case path == "cuda":
		path, err = m.usable(m.cuda)
	case filepath.IsAbs(path):
		err = check(path)
	default:
		err = fmt.Errorf("plugin %q, want an absolute path, cpu or cuda", path)
	}
	if err != nil {
		return Choice{}, err
	}
	return m.xla(name, k, path, options)
}

// kindOf guesses from the name of a plugin's file what it runs on.
func kindOf(path string) kind {
	base := strings.ToLower(filepath.Base(path))
	switch {
	case strings.Contains(base, "cuda"), strings.Contains(base, "gpu"):
		return cuda
	case strings.Contains(base, "cpu"):
		return cpu
	}
	return other
}
