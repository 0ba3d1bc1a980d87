package train

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"

	"mcvd/configs"
	"mcvd/models"
	"mcvd/train/ranks"
)

// Several processes, the ranks of an MPI job, train one run together. Each has all weights, and a part of
// each batch. The first one reads and writes the run folder; the others get its state when the training
// begins. From there on all make the same steps.

// partOf is the part of each batch that a rank has.
func partOf(r *ranks.Ranks, c *configs.Config) part {
	from, to := r.Part(c.Train.Batch)
	return part{from, to - from, c.Train.Batch}
}

// standing is what must be the same in all ranks.
type standing struct {
	Host     string
	Config   string // as YAML
	Data     splits
	Program  map[string]string // versions of what computes
	Devices  int
	Machine  string
	Visible  string   // the NVIDIA devices that the process is shown: CUDA_VISIBLE_DEVICES
	Present  []string // those of the host that it may open, which a scheduler may limit, by UUID
	ByItself bool     // it has such devices
}

// CheckParts reports batches that so many ranks can't divide.
func CheckParts(c *configs.Config, n int) error {
	if n > 1 && c.Train.Batch%n != 0 {
		return fmt.Errorf("train.batch: %d, want a multiple of the %d ranks, each of which takes an equal part", c.Train.Batch, n)
	}
	return nil
}

// checkTogether reports ranks that differ in what they train, on what, or with what, and batches that
// can't be divided.
func checkTogether(o Options) error {
	if !o.Ranks.Several() {
		return nil
	}
	if err := CheckParts(o.Config, o.Ranks.Size()); err != nil {
		return ranks.Agreed(o.Ranks, err)
	}
	own := standing{Config: string(o.Config.YAML()), Data: splitsOf(o), Program: o.Versions, Devices: o.Backend.NumDevices(), Machine: runtime.GOOS + "/" + runtime.GOARCH,
		Visible: os.Getenv("CUDA_VISIBLE_DEVICES"), ByItself: strings.Contains(o.Backend.Description(), "cuda")}
	if own.ByItself {
		own.Present = presentDevices()
	}
	host, err := os.Hostname()
	own.Host = host
	all, err := ranks.All(o.Ranks, own, err)
	if err != nil {
		return err
	}
	for k, other := range all {
		if problem := other.differs(all[0]); problem != "" {
			return ranks.Agreed(o.Ranks, fmt.Errorf("rank %d on %s has %s than rank 0 on %s", k, other.Host, problem, all[0].Host))
		}
		for before, b := range all[:k] {
			if own.ByItself && other.sharesDevices(b) {
				return ranks.Agreed(o.Ranks, fmt.Errorf("ranks %d and %d on %s share its NVIDIA devices (CUDA_VISIBLE_DEVICES: %q in both): want one rank for each host, which takes all of them, or devices for each rank, such as by srun --gpus-per-task=1", before, k, b.Host, b.Visible))
			}
		}
	}
	return nil
}

// presentDevices are the UUIDs of the NVIDIA devices that this process may open; none if that can't be told.
// Where a scheduler gives each process devices of its own by cgroups, all find theirs as number 0.
func presentDevices() (uuids []string) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "nvidia-smi", "--query-gpu=uuid", "--format=csv,noheader").Output()
	if err != nil {
		return nil
	}
	return strings.Fields(string(out))
}

// sharesDevices says whether two ranks find one of the same NVIDIA devices.
func (s standing) sharesDevices(other standing) bool {
	if s.Host != other.Host || len(s.Present) == 0 || len(other.Present) == 0 {
		return s.Host == other.Host && s.Visible == other.Visible
	}
	others := other.shown()
	return slices.ContainsFunc(s.shown(), func(device string) bool { return slices.Contains(others, device) })
}

// shown are those of the present devices that the process is shown. CUDA_VISIBLE_DEVICES has their numbers,
// or the beginnings of their UUIDs.
func (s standing) shown() []string {
	if s.Visible == "" {
		return s.Present
	}
	var uuids []string
	for text := range strings.SplitSeq(s.Visible, ",") {
		if number, err := strconv.Atoi(text); err == nil && number >= 0 && number < len(s.Present) {
			uuids = append(uuids, s.Present[number])
		} else if i := slices.IndexFunc(s.Present, func(uuid string) bool { return strings.HasPrefix(uuid, text) }); i >= 0 {
			uuids = append(uuids, s.Present[i])
		} else {
			uuids = append(uuids, text) // a part of a device
		}
	}
	return uuids
}

// differs says in what a rank differs from the first one; "" for in nothing.
func (s standing) differs(first standing) string {
	var moved []string
	for split, is := range s.Data {
		if change := is.Changed(first.Data[split]); change != "" {
			moved = append(moved, fmt.Sprintf("%s: %s", split, change))
		}
	}
	switch {
	case s.Machine != first.Machine:
		return fmt.Sprintf("another kind of machine (%s, not %s)", s.Machine, first.Machine)
	case s.Program["backend"] != first.Program["backend"]:
		return fmt.Sprintf("another backend (%s, not %s)", s.Program["backend"], first.Program["backend"])
	case s.Devices != first.Devices:
		return fmt.Sprintf("other devices (%d of them, not %d)", s.Devices, first.Devices)
	case s.Config != first.Config:
		return fmt.Sprintf("other settings (%s)", strings.Join(differentLines(first.Config, s.Config), ", "))
	case len(moved) > 0:
		return fmt.Sprintf("other data (%s)", strings.Join(moved, "; "))
	}
	for key, value := range s.Program {
		if first.Program[key] != value {
			return fmt.Sprintf("another program (%s: %s, not %s)", key, value, first.Program[key])
		}
	}
	return ""
}

// differentLines lists the first lines that only b has.
func differentLines(a, b string) []string {
	const most = 5
	known := strings.Split(a, "\n")
	lines := slices.DeleteFunc(strings.Split(b, "\n"), func(line string) bool { return slices.Contains(known, line) })
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	return lines[:min(len(lines), most)]
}

// enter makes the run folder or opens it again: on the first rank, because the others may not even see it.
func enter(o Options) (run *Run, unlock func(), err error) {
	run, unlock = &Run{Dir: o.Dir, Config: o.Config}, func() {}
	if o.Ranks.First() {
		run, unlock, err = start(o.Dir, o.Config, o.AcceptChanges)
	}
	if _, err = ranks.All(o.Ranks, true, err); err != nil && unlock != nil {
		unlock()
	}
	return run, unlock, err
}

// resume returns the state to go on from, the same in all ranks: that of the first one.
func (r *Run) resume(o Options, m *models.Model) (s restored, err error) {
	if !o.Ranks.Several() {
		return r.restore(o.Backend, m, o.AcceptChanges, o.Log)
	}
	type told struct {
		Progress Progress
		Changes  []string
	}
	if o.Ranks.First() {
		s, err = r.restore(o.Backend, m, o.AcceptChanges, o.Log)
	} else {
		s.store, err = firstState(o.Backend, m, o.Config)
		if err == nil && o.Config.Train.Teacher != "" {
			err = room(o, m, s.store, models.TeacherScope)
		}
	}
	all, err := ranks.All(o.Ranks, told{s.progress, s.changes}, err)
	if err == nil {
		s.progress, s.changes = all[0].Progress, all[0].Changes
		err = broadcast(o.Ranks, s.store)
	}
	if err != nil && s.store != nil {
		s.store.Finalize()
		s.store = nil
	}
	return s, err
}

// room makes zeros in a scope, in which the first rank's weights get their place.
func room(o Options, m *models.Model, store *model.Store, scope string) error {
	if _, err := m.Declare(o.Backend, store.Scope("/"+scope), 1); err != nil {
		return err
	}
	for _, v := range of(store, scope) {
		if err := v.SetValue(tensors.FromShape(v.Shape())); err != nil {
			return err
		}
	}
	return nil
}

// broadcast makes all tensors of a store those of the first rank.
func broadcast(r *ranks.Ranks, store *model.Store) error {
	if !r.Several() {
		return nil
	}
	for _, v := range variables(store) {
		value, err := v.Value()
		if err != nil {
			return err
		}
		flat, err := tensors.CopyFlatData[float32](value)
		if err != nil {
			return err
		}
		if err := r.Broadcast(ranks.Bytes(flat)); err != nil {
			return err
		}
		if r.First() {
			continue
		}
		if err := v.SetValue(tensors.FromFlatDataAndDimensions(flat, v.Shape().Dimensions...)); err != nil {
			return err
		}
	}
	return nil
}

// variables are those of a store, by their paths.
func variables(store *model.Store) []*model.Variable {
	all := slices.Collect(store.IterVariables())
	slices.SortFunc(all, func(a, b *model.Variable) int { return strings.Compare(a.Path(), b.Path()) })
	return all
}

// checkAlike reports ranks whose weights have come apart, and makes them alike again. The same numbers on
// another kind of processor may be rounded in another way.
func (t *trainer) checkAlike() error {
	if !t.Ranks.Several() {
		return nil
	}
	sum, err := sumOf(t.store)
	all, err := ranks.All(t.Ranks, sum, err)
	if err != nil {
		return err
	}
	for k, other := range all {
		if other != all[0] {
			t.Log.Warn("the weights of a rank were rounded in another way; all ranks go on with those of rank 0", "rank", k, "step", t.progress.Step)
			return broadcast(t.Ranks, t.store)
		}
	}
	return nil
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// sumOf is a checksum of all tensors.
func sumOf(store *model.Store) (sum uint32, err error) {
	for _, e := range models.Entries(store) {
		data, err := e.Data()
		if err != nil {
			return 0, err
		}
		sum = crc32.Update(sum, castagnoli, data)
	}
	return sum, nil
}

// shared says whether all ranks know of an error.
func shared(r *ranks.Ranks, err error) bool {
	return !r.Several() || errors.As(err, new(*ranks.AgreedError))
}

// ending says whether ctx has ended in any rank. All must ask at the same time.
func (t *trainer) ending(done bool) (bool, error) {
	all, err := ranks.All(t.Ranks, done, nil)
	return slices.Contains(all, true), err
}
