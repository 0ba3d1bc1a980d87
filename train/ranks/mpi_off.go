//go:build !cgo || !(linux || darwin)

package ranks

import (
	"context"
	"errors"
)

func connect(context.Context, []string) (*Ranks, error) {
	return nil, errors.New("this program was built without cgo, and can't load an MPI library")
}
