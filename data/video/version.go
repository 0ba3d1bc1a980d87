package video

import (
	"bytes"
	"context"
	"strings"
)

// ToolVersion is the version that ffmpeg or ffprobe reports, such as "ffmpeg version 5.1.6". If the
// tool is missing, the error says how to install it.
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
