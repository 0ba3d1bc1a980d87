package data

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
)

// maxTries is the number of videos in a row that training tries in the place of one clip. Where a
// tenth of a data set can't be read, so many fail once in 10^16 clips. So if they do, something else
// is wrong, such as a disk that is gone.
const maxTries = 16

// failure is a clip that can't be read.
type failure struct {
	At
	err error // begins with the name of the video
}

// unreadable is what happens when training can't read a clip.
type unreadable struct {
	fail bool // the first one ends the training
	log  *slog.Logger

	mu   sync.Mutex
	told map[int]bool // the videos whose names are in the log
}

func newUnreadable(fail bool, log *slog.Logger) *unreadable {
	return &unreadable{fail: fail, log: log, told: map[int]bool{}}
}

// fatal is the error with which the training ends, nil if another clip takes the place of the one
// that can't be read. That the program is being stopped is no fault of a video.
func (u *unreadable) fatal(err error) error {
	switch {
	case errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded):
		return err
	case u.fail:
		return fmt.Errorf("%w (data.on_error: skip would put another clip in its place)", err)
	}
	return nil
}

// tell names each video once, with what took its place.
func (u *unreadable) tell(failed []failure, by string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, f := range failed {
		if !u.told[f.Video] {
			u.told[f.Video] = true
			u.log.Warn("a clip can't be read; wherever this video can't, a clip of another one takes its place",
				"reason", f.err, "start", f.Start, "by", by)
		}
	}
}
