package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"unicode"

	"github.com/spf13/cobra"

	"mcvd/models/backend"
	"mcvd/train/ranks"
)

// begin is called before every command. Of several processes, the first one tells what happens, and the
// others only warn.
func (a *app) begin(cmd *cobra.Command, getenv func(string) string) error {
	if _, _, rank, ok := ranks.Started(getenv); ok && rank > 0 {
		a.log = slog.New(warnings{lines{out: a.stderr}}).With("rank", rank)
		slog.SetDefault(a.log)
	}
	return alone(cmd, getenv)
}

// join makes this process a rank, if it was started as one of several. The program may start itself again
// only before this.
func (a *app) join(ctx context.Context) (err error) {
	if a.ranks, err = ranks.Open(ctx); err == nil && a.ranks.Several() {
		a.log.Info(fmt.Sprintf("%d ranks, by %s", a.ranks.Size(), a.ranks.Library()))
		if bound := ranks.Bound(); bound != "" && a.ranks.First() {
			a.log.Warn(bound)
		}
	}
	return err
}

// programs are the versions of everything that a training is computed with.
func (a *app) programs(c backend.Choice) map[string]string {
	with := versions()
	maps.Copy(with, c.Versions())
	with["ranks"] = strconv.Itoa(a.ranks.Size())
	return with
}

// progress shows how far the first rank has come.
func (a *app) progress(what string, total int) *progress {
	if a.ranks.First() {
		return newProgress(a.stderr, what, total)
	}
	return newProgress(&shown{out: io.Discard, plain: unicode.IsPrint}, what, total)
}

// warnings are the lines of what is worse than information.
type warnings struct{ slog.Handler }

func (w warnings) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }

func (w warnings) WithAttrs(attrs []slog.Attr) slog.Handler {
	return warnings{w.Handler.WithAttrs(attrs)}
}

// together are the commands that several processes can do together.
var together = []string{"train", "ranks"}

// alone refuses to do in each of several processes what one should do. An evaluation can be divided into
// shards.
func alone(cmd *cobra.Command, getenv func(string) string) error {
	by, size, _, ok := ranks.Started(getenv)
	shard := cmd.Flag("shard")
	if shard != nil && shard.Changed {
		return nil
	}
	if !ok {
		err := ranks.Unseen(getenv)
		if err != nil && shard != nil {
			err = fmt.Errorf("%w; to divide an evaluation: --shard auto and --records DIR", err)
		}
		return err
	}
	if size == 1 || slices.Contains(together, cmd.Name()) {
		return nil
	}
	if shard != nil {
		return fmt.Errorf("%s started several processes, each of which would evaluate everything: want one, or --shard auto and --records DIR", by)
	}
	return fmt.Errorf("%s started several processes, each of which would do the same: want one, or %s=off if they have nothing to do with each other", by, ranks.OffVariable)
}
