package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
)

// lines writes log records for people at a terminal, to a [shown]: the message, then its attributes.
//
//	warning: video is too short and left out: video one.mp4, reason 1 frames, want at least 6
type lines struct {
	out   io.Writer
	attrs []slog.Attr
}

// Enabled is true from Info on.
func (l lines) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelInfo }

// Handle writes one record as one line.
func (l lines) Handle(_ context.Context, r slog.Record) error {
	prefix := ""
	if r.Level >= slog.LevelWarn {
		prefix = "warning: "
	}
	attrs := slices.Clone(l.attrs)
	r.Attrs(func(a slog.Attr) bool {
		attrs = append(attrs, a)
		return true
	})
	about := make([]string, len(attrs))
	for i, a := range attrs {
		about[i] = strings.ReplaceAll(a.Key, "_", " ") + " " + strings.ReplaceAll(a.Value.String(), "\n", " ")
	}
	text := prefix + r.Message
	if len(about) > 0 {
		text += ": " + strings.Join(about, ", ")
	}
	_, err := fmt.Fprintln(l.out, text)
	return err
}

// WithAttrs returns a handler that adds attrs to every record.
func (l lines) WithAttrs(attrs []slog.Attr) slog.Handler {
	l.attrs = append(slices.Clip(l.attrs), attrs...)
	return l
}

// WithGroup ignores the group, because no attribute here is used twice.
func (l lines) WithGroup(string) slog.Handler { return l }
