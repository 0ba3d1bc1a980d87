package video

import (
	"bytes"
	"context"
	"strings"
)

// ToolVersion is what ffmpeg or ffprobe says it is, such as "ffmpeg version 5.1.6". A missing one
// is an error that says how to install it.
func ToolVersion(ctx context.Context, tool string) (string, error) {
	p, err := command(ctx, tool, "-version")
	if err != nil {
		return "", err
	}
	var out bytes.Buffer
	p.Stdout = &out
	if err := p.Start(); err != nil {
		return "", err
	}
	if err := p.Wait(); err != nil {
		return "", err
	}
	line, _, _ := strings.Cut(out.String(), "\n")
	line, _, _ = strings.Cut(line, " Copyright")
	return line, nil
}
