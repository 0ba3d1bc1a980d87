package lerobot

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mcvd/data/clips"
)

// FuzzInfo reads any meta/info.json. Its splits are apart and within the recording, and no video lies
// elsewhere.
func FuzzInfo(f *testing.F) {
	text, err := os.ReadFile(filepath.Join("testdata", "recording", "meta", "info.json"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text, "")
	f.Add([]byte(`{"codebase_version":"v3.0","fps":5,"total_episodes":9,"splits":{"train":"0:5","val":"5:6","test":"6:9","x":""},`+
		`"video_path":"{video_key}/../{video_key}/{file_index:03d}.mp4","features":{"..":{"dtype":"video"},"a":{"dtype":"video","info":{"is_depth_map":true}}}}`), "..")
	f.Fuzz(func(t *testing.T, text []byte, asked string) {
		in, err := parseInfo(text)
		if err != nil {
			return
		}
		if camera, err := in.camera(asked); err == nil {
			if strings.ContainsAny(camera, "/") || !filepath.IsLocal(camera) || in.Features[camera].Type != "video" {
				t.Errorf("camera %q", camera)
			}
			if path, err := in.video(camera, 1, 2); err == nil && !filepath.IsLocal(path) {
				t.Errorf("a video %q", path)
			}
		}
		spans, err := in.spans()
		if err != nil {
			return
		}
		var all []span
		for _, split := range []clips.Split{clips.Train, clips.Valid, clips.Test} {
			if s, ok := spans[split]; ok {
				all = append(all, s)
			}
		}
		slices.SortFunc(all, func(a, b span) int { return a.from - b.from })
		for i, s := range all {
			if s.from < 0 || s.from >= s.to || s.to > in.Episodes || i > 0 && s.from < all[i-1].to {
				t.Errorf("splits %v of %d episodes", spans, in.Episodes)
			}
		}
	})
}
