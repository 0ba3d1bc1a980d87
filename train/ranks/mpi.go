//go:build cgo && (linux || darwin)

package ranks

// #cgo linux LDFLAGS: -ldl
// #include <stdlib.h>
// #include "mpi.h"
import "C"

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"
	"unsafe"
)

const (
	// beat is the time between two signs of life.
	beat = time.Second
	// silence is how many beats a rank may give no sign of life. What stops this process as well, such as
	// a scheduler that suspends the job, stops its beats, too, and so doesn't count.
	silence = 20
	// arrival is how long all ranks may take until they have come together.
	arrival = 2 * time.Minute
	// busy is how long an operation is driven without pauses. One that takes longer waits for a slow rank.
	busy = 20 * time.Millisecond
)

// mpi is the network of an MPI library. One thread makes all of its calls, as the library wants it. It
// also exchanges signs of life with the first rank, or, as the first, with all others.
type mpi struct {
	number, size int
	hosts        []string
	jobs         chan job
	urgent       chan job // those that don't wait for the operation in hand
	alive        func()   // nil, or what is called while others are waited for
	silent       []int    // beats since a sign of life, by rank
	sent, heard  []int64  // notes to and from each rank
	leaving      bool     // no more signs of life are sent
	failure      error    // a rank gives no sign of life, or can't go on
	abandoned    []*runtime.Pinner
}

// job is an operation for the thread.
type job struct {
	begin func() *C.char // returns at once
	alone bool           // there is nothing to wait for
	last  bool           // MPI is over after it
	done  chan error
}

// connect loads the first library of those that can be loaded, and starts MPI.
func connect(ctx context.Context, paths []string) (*Ranks, error) {
	m := &mpi{jobs: make(chan job), urgent: make(chan job)}
	started := make(chan error, 1)
	var name string
	go func() {
		runtime.LockOSThread()
		var err error
		name, err = m.start(paths)
		started <- err
		if err == nil {
			m.serve()
		}
	}()
	select {
	case err := <-started:
		if err != nil {
			return nil, err
		}
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-time.After(arrival):
		return nil, fmt.Errorf("some of the ranks have not come within %v", arrival)
	}
	r := &Ranks{network: m, number: m.number, size: m.size, name: name}
	host, err := os.Hostname()
	all, err := All(r, host, err)
	m.now(func() { m.hosts = all })
	return r, err
}

func (m *mpi) start(paths []string) (name string, err error) {
	if err := load(paths); err != nil {
		return "", err
	}
	var number, size C.int
	room := make([]byte, 256)
	if err := failed(C.mpi_start(&number, &size, (*C.char)(unsafe.Pointer(&room[0])), C.size_t(len(room)))); err != nil {
		return "", err
	}
	m.number, m.size = int(number), int(size)
	m.silent, m.sent, m.heard = make([]int, m.size), make([]int64, m.size), make([]int64, m.size)
	name, _, _ = strings.Cut(string(bytes.TrimRight(room, "\x00")), "\n")
	name, _, _ = strings.Cut(name, ",") // "Open MPI v5.0.8, package: ..."
	return strings.TrimSpace(name), nil
}

// load loads the first library that can be loaded.
func load(paths []string) error {
	var errs []error
	for _, path := range paths {
		text := C.CString(path)
		err := failed(C.mpi_load(text))
		C.free(unsafe.Pointer(text))
		if err == nil {
			return nil
		}
		errs = append(errs, err)
	}
	return fmt.Errorf("no MPI library: %w", errors.Join(errs...))
}

// failed makes an error of what C returned, and frees it.
func failed(text *C.char) error {
	if text == nil {
		return nil
	}
	defer C.free(unsafe.Pointer(text))
	return errors.New(C.GoString(text))
}

// serve carries out jobs.
func (m *mpi) serve() {
	tick := time.NewTicker(beat)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			m.beats()
		case j := <-m.urgent:
			j.done <- failed(j.begin())
		case j := <-m.jobs:
			j.done <- m.carry(j, tick)
			if j.last {
				return
			}
		}
	}
}

// carry carries out one job, with beats meanwhile.
func (m *mpi) carry(j job, tick *time.Ticker) error {
	if m.failure != nil && !j.alone {
		return m.failure
	}
	if err := failed(j.begin()); err != nil || j.alone {
		return err
	}
	for began := time.Now(); ; {
		var done C.int
		idle := C.int(0)
		if time.Since(began) > busy {
			idle = 1
		}
		if err := failed(C.mpi_wait(&done, idle)); err != nil || done != 0 {
			return err
		}
		select {
		case <-tick.C:
			m.beats()
			if m.alive != nil {
				m.alive()
			}
		case j := <-m.urgent:
			j.done <- failed(j.begin())
		default:
		}
		if m.failure != nil {
			return m.failure
		}
	}
}

// others are the ranks with which this one exchanges signs of life.
func (m *mpi) others() (from, to int) {
	if m.number == 0 {
		return 1, m.size
	}
	return 0, 1
}

// beats sends a sign of life, and counts those that are missing.
func (m *mpi) beats() {
	if m.failure != nil || m.leaving { // MPI would go on with what was abandoned
		return
	}
	for from, to := m.others(); from < to; from++ {
		m.note(from, "")
		for m.hear(from) {
		}
		if m.silent[from]++; m.silent[from] > silence && m.failure == nil {
			m.failure = fmt.Errorf("%s %w for %v", m.who(from), ErrSilent, silence*beat)
		}
	}
}

// hear takes a note of a rank, and says whether there was one.
func (m *mpi) hear(from int) bool {
	var heard C.int
	note := make([]byte, C.note_size)
	if err := failed(C.mpi_hear(C.int(from), (*C.char)(unsafe.Pointer(&note[0])), &heard)); err != nil || heard == 0 {
		return false
	}
	m.silent[from] = 0
	m.heard[from]++
	if text := string(bytes.TrimRight(note, "\x00")); text != "" && m.failure == nil {
		status, why, _ := strings.Cut(text, " ")
		n, _ := strconv.Atoi(status)
		m.failure = CantGoOnError{n, fmt.Sprintf("%s can't go on: %s", m.who(from), why)}
	}
	return true
}

// note sends one; "" is a sign of life. It is not sent if the one before is still under way.
func (m *mpi) note(to int, text string) (sent bool) {
	note := make([]byte, C.note_size)
	copy(note[:C.note_size-1], text)
	var is C.int
	if err := failed(C.mpi_tell(C.int(to), (*C.char)(unsafe.Pointer(&note[0])), &is)); err != nil && m.failure == nil {
		m.failure = fmt.Errorf("%s: %w", m.who(to), err)
	}
	m.sent[to] += int64(is)
	return is != 0
}

// who names a rank.
func (m *mpi) who(rank int) string {
	if rank < len(m.hosts) {
		return fmt.Sprintf("rank %d on %s", rank, m.hosts[rank])
	}
	return fmt.Sprintf("rank %d", rank)
}

// do has the thread carry out an operation on memory of Go, which stays where it is meanwhile. After an
// error it stays for good, because other ranks may still write into it.
func (m *mpi) do(begin func() *C.char, memory ...unsafe.Pointer) error {
	pins := new(runtime.Pinner)
	for _, p := range memory {
		pins.Pin(p)
	}
	j := job{begin: begin, done: make(chan error, 1)}
	m.jobs <- j
	err := <-j.done
	if err != nil {
		m.abandoned = append(m.abandoned, pins)
		return err
	}
	pins.Unpin()
	return nil
}

func (m *mpi) gather(send, recv []byte) error {
	from, to := unsafe.Pointer(&send[0]), unsafe.Pointer(&recv[0])
	return m.do(func() *C.char { return C.mpi_gather(from, to, C.int(len(send))) }, from, to)
}

func (m *mpi) exchange(send, recv []byte) error {
	from, to := unsafe.Pointer(&send[0]), unsafe.Pointer(&recv[0])
	return m.do(func() *C.char { return C.mpi_exchange(from, to, C.int(len(send)/m.size)) }, from, to)
}

func (m *mpi) add(x []float32) error {
	at := unsafe.Pointer(&x[0])
	return m.do(func() *C.char { return C.mpi_add((*C.float)(at), C.int(len(x))) }, at)
}

func (m *mpi) broadcast(x []byte) error {
	at := unsafe.Pointer(&x[0])
	return m.do(func() *C.char { return C.mpi_broadcast(at, C.int(len(x))) }, at)
}

// now has the thread do something at once. It says whether the thread did, which hangs if it did not.
func (m *mpi) now(do func()) bool {
	j := job{done: make(chan error, 1), begin: func() *C.char {
		do()
		return nil
	}}
	select {
	case m.urgent <- j:
		<-j.done
		return true
	case <-time.After(5 * beat):
		return false
	}
}

// tell waits for the first rank, which then ends the job, as long as that gives signs of life.
func (m *mpi) tell(why string, status int) {
	var lost error
	for told := false; m.now(func() {
		if lost = m.failure; lost == nil && !told {
			told = m.note(0, fmt.Sprintf("%d %s", status, why))
		}
	}) && lost == nil; {
		time.Sleep(beat)
	}
}

func (m *mpi) lost() (lost bool) {
	m.now(func() { lost = m.failure != nil })
	return lost
}

func (m *mpi) waiting(do func()) { m.now(func() { m.alive = do }) }

// leave takes the last notes before MPI ends, which some libraries want.
func (m *mpi) leave() error {
	send, recv := make([]byte, 1), make([]byte, m.size)
	if err := m.gather(send, recv); err != nil { // with signs of life
		return err
	}
	m.now(func() { m.leaving = true })
	told := make([]byte, 8*m.size)
	for k, n := range m.sent {
		binary.LittleEndian.PutUint64(told[8*k:], uint64(n))
	}
	notes := make([]byte, len(told))
	if err := m.exchange(told, notes); err != nil {
		return err
	}
	missing := true
	for began := time.Now(); missing && time.Since(began) < silence*beat; {
		m.now(func() {
			missing = false
			for k := range m.size {
				for m.heard[k] < int64(binary.LittleEndian.Uint64(notes[8*k:])) && m.hear(k) {
				}
				missing = missing || m.heard[k] < int64(binary.LittleEndian.Uint64(notes[8*k:]))
			}
		})
	}
	j := job{alone: true, last: true, done: make(chan error, 1), begin: func() *C.char { return C.mpi_finish() }}
	m.jobs <- j
	return <-j.done
}

func (m *mpi) abort(status int) {
	time.Sleep(beat / 2) // MPICH drops what was printed and has not reached the terminal
	m.now(func() { C.mpi_abort(C.int(status)) })
	os.Exit(status)
}
