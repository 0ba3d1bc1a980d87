// Package ranks lets several processes, on one host or on many, train one model together.
//
// The processes are the ranks of an MPI job, such as "mpirun -n 4 mcvd train ..." starts. Each takes an
// equal part of every batch; their gradients are added up, so that all make the same step. MPI is loaded
// when the program finds that it was started as a rank. Open MPI and MPICH do, and what has the binary
// interface of either. A nil *[Ranks] is a process that was started alone, and does nothing that costs
// time.
//
// All ranks must call the same methods in the same order, because each call needs all of them. Where one
// may fail, as in reading data, its error goes to the others with the next [All].
package ranks

import (
	"bytes"
	"encoding/binary"
	"encoding/gob"
	"errors"
	"fmt"
	"math"
	"os"
)

// ErrSilent is in the error of a job in which a rank, or its host, is dead or hangs. The same command goes on
// from the newest checkpoint.
var ErrSilent = errors.New("gives no sign of life")

// CantGoOnError is of a rank that can't go on by itself.
type CantGoOnError struct {
	Status int // with which its process would exit
	text   string
}

func (e CantGoOnError) Error() string { return e.text }

// Ranks are the processes of a job, seen by one of them.
type Ranks struct {
	network network
	number  int
	size    int
	name    string // of the library
}

// network is what connects ranks. It carries out one call after the other.
type network interface {
	// gather gets the bytes of every rank, in their order. All have equally many.
	gather(send, recv []byte) error
	// exchange sends the k-th of equal pieces to rank k, and gets the one from rank k as the k-th.
	exchange(send, recv []byte) error
	// add makes x the sum over ranks, in whatever order the library adds them up.
	add(x []float32) error
	// broadcast makes x that of rank 0.
	broadcast(x []byte) error
	// tell tells the first rank that this one can't go on, and the exit status that it has for that. It doesn't need the other ranks to call it.
	tell(why string, status int)
	// lost says whether a rank is known to be lost, or can't go on. Then all calls fail.
	lost() bool
	// leave waits until all ranks leave.
	leave() error
	// abort ends all ranks at once, and does not return if they are processes.
	abort(status int)
	// waiting is called now and then while the others are waited for.
	waiting(do func())
}

// Number is this rank's, from 0.
func (r *Ranks) Number() int {
	if r == nil {
		return 0
	}
	return r.number
}

// Size is how many ranks there are.
func (r *Ranks) Size() int {
	if r == nil {
		return 1
	}
	return r.size
}

// First says whether this is the rank that writes the run folder and prints.
func (r *Ranks) First() bool { return r.Number() == 0 }

// Several says whether there are others.
func (r *Ranks) Several() bool { return r.Size() > 1 }

// Library names the MPI library; "" if there is none.
func (r *Ranks) Library() string {
	if r == nil {
		return ""
	}
	return r.name
}

// Part is this rank's share of n things, a multiple of the ranks: from, and to, exclusive.
func (r *Ranks) Part(n int) (from, to int) {
	each := n / r.Size()
	return r.Number() * each, (r.Number() + 1) * each
}

// AgreedError is an error that all ranks know of. So none of them waits for another one.
type AgreedError struct {
	Rank int // that it happened to
	err  error
}

func (e *AgreedError) Error() string { return e.err.Error() }
func (e *AgreedError) Unwrap() error { return e.err }

// Agreed marks an error to which all ranks come by themselves, from what all of them know.
func Agreed(r *Ranks, err error) error {
	if err == nil || !r.Several() {
		return err
	}
	return &AgreedError{r.number, err}
}

// slot is the bytes of a rank's message that travel with its length: most need no second journey.
const slot = 512

// header stands at the beginning of a slot.
type header struct {
	Length int64
	Failed bool
}

// All gives every rank what each of them has, in the order of the ranks. If a rank comes with an error,
// all get an [AgreedError] instead. The error of a connection that is lost is none.
func All[T any](r *Ranks, own T, err error) ([]T, error) {
	if !r.Several() {
		return []T{own}, err
	}
	var text bytes.Buffer
	if err != nil {
		text.WriteString(err.Error())
	} else if err := gob.NewEncoder(&text).Encode(&own); err != nil {
		return nil, fmt.Errorf("rank %d: %w", r.number, err)
	}
	messages, lost := r.gather(header{int64(text.Len()), err != nil}, text.Bytes())
	if lost != nil {
		return nil, errors.Join(err, lost)
	}
	for k, m := range messages {
		switch {
		case !m.Failed:
		case k == r.number:
			return nil, &AgreedError{k, err} // as it is, with what it wraps
		default:
			return nil, &AgreedError{k, fmt.Errorf("rank %d: %s", k, m.text)}
		}
	}
	all := make([]T, r.size)
	for k, m := range messages {
		if err := gob.NewDecoder(bytes.NewReader(m.text)).Decode(&all[k]); err != nil {
			return nil, fmt.Errorf("a message of rank %d: %w", k, err)
		}
	}
	return all, nil
}

// FromFirst gives every rank what do returns on the first one.
func FromFirst[T any](r *Ranks, do func() (T, error)) (T, error) {
	var own T
	var err error
	if r.First() {
		own, err = do()
	}
	all, err := All(r, own, err)
	if err != nil {
		return own, err
	}
	return all[0], nil
}

// message is what a rank sent.
type message struct {
	header
	text []byte
}

// gather exchanges messages of any lengths.
func (r *Ranks) gather(h header, text []byte) ([]message, error) {
	width := binary.Size(h)
	send, recv := make([]byte, slot), make([]byte, slot*r.size)
	if _, err := binary.Encode(send, binary.LittleEndian, h); err != nil {
		return nil, err
	}
	copy(send[width:], text)
	if err := r.network.gather(send, recv); err != nil {
		return nil, err
	}
	messages, longest := make([]message, r.size), 0
	for k := range messages {
		if _, err := binary.Decode(recv[k*slot:], binary.LittleEndian, &messages[k].header); err != nil {
			return nil, err
		}
		longest = max(longest, int(messages[k].Length))
	}
	if longest > math.MaxInt32 {
		return nil, fmt.Errorf("a message of %d bytes between ranks, want %d at most", longest, math.MaxInt32)
	}
	if longest > slot-width { // then all send the whole of it
		send, recv, width = append(make([]byte, 0, longest), text...)[:longest], make([]byte, longest*r.size), 0
		if err := r.network.gather(send, recv); err != nil {
			return nil, err
		}
	}
	each := len(recv) / r.size
	for k := range messages {
		messages[k].text = recv[k*each+width:][:messages[k].Length]
	}
	return messages, nil
}

// piece is how many bytes travel at a time. MPI counts with 32 bits.
const piece = 16 << 20

// Broadcast makes x that of the first rank. All have equally many bytes.
func (r *Ranks) Broadcast(x []byte) error {
	if !r.Several() {
		return nil
	}
	for len(x) > 0 {
		n := min(piece, len(x))
		if err := r.network.broadcast(x[:n]); err != nil {
			return err
		}
		x = x[n:]
	}
	return nil
}

// Told says whether another rank tells the user of an error: the first one, if all know it.
func (r *Ranks) Told(err error) bool {
	return !r.First() && errors.As(err, new(*AgreedError))
}

// Leave ends this process's part of the job, which comes to its end with err. It waits for the other
// ranks, and ends all at once if they don't know of err. status is what the process exits with then.
func (r *Ranks) Leave(err error, status int) {
	if r == nil {
		return
	}
	if agreed := (*AgreedError)(nil); err != nil && !errors.As(err, &agreed) {
		if !r.First() {
			r.network.tell(err.Error(), status) // the first one may still write a checkpoint
		}
		r.network.abort(status)
		return
	}
	if err := r.network.leave(); err != nil {
		fmt.Fprintln(os.Stderr, "mcvd:", err)
		r.network.abort(max(1, status))
	}
}

// Lost says whether another rank is known to be dead, or can't go on. It waits for none.
func (r *Ranks) Lost() bool { return r.Several() && r.network.lost() }

// WhileWaiting calls do now and then while this rank waits for the others, all of which are alive.
func (r *Ranks) WhileWaiting(do func()) {
	if r.Several() {
		r.network.waiting(do)
	}
}
